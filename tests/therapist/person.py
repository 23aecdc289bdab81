"""A person who answers what the screen asks: looks for words in the question, types what belongs to them."""

import re

from therapist.terminal import Terminal

# Words of a question: the answer. The first that fit count; tests put their own before these.
ANSWERS = {
    "Code:": "",
    "Condition:": "sciatica",
    "Condition (": "",
    "Is this a new session": "yes",
    "trained and licensed": "yes",
    "history reviewed": "yes",
    "Diagnosis": "sciatica, left",
    "Numbers of all": "none",
    "risks told": "yes",
    "consent given": "yes",
    "Pain now": "6",
    "Pairs that get": "",
    "Go on with": "yes",
    "or the size": "2",
    "Acknowledge that": "no",
    "needles stay for": "1s",
    "sterile": "yes",
    "needles are in": "2",
    "muscle or site": "piriformis",
    "lead A goes to": "medial needle",
    "lead B goes to": "lateral needle",
    "stop shown": "yes",
    "opens the interlock": "",
    "closes the interlock": "",
    "Enter starts": "",
    "all leads off": "yes",
    "needles are out": "2",
    "in the sharps container?": "yes",
    "skin as it should be": "yes",
    "Note on the skin": "",
    "twitch": "yes",
    "respond": "walks easier",
    "adverse event": "none",
    "told to the person": "yes",
}
_REDRAWN = re.compile(rb"\x1b7\r[^\x1b]*\x1b8")


class Person(Terminal):
    """Terminal with answers. asked: every question that was answered, in order."""

    def __init__(self, *words, **options):
        super().__init__("run", *words, **options)
        self.asked = []

    def question(self):
        """What was written since the last answer, once it ends as a question does."""

        def waiting():
            new = _REDRAWN.sub(b"", self.raw[self._seen :])
            return new.endswith((b": ", b"> "))

        self.until(waiting, "a question")
        return _REDRAWN.sub(b"", self.raw[self._seen :]).decode().replace("\r\n", " ")

    def go(self, until, **own):
        """Answer all that is asked until a question has the words `until` in it; own: answers for words of questions,
        spaces written as _. A list answers one time after another."""
        mine = {words.replace("_", " "): reply for words, reply in own.items()}
        while True:
            asked = self.question()
            if until in asked:
                return asked
            words = next((w for w in [*mine, *ANSWERS] if w in asked[-200:]), None)
            assert words, f"an unexpected question: {asked[-200:]!r}"
            reply = mine[words] if words in mine else ANSWERS[words]
            if isinstance(reply, list):
                reply = reply.pop(0)
            assert self.asked[-5:].count(asked) < 5, f"asked again and again: {asked[-200:]!r}"
            self.asked.append(asked)
            self.type(reply + "\r")

    def start(self, **own):
        """Everything up to the live screen, at zero."""
        self.go("Enter starts", **own)
        self.type("\r")
        self.shows("STOP AT ONCE")

    def raise_once(self, shown):
        """One press of the cursor key; shown: what the channel is then set to."""
        self.type("\x1b[A")
        self.shows(f"set to {shown}")

    def reaches(self, shown):
        """Wait until the set-point has reached the target of channel 1; shown: what the screen then has in both."""
        self.until(lambda: re.search(rf"^> +1 +{shown} +{shown} ", self.text, re.M), f"Now at {shown}")

    def finish(self, **own):
        """Everything from the end of output to the end. Returns the exit code."""
        self.go("told to the person", **own)
        self.type("yes\r")
        return self.end()
