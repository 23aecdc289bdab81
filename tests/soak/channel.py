"""One channel of a soak: the pulse in play, its set-point, what it has delivered. Judges nothing."""

from collections import deque
from dataclasses import dataclass, field

from soak.train import Stretch


@dataclass
class Channel:
    """One channel on the pins: the pulse in play, and what it has delivered since `configure`."""

    n: int
    stretch: Stretch | None = None
    legs: dict = field(default_factory=lambda: {"A": 0, "B": 0})
    stage: str = "rest"  # or "a", "gap", "b"
    width_us: int = 0
    rose_ns: int = 0
    at_ns: int = 0  # last edge
    whole: int = 0
    cut: int = 0
    ua: float = 0.0
    target_ua: int = 0
    before_ua: tuple = (0, 0)  # lowest and highest target since the set-point stood at one
    changed_ns: int = 0  # of the target
    asked_ua: int | None = None  # a change that is not answered yet
    least_pc: int = 0  # charge of one phase, summed: at least, at most
    most_pc: int = 0
    recent: deque = field(default_factory=deque)  # [t_ns, width_us, least_ua, most_ua] not settled yet
    points: deque = field(default_factory=lambda: deque([(0, 0.0)], maxlen=32))  # (t_ns, set-point) lately
    rises: deque = field(default_factory=lambda: deque(maxlen=512))  # (t_ns, most pC) of the last pulses
    order: tuple | None = None  # what `configure` asked for, or what is left of it
    begun: bool = False  # started in this session

    def tally(self, before_ns):
        """Settle the charge of the pulses that began before then."""
        while self.recent and self.recent[0][0] < before_ns:
            _t, width_us, least_ua, most_ua = self.recent.popleft()
            self.least_pc += int(least_ua * width_us)
            self.most_pc += -int(-most_ua * width_us // 1)

    def since(self, t_ns):
        """(pulses, most charge in pC) of those that began at t_ns or later, within the last 512."""
        late = [pc for rose_ns, pc in self.rises if rose_ns >= t_ns]
        return len(late), sum(late)

    def charge_pc(self):
        """(at least, at most) of all pulses so far."""
        least = sum(int(least * width) for _t, width, least, _most in self.recent)
        most = sum(-int(-most * width // 1) for _t, width, _least, most in self.recent)
        return self.least_pc + least, self.most_pc + most
