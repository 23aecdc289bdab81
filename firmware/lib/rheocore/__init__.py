"""What host and device agree on, once: the same files run on both sides. Imports neither machine nor rp2."""
