"""What is run: makers of pulses, trains, conditions, ways to hang. Data only."""

from dataclasses import dataclass
from pathlib import Path

DEVICE = Path(__file__).parent / "device"
RHEOBASE = "Rheobase"
COLLECT_MS = 36.18  # in the golden ratio to 10 ms, so that collections and lines soon fall everywhere in a period
LINE_MS = 6.18
WATCHDOG_MS = 1000
HANG_AFTER_MS = 300
HANG_SECONDS = 3


@dataclass(frozen=True)
class Train:
    """Times in us; `pulses` in every `cycle` periods. seconds: how long it is looked at, simulated."""

    name: str
    period_us: int
    width_us: int
    gap_us: int
    pulses: int = 1
    cycle: int = 1
    seconds: int = 2


@dataclass(frozen=True)
class Maker:
    """A way to make pulses.

    scripts: the device files behind common.py, none for Rheobase; glue: a line before the last.
    hard: needs timers that call back from the interrupt.
    """

    name: str
    what: str
    scripts: tuple = ()
    glue: str = ""
    hard: bool = False


TRAINS = (
    Train("100 Hz", 10_000, 200, 50),
    Train("400 Hz", 2_500, 100, 50, seconds=1),
    Train("bursts", 10_000, 200, 50, pulses=5, cycle=20),
)
CONDITIONS = ("idle", "garbage", "USB")
MAKERS = (
    Maker(
        "Timer",
        "`machine.Timer`, periodic, soft; its callback makes a pulse with `Pin.on`, `Pin.off` and `sleep_us`",
        ("plain_pulse", "timer"),
        "pulse = plain_pulse",
    ),
    Maker(
        "Timer, viper",
        "the same, and the pulse in viper on the pins' registers, with interrupts off while it lasts",
        ("viper_pulse", "timer"),
        "pulse = viper_pulse",
    ),
    Maker(
        "Timer, hard, viper",
        "the same with `hard=True`: the callback runs in the interrupt",
        ("viper_pulse", "timer"),
        "pulse = viper_pulse",
        hard=True,
    ),
    Maker(
        "loop",
        "a Python loop with `sleep_us` for the phases and `ticks_us` deadlines for the period",
        ("plain_pulse", "loop"),
        "pulse = plain_pulse",
    ),
    Maker(
        "loop, viper",
        "the same loop, and the pulse in viper as above",
        ("viper_pulse", "loop"),
        "pulse = viper_pulse",
    ),
    Maker(
        "PWM",
        "two PWM slices, B's counter behind A's, run by themselves; for bursts a soft timer's callback opens and "
        "closes them by their double-buffered compare values, between pulses only",
        ("pwm",),
    ),
    Maker(RHEOBASE, "this firmware over its own link, a host that acknowledges its telemetry (10 Hz) beside it"),
)
HANGS = {
    "waits": "the program waits for ever for an answer that never comes, in a loop of Python",
    "hangs": "the program stands still 20 µs after leg A has risen; interrupts are served",
    "locks up": "the core locks up 20 µs after leg A has risen, as after a fault in C or viper code, whatever it did",
}


def maker_of(name):
    """The Maker of that name."""
    return next(maker for maker in MAKERS if maker.name == name)


def script(maker, train, collect=False, watchdog=False):
    """The Python that makes `train` on the board in the manner of `maker`."""
    numbers = {
        "PERIOD": train.period_us,
        "WIDTH": train.width_us,
        "GAP": train.gap_us,
        "PULSES": train.pulses,
        "CYCLE": train.cycle,
        "COLLECT_US": round(COLLECT_MS * 1000) if collect else 0,
        "WATCHDOG_MS": WATCHDOG_MS if watchdog else 0,
        "HARD": int(maker.hard),
    }
    parts = ["".join(f"{name} = {value}\n" for name, value in numbers.items()), _text("common")]
    parts += [_text(name) for name in maker.scripts[:-1]]
    return "\n".join([*parts, maker.glue, _text(maker.scripts[-1])])


def _text(name):
    return (DEVICE / f"{name}.py").read_text(encoding="utf-8")
