"""The host that fires: valid lines now and then, so that the board gets somewhere, and mutants of them in between."""

import json

from fuzz.device import TOKEN
from fuzz.mutate import Mutator, corpus, sealed, text_of

STRAY = 0.1  # of the lines a mutant is made of keep their old id and token


class Fire:
    """Shots along the recorded sessions, ids and tokens made to fit. seed: see Mutator. token: of a session."""

    def __init__(self, seed, token=TOKEN):
        self.lines = corpus("to_device")
        self.mutator = Mutator(self.lines, seed)
        self.rng = self.mutator.rng
        self.token = token
        self.at = 0
        self.ident = 0

    def shot(self):
        """(a valid line or b"", a mutant, ms that pass after it)."""
        rng = self.rng
        if rng.random() < 0.05:
            self.at = rng.randrange(len(self.lines))
        line = self.lines[self.at % len(self.lines)]
        self.at += 1
        mutant = self.mutator.mutant(line if rng.random() < STRAY else self._fitted(line))
        valid = self._fitted(line) if rng.random() < 0.5 else b""
        return valid, mutant, rng.choice((0, 0, 0, 5, 40, 250)) if rng.random() < 0.3 else 0

    def _fitted(self, line):
        try:
            message = json.loads(text_of(line))
        except ValueError:
            return line
        if "id" in message:
            self.ident = 1 if message["method"] == "hello" else self.ident + 1
            message["id"] = self.ident
        params = message.get("params")
        if isinstance(params, dict) and "token" in params:
            params["token"] = self.token
        elif isinstance(params, list):
            params[1] = self.token
        return sealed(json.dumps(message, separators=(",", ":")).encode())
