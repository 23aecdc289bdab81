"""The faults of the table: what happens, and what is promised of it. Data only; `bench.py` runs them.

Times are from the fault to the last falling edge of any leg. A promise is one of
  off      output ends within bound_ms, in the manner said, and the board latches one of `names`
  on       output goes on, every period exact
  either   one of the two
"""

import random
from dataclasses import dataclass
from itertools import pairwise

from mpremote_wire import mpremote
from rheocore import frames

MOMENTS = ("leg_a", "gap", "rest")
RATES_HZ = (2, 100, 400)
SEEDS = range(50)

LEASE_MS = 200  # lease of 100 ms, five items beyond it
PASS_MS = 30  # two passes of the loop, and a collection between them
REQUESTS = 150
ERASE_MS = 45  # a sector of the flash, typically; the emulated one takes no time, so the core stands still for it
DMA_CTRL = 0x50000010
FIFO_MS = 197  # four words of at most 20.062 ms, and the lease (tests/pio/test_pio_random.py)


@dataclass(frozen=True)
class Fault:
    """One fault. what: events of rheobase.emulator.faults without their `when`; the first one is at the moment, the
    rest `later_ms` after it. host: what the host does instead or besides, f(dut, rng). bound_ms: None for `on`.
    names: what the board may latch. balanced: True: the last pulse is whole; False: it may be cut. after: how to reach
    the board afterwards: None, "reset", "soft_reset", "reconnect". counts: pulses reported equal the pins.
    shape: pulses keep their caps until output is off. foreign: measured to the last pulse that nobody asked for.
    """

    id: str
    what: tuple = ()
    host: object = None
    promise: str = "off"
    bound_ms: float | None = LEASE_MS
    period_counts: bool = False  # the bound is one period where that is longer
    names: tuple = ()
    balanced: bool = True
    after: str | None = None
    counts: bool = True
    shape: bool = True
    foreign: bool = False
    moments: tuple = MOMENTS
    rates_hz: tuple = RATES_HZ
    seeds: tuple = (None,)
    later_ms: float = 0
    watch_ms: float = 600
    shown: object = None  # shown(dut, t_ns): whether it has been there; for what output survives, which shows nothing
    before: str | None = None  # "paused": the session is paused first; "time_over": it lasts 1.5 s


def on(ident, **more):
    return Fault(ident, promise="on", bound_ms=None, **more)


def refused(dut, t_ns):
    """The board has told of a line that it did not take."""
    return None in dut.replies


def told_so(word):
    """What the board printed has this word."""
    return lambda dut, t_ns: word in b"".join(dut.noise)


def unread(dut, t_ns):
    """Telemetry is missing for half a second."""
    told_us = [item["dev_us"] for item in dut.telemetry]
    return max(b - a for a, b in pairwise(told_us)) > 500_000


def unacknowledged(dut, t_ns):
    heard = [t for t in dut.acked_ns if t < t_ns][-1:] + [t for t in dut.acked_ns if t >= t_ns]
    return max(b - a for a, b in pairwise(heard)) >= 800_000_000


def all_answered(dut, t_ns):
    return sum(t >= t_ns for t in dut.times.values()) >= REQUESTS


def collected(dut, t_ns):
    """STORM counts its collections in a scratch register of the watchdog."""
    return dut.board.peek(SCRATCH_3) > 20


def python(source):
    return ({"python": source},)


def patched(method, body):
    """Statements that put `body` (of a method with self and now, old(self, now) the original) in place in the loop."""
    lines = "\n".join("    " + line for line in body.split("\n"))
    return f"from rheorp2 import app\nold = app.App.{method}\ndef new(self, now):\n{lines}\napp.App.{method} = new\n"


def patch(method, body):
    return python(patched(method, body))


def corrupt(assignment):
    """An attribute of the session is overwritten once, in the next pass of the loop."""
    return patch("measure", f"self.session.{assignment}\napp.App.measure = old")


def silent(ms):
    """The host sends nothing for so long."""

    def act(dut, rng):
        dut.alive = False
        dut.board.at(dut.board.now_ns + ms * 1_000_000, lambda: setattr(dut, "alive", True))

    return act


def dma_stands(dut, rng):
    """Nothing else: the poke has stopped the DMA of channel 1, until the next renewal."""
    assert not dut.board.peek(DMA_CTRL) & 1, "its DMA goes on"


def flood_of_requests(dut, rng):
    for _ in range(REQUESTS):
        dut.post("status")


def flood_of_garbage(dut, rng):
    """Bytes of every value but Ctrl-C."""
    dut.board.send(bytes(rng.choice([b for b in range(256) if b != 3]) for _ in range(12_000)) + b"\n")


def second_host(dut, rng):
    """The owner dies; another host goes on acknowledging, with tokens that it has not."""
    dut.alive = False

    def ack():
        for token in (0, None, dut.token + 1):
            dut.board.send(frames.encode({"jsonrpc": "2.0", "method": "ack", "params": [-1, token]}))
        dut.board.at(dut.board.now_ns + 200_000_000, ack)

    ack()


def stop_then_start(dut, rng):
    dut.post("stop")
    dut.post("start", token=dut.token)


def start_then_stop(dut, rng):
    dut.post("start", token=dut.token)
    dut.post("stop")


def mpremote_connect(dut, rng):
    dut.alive = False
    mpremote(dut.board).enter_raw_repl(soft_reset=False)


def mpremote_exec(dut, rng):
    dut.alive = False
    transport = mpremote(dut.board)
    transport.enter_raw_repl(soft_reset=True)
    assert transport.exec("print(6 * 7)").strip() == b"42"


def mpremote_soft_reset(dut, rng):
    dut.alive = False
    mpremote(dut.board).enter_raw_repl(soft_reset=True)


def mpremote_reset(dut, rng):
    dut.alive = False
    transport = mpremote(dut.board)
    transport.enter_raw_repl(soft_reset=False)
    transport.exec_raw_no_follow("import machine; machine.reset()")


def words(where, bound_ms, **more):
    """Random words; ended or not, what they do is over within bound_ms."""
    return Fault(
        f"{where}-random",
        ({"random": {"where": where, **more}},),
        promise="either",
        bound_ms=bound_ms,
        names=("clock", "internal", "underrun", "starved", "interlock_open"),
        balanced=False,
        counts=False,
        shape=where != "program",
        foreign=True,
        moments=("rest",),
        rates_hz=(100,),
        seeds=tuple(SEEDS),
    )


GUARD = {"bound_ms": 0.00004, "balanced": False, "names": ("interlock_open",)}  # 5 clocks
DOG = {"names": ("watchdog",), "after": "reset"}
OURS = {"names": ("internal", "reset"), "after": "reset", "balanced": False}  # reset: too little memory to say so
RESET = {"names": ("reset",), "after": "reset", "balanced": False}
REPL = {"bound_ms": 10, "balanced": False, "names": ("host_break",), "after": "soft_reset"}
LOST = {"bound_ms": 1200, "names": ("host_lost",), "watch_ms": 1600}
STOP = {"bound_ms": 15, "names": ("stop_command",)}  # 10 ms, and a collection of 4 that may come in between
SENSE = {"bound_ms": 50, "period_counts": True}  # or one period and a pass of the loop, where that is longer
LOOP = {"bound_ms": PASS_MS, "balanced": False, "counts": False, "shape": False, "names": ("internal",)}  # next pass
ENDLESS = {f"0x{0x50000000 + 0x40 * i + 0x1C:x}": 0x0FFFFFFF for i in range(2)}  # DMA of channels 1 and 2 never ends
NO_DOG = {"0x4005b000": 1 << 30}
CHATTER = {"chatter_hz": 1000, "for_ms": 50}
SCRATCH_3 = 0x40058018  # of the watchdog; nobody's
STORM = f"""import gc, machine
def storm(t):
    gc.collect()
    machine.mem32[{SCRATCH_3}] += 1
machine.mem32[{SCRATCH_3}] = 0
T = machine.Timer(period=20, callback=storm)"""
LEAK = "hog.append(bytearray(30000))\nold(self, now)"

FAULTS = (
    # interlock: in hardware
    Fault("interlock-open", ({"interlock": "open"},), **GUARD),
    Fault("interlock-floating", ({"interlock": "floating"},), **GUARD),
    Fault("interlock-chatter-1khz", ({"interlock": CHATTER},), **GUARD),
    Fault("interlock-open-paused", ({"interlock": "open"},), before="paused", moments=("rest",), **GUARD),
    # the main loop
    Fault("loop-hung", ({"cpu": "hang"},), **DOG),
    Fault("cpu-dead", ({"cpu": "dead"},), **DOG),
    Fault("stall-700ms", ({"cpu": "hang", "for_ms": 700},), names=("underrun",), watch_ms=1200),
    Fault("flash-erase-400ms", ({"cpu": "dead", "for_ms": 400},), names=("underrun",), watch_ms=900),
    on(
        "flash-erase",
        what=({"cpu": "dead", "for_ms": ERASE_MS, "python": "import rp2\nrp2.Flash().ioctl(6, 300)"},),
    ),
    Fault("exception-in-loop", patch("measure", "raise ValueError"), bound_ms=PASS_MS, **OURS),
    on("exception-in-handler", what=python("raise ValueError"), shown=told_so(b"ValueError")),
    Fault("memory-leak", python(f"hog = []\n{patched('measure', LEAK)}"), bound_ms=400, watch_ms=800, **OURS),
    Fault("memory-gone", python("import micropython\nmicropython.heap_lock()"), bound_ms=PASS_MS, **OURS),
    on("collection-storm", what=python(STORM), shown=collected),
    Fault("machine-reset", python("import machine\nmachine.reset()"), bound_ms=5, **RESET),
    Fault("watchdog-expiry", ({"cpu": "dead", "poke": ENDLESS},), bound_ms=2050, balanced=False, **DOG),
    Fault(
        "time-over-cpu-dead",
        ({"cpu": "dead", "poke": {**ENDLESS, **NO_DOG}},),
        names=(None,),
        before="time_over",
        watch_ms=2500,
        after="dead",
    ),
    # the REPL and mpremote
    Fault("ctrl-c", ({"send": "\x03"},), **REPL),
    on("ctrl-d", what=({"send": "\x04"},), shown=refused),
    Fault("mpremote-connect", host=mpremote_connect, **REPL),
    Fault("mpremote-exec", host=mpremote_exec, **REPL),
    Fault("mpremote-soft-reset", host=mpremote_soft_reset, **REPL),
    Fault("mpremote-reset", host=mpremote_reset, **{**REPL, "after": "reset"}),
    # the host
    Fault("host-killed", ({"usb": "closed"},), after="reconnect", **LOST),
    Fault("usb-unplugged", ({"usb": "unplugged"},), after="replug", **LOST),
    on("host-stops-reading", what=({"draining": False},), after="drain", shown=unread),
    on("keep-alive-late-800ms", host=silent(800), watch_ms=1200, shown=unacknowledged),
    Fault("keep-alive-late-1100ms", host=silent(1100), **LOST),
    Fault("second-host", host=second_host, **LOST),
    on("flood-requests", host=flood_of_requests, shown=all_answered),
    Fault("flood-garbage", host=flood_of_garbage, promise="either", shown=refused, **LOST),
    Fault("stop-then-start", host=stop_then_start, **STOP),
    Fault("start-then-stop", host=start_then_stop, **{**STOP, "bound_ms": 20}),  # one request is answered before it
    # electrodes and supply
    Fault("electrode-open", ({"load": {"1": "open"}},), names=("electrode_open",), **SENSE),
    Fault("electrode-short", ({"load": {"1": "short"}},), names=("electrode_short",), **SENSE),
    Fault(
        "electrode-intermittent",
        ({"load": {"1": "open"}}, {"load": {"1": "1000"}}),
        later_ms=60,
        names=("electrode_open",),
        rates_hz=(100, 400),
        **SENSE,
    ),
    Fault("readback-wrong", ({"gain": {"1": 1.5}},), names=("amplitude_error",), **SENSE),
    Fault("supply-low", ({"supply_mv": 5000},), bound_ms=250, names=("supply_low",)),
    # the machine itself
    Fault("clock-changed", python("import machine\nmachine.freq(48000000)"), **{**LOOP, "names": ("clock",)}),
    Fault("divider-overwritten", ({"poke": {"0x502000c8": 60 << 16}},), **LOOP),
    Fault("machine-stopped", ({"poke": {"0x50203000": 1}},), **LOOP),
    Fault("leg-raised-on-idle-channel", ({"poke": {"0x50200108": 0xB842}},), **LOOP),
    Fault("guard-stopped", ({"poke": {"0x50203000": 8}},), **LOOP),
    Fault(
        "dma-read-overwritten", ({"poke": {"0x50000000": 0x20040100}},), **{**LOOP, "names": ("internal", "underrun")}
    ),
    Fault("dma-write-overwritten", ({"poke": {"0x50000004": 0x20040800}},), **LOOP),
    # the next renewal starts it again
    on("dma-stopped", what=({"poke": {"0x50003010": 1}},), host=dma_stands, rates_hz=(2, 100)),
    Fault(  # four words in the FIFO last 10 ms, and a renewal comes every 20 ms
        "dma-stopped-400hz",
        ({"poke": {"0x50003010": 1}},),
        host=dma_stands,
        promise="either",
        names=("underrun",),
        rates_hz=(400,),
    ),
    Fault("cutoff-stopped", ({"poke": {"0x50000444": 0x10}},), **LOOP),
    Fault("leg-taken-by-pin", python("from machine import Pin\nPin(2, Pin.OUT, value=1)"), **LOOP),
    Fault("leg-forced-high", ({"poke": {"0x40014014": 0x306}},), **LOOP),
    Fault("session-state-lost", corrupt("state = 'idle'"), names=("internal",), watch_ms=1300),
    Fault("session-state-garbage", corrupt("state = 'rum'"), bound_ms=PASS_MS, **OURS),
    Fault(
        "amplitude-corrupted",
        corrupt("channels[1].target_ua = 45000"),
        balanced=False,
        bound_ms=2 * PASS_MS,
        names=("internal",),
    ),
    words("ring", 4 * 21),  # those in the FIFO; the loop finds the rest before they are played
    words("fifo", FIFO_MS),
    words("program", 2 * PASS_MS, words=1),
)

SHOWS = {  # the requirement of docs/safety/requirements.toml that each fault is a test of
    "REQ-003": ("ring-random", "fifo-random", "program-random"),
    "REQ-010": ("interlock-open", "interlock-chatter-1khz"),
    "REQ-011": ("interlock-floating",),
    "REQ-012": ("interlock-open-paused",),
    "REQ-014": ("loop-hung", "cpu-dead", "stall-700ms", "flash-erase-400ms", "dma-stopped", "dma-stopped-400hz"),
    "REQ-015": ("time-over-cpu-dead",),
    "REQ-016": ("cutoff-stopped",),
    "REQ-017": ("watchdog-expiry",),
    "REQ-018": ("machine-reset",),
    "REQ-020": ("stop-then-start", "start-then-stop"),
    "REQ-021": ("host-killed", "usb-unplugged", "keep-alive-late-800ms", "keep-alive-late-1100ms"),
    "REQ-024": ("ctrl-c", "ctrl-d", "mpremote-connect", "mpremote-exec", "mpremote-soft-reset", "mpremote-reset"),
    "REQ-043": (
        *("clock-changed", "divider-overwritten", "machine-stopped", "leg-raised-on-idle-channel", "guard-stopped"),
        *("dma-read-overwritten", "dma-write-overwritten", "leg-taken-by-pin", "leg-forced-high"),
    ),
    "REQ-044": (
        *("exception-in-loop", "exception-in-handler", "memory-leak", "memory-gone", "collection-storm"),
        "flash-erase",
    ),
    "REQ-045": ("session-state-lost", "session-state-garbage", "amplitude-corrupted"),
    "REQ-052": ("electrode-open", "electrode-short", "electrode-intermittent", "readback-wrong"),
    "REQ-053": ("supply-low",),
    "REQ-081": ("second-host",),
    "REQ-083": ("host-stops-reading", "flood-requests", "flood-garbage"),
}


def shown_by(fault):
    """Id of the requirement that a fault is a test of."""
    return next(requirement for requirement, faults in SHOWS.items() if fault.id in faults)


def rng_of(fault, seed):
    return random.Random(f"{fault.id} {seed}")
