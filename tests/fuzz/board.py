"""The real image under fire, in simulated time: lines into its USB port; what must hold on the wire and at the pins."""

from dut import MS, Dut, Refusal
from fuzz.drive import Fire
from rheocore import frames, messages

LONGEST = 2600  # bytes of a mutant: one that is too long for the board is long enough
ANSWER_MS = 400  # for a line; a parse of one full of brackets takes some 40
MAX_UA = 10_000  # of every session in the corpus


class Target(Dut):
    """The board, and what it says counted. armed: how often it told so. tokens: those that it gave."""

    def __init__(self, image_bin):
        self.answers = 0
        self.tokens = set()
        super().__init__(image_bin)

    def _take(self, t_ns, line):
        super()._take(t_ns, line)
        message, error = frames.decode(line)
        if error is None and "method" not in message:
            self.answers += 1
            result = message.get("result")
            if isinstance(result, dict) and "token" in result:
                self.token = result["token"]
                self.tokens.add(self.token)

    @property
    def armed(self):
        return sum(event[2:] == ["state", "armed"] for event in self.events)

    def fire(self, data):
        """Send bytes without Ctrl-C and wait for an answer to every line that must have one; True if they came."""
        data = data[:LONGEST].replace(b"\x03", b"\x02") + b"\n"
        wanted = self.answers + sum(map(wants_answer, data.split(b"\n")))
        self.board.send(data)
        return self.board.run_until(lambda: self.answers >= wanted, ANSWER_MS * MS)


def wants_answer(line):
    """Whether the board owes an answer to this line: to all but a notification."""
    line = line.rstrip(b"\r")
    if not line:
        return False
    message, error = frames.decode(line) if len(line) < messages.MAX_LINE else (None, "too_long")
    if error or "id" in message or message.get("jsonrpc") != "2.0":
        return True
    return not isinstance(message.get("method"), str)


def fire(image_bin, count, seed, note=lambda number, mutant: None):
    """So many mutants; returns the counts. note(number, mutant) is told each, so that a failure has its cause."""
    dut, shots = Target(image_bin), Fire(seed)
    counts = {"answers": 0, "unanswered": 0, "live": 0, "faults": 0}
    unanswered = []
    resets = dut.board.engine.resets
    try:
        dut.greet()
        for number in range(count):
            shots.token = dut.token
            valid, mutant, ms = shots.shot()
            note(number, mutant)
            for data in (valid, mutant):
                if data and not dut.fire(data):
                    unanswered.append(data)
            counts["live"] += bool(dut.telemetry) and dut.telemetry[-1]["state"] in messages.LIVE
            if ms:
                dut.run_ms(ms)
            assert dut.board.engine.resets == resets, "the app ended: the board was reset"
            assert not any(b"Traceback" in line or b">>>" in line for line in dut.noise), dut.noise[-5:]
        dut.run_ms(1500)
        counts.update(answers=dut.answers, unanswered=len(unanswered))
        counts["faults"] = sum(event[2] == "fault" for event in dut.events)
        judge(dut)
        # Neither answered nor counted is none: MicroPython may take {1:2} as a notification where CPython sees no JSON.
        counts["counted"] = dut.call("result")["bad_lines"]
        assert len(unanswered) <= counts["counted"]["rejected"], unanswered
    finally:
        dut.board.close()
    return counts


def judge(dut):
    """After it all: nothing ran twice, nothing unbalanced or too strong came out, and a session runs as ever."""
    assert dut.armed == len(dut.tokens), f"armed {dut.armed} times for {len(dut.tokens)} answers"
    assert max((setpoint[2] for setpoint in dut.board.setpoints), default=0) <= MAX_UA * 1.01
    for train in dut.trains().values():
        assert not train.overlaps and not train.truncated
        assert all(pulse.a_ns == pulse.b_ns for pulse in train.pulses)
    dut.replies.clear()
    dut.greet()
    dut.call("stop")
    try:
        dut.call("clear_fault")
    except Refusal as refusal:
        raise AssertionError(refusal.args) from None
    three = {n: {"duration_ms": 1500} for n in (1, 2, 3)}
    before = {n: len(train.pulses) for n, train in dut.trains().items()}
    dut.load(three)
    dut.events.clear()
    dut.start()
    result = dut.run_to_end()
    assert result["stop_reason"] == "time_over", result
    for n, train in dut.trains().items():
        assert len(train.pulses) - before.get(n, 0) == result["channels"][str(n)]["pulses"] == 150
