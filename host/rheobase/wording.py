"""Texts that stand wherever the product speaks of itself or of a session's end, word for word. No logic."""

# What this is not.
WORDING = (
    "Research, education and bench use only, into test loads. Not a medical device; not certified, cleared or "
    "clinically evaluated. Presets record published parameters; they are not treatment advice. Limits are informed "
    "by, and not evidence of conformity with, IEC 60601-2-10 or ISO 24571. Never connect a person to an output "
    "powered from a computer's USB port: isolation and battery power are the output stage's duty. Whoever adapts "
    "this for people becomes responsible for ethics approval, electrical-safety testing and regulation."
)

# How well a number is known. The tag travels with the number.
TAGS = {
    "V": "read in a stored source",
    "V-low": "read in a weak source",
    "G": "general knowledge, unconfirmed",
    "PC": "practice convention",
    "D": "decided for this project",
}
