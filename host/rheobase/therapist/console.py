"""Questions and answers, line by line, on a terminal of any kind. Asks nothing while output is on.

While it waits for an answer the session is served: the board's cable, the control socket, signals. Every error in an
answer is a sentence and the question again.
"""

import contextlib
import os
import select
import sys
import termios
import textwrap
import time

from rheobase.errors import RheoError

WIDTH = 79
ROOM = 16  # columns for an answer beside its question
TEXT_MAX = 200  # characters kept of an answer


class Lost(Exception):
    """Nobody will answer any more. cause: "terminal_lost" or "terminated"."""

    def __init__(self, cause="terminal_lost"):
        super().__init__(cause)
        self.cause = cause


class Left(Exception):
    """Ctrl-C or Ctrl-D at a question."""


class Console:
    """session: session.Session, served while waiting. fd: of the terminal. stream: where to write (stderr).

    keep: called before every question: whatever was answered is to be kept before anything else is asked.
    prefix: a function whose text stands before every question (the dwell timer), kept up to date while one waits.
    patient: after output: the first Ctrl-C at a question is answered with a word of warning.

    Nothing typed before a question was there to be read answers it.
    """

    def __init__(self, session, fd, keep, stream=None):
        self.session = session
        self.fd = fd
        self.keep = keep
        self.stream = stream or sys.stderr
        self.plain = os.environ.get("TERM", "dumb") == "dumb"
        self.prefix = lambda: ""
        self.patient = False
        self.forget_typed()  # before anything was asked

    # -- out -----------------------------------------------------------------------------------------------------

    def say(self, *lines):
        """Lines of text, folded at 79 columns under their own indentation. No line: an empty one."""
        for line in lines or ("",):
            indent = line[: len(line) - len(line.lstrip())]
            folded = textwrap.wrap(line, WIDTH, subsequent_indent=indent, break_long_words=False) or [""]
            self._write("\n".join(folded) + "\n")

    def title(self, text):
        """A heading of a step."""
        self.say("", text if self.plain else f"--- {text} ".ljust(WIDTH, "-"))

    def alarm(self, *lines):
        """Something that must not be missed: a sound and a frame."""
        self.sound(3)
        frame = [] if self.plain else ["!" * WIDTH]
        self.say("", *frame, *[f"!!! {line}" for line in lines if line], *frame, "")

    def sound(self, times=1):
        self._write("\a" * times)

    def _write(self, text):
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(text)
            self.stream.flush()

    # -- in ------------------------------------------------------------------------------------------------------

    def ask(self, question, check=lambda text: text, default=None):
        """check(answer), asked again while it raises ValueError or RheoError. default: what Enter alone means."""
        while True:
            answer = self._line(self._prompt(question))
            if not answer and default is not None:
                answer = default
            try:
                return check(answer)
            except RheoError as error:
                self.say(f"  {error.message} {error.hint or ''}".rstrip())
            except ValueError as error:
                self.say(f"  {error}")

    def _prompt(self, question):
        """The question and room for an answer in one line, or the question above and the answer below."""
        if len(self.prefix()) + len(question) + ROOM <= WIDTH:
            return f"{question}: "
        self.say(question)
        return "> "

    def yes(self, question):
        """True or False; only yes and no will do."""
        return self.ask(f"{question} [yes/no]", _yes_or_no)

    def scale(self, question):
        """A whole number from 0 to 10."""
        return self.number(question, 0, 10)

    def number(self, question, low, high, default=None):
        """A whole number from low to high."""

        def check(text):
            if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
                raise ValueError(f"A whole number from {low} to {high}, please.")
            return int(text)

        return self.ask(question, check, None if default is None else str(default))

    def text(self, question, least=1, most=TEXT_MAX):
        """A short text; no shorter than `least` characters."""

        def check(answer):
            if len(answer) < least:
                raise ValueError("Please write a few words." if least > 1 else "Please write something.")
            if len(answer) > most:
                raise ValueError(f"At most {most} characters, please.")
            return answer

        return self.ask(question, check)

    def hold(self, text, over, enter="end"):
        """Show text() until over() is true: True. False as soon as Enter is pressed (enter="end")."""
        self.keep()
        shown_s = -1e9
        shown = None
        while not over():
            now_s = time.monotonic()
            if now_s - shown_s >= (60.0 if self.plain else 1.0) and text() != shown:
                shown_s, shown = now_s, text()
                self._write(shown + "\n" if self.plain else f"\r{shown}\x1b[K")
            try:
                typed = self._typed(0.2)
            except Left:
                if not self.patient:
                    raise
                typed = ""
            if typed is not None and enter == "end":
                return False
        self._write("" if self.plain or shown is None else "\n")
        return True

    def _line(self, prompt):
        """What was typed until Enter."""
        self.keep()
        self.forget_typed()
        warned = not self.patient
        while True:
            prefix = self.prefix()
            self._write(prefix + prompt)
            shown_s = time.monotonic()
            try:
                while (text := self._typed(0.2)) is None:
                    if not self.plain and prefix and time.monotonic() - shown_s >= 1 and not self._answered():
                        shown_s = time.monotonic()
                        self._write(f"\x1b7\r{self.prefix()}\x1b8")  # where the cursor stands is kept
                return text
            except (Lost, RheoError):
                self.say()
                raise
            except Left:
                self.say()
                if warned:
                    raise
                warned = True
                self.say("  The steps after a session matter. Ctrl-C once more leaves them, and the record says that")
                self.say("  what was not answered is not known.")

    def forget_typed(self):
        """What was typed before anybody could read what it would answer."""
        with contextlib.suppress(termios.error):
            termios.tcflush(self.fd, termios.TCIFLUSH)

    def _answered(self):
        """True if Enter was pressed meanwhile: the cursor has left the line of the question."""
        return bool(select.select([self.fd], [], [], 0)[0])

    def _typed(self, timeout_s):
        """A line of the terminal, None if there is none within timeout_s. Raises Lost, Left."""
        readable = self.session.turn(timeout_s, self.fd)
        interrupts = self.session.interrupts
        if interrupts.gone:
            raise Lost(interrupts.cause)
        if interrupts.take():
            raise Left
        if not readable:
            return None
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            raise Lost from None
        if not data:
            raise Left  # Ctrl-D; a terminal that has gone sends SIGHUP too, or answers with an error
        text = data.decode("utf-8", "replace")
        return "".join(c for c in text if c.isprintable()).strip()


def _yes_or_no(text):
    word = text.lower()
    if word in ("y", "yes"):
        return True
    if word in ("n", "no"):
        return False
    raise ValueError("Please type yes or no.")
