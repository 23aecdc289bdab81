"""The faults of the table: what happens, and what is promised of it. Data only; `bench.py` runs them.

Times are from the fault to the last falling edge of any leg. A promise is one of
  off      output ends within bound_ms, in the manner said, and the board latches one of `names`
  on       output goes on, every period exact
  either   one of the two
"""

import random
from dataclasses import dataclass

from mpremote_wire import mpremote
from rheocore import frames

MOMENTS = ("leg_a", "gap", "rest")
RATES_HZ = (2, 100, 400)
SEEDS = range(50)

LEASE_MS = 200  # lease of 100 ms, five items beyond it
PASS_MS = 30  # two passes of the loop, and a collection between them
WORDS_MS = 150  # random words: found by the time they take, two items after the fact at the latest


@dataclass(frozen=True)
class Fault:
    """One fault. what: events of rheobase.emulator.faults without their `when`; the first one is at the moment, the
    rest `later_ms` after it. host: what the host does instead or besides, f(dut, rng). bound_ms: None for `on`.
    names: what the board may latch. balanced: True: the last pulse is whole; False: it may be cut. after: how to reach
    the board afterwards: None, "reset", "soft_reset", "reconnect". counts: pulses reported equal the pins.
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
    moments: tuple = MOMENTS
    rates_hz: tuple = RATES_HZ
    seeds: tuple = (None,)
    later_ms: float = 0
    watch_ms: float = 600
    before: str | None = None  # "paused": the session is paused first; "time_over": it has 1.5 s to run
    gate: bool = True  # the legs are forced low afterwards


def on(ident, **more):
    return Fault(ident, promise="on", bound_ms=None, **more)


def python(source):
    return ({"python": source},)


def patch(method, body):
    """Statements that put `body` (of a method with self and now, old(self, now) the original) in place in the loop."""
    lines = "\n".join("    " + line for line in body.split("\n"))
    return python(
        f"from rheorp2 import app\nold = app.App.{method}\ndef new(self, now):\n{lines}\napp.App.{method} = new\n"
    )


def corrupt(assignment):
    """An attribute of the session is overwritten once, in the next pass of the loop."""
    return patch("measure", f"self.session.{assignment}\napp.App.measure = old")


def silent(ms):
    """The host sends nothing for so long."""

    def act(dut, rng):
        dut.alive = False
        dut.board.at(dut.board.now_ns + ms * 1_000_000, lambda: setattr(dut, "alive", True))

    return act


def flood_of_requests(dut, rng):
    for _ in range(150):
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


def words(where, **more):
    return Fault(
        f"{where}-random",
        what=({"random": {"where": where, **({"words": 1} if where == "program" else {})}},),
        promise="either",
        bound_ms=WORDS_MS,
        names=("clock", "internal", "underrun", "starved", "self_test"),
        balanced=False,
        counts=False,
        moments=("rest",),
        rates_hz=(100,),
        seeds=tuple(SEEDS),
        **more,
    )


ONCE = {"moments": ("rest",), "rates_hz": (100,)}
LOOP = {"bound_ms": PASS_MS, "balanced": False, "counts": False}  # found by the next pass of the loop
GUARD = {"bound_ms": 0.00004, "balanced": False, "names": ("interlock_open",)}  # 5 clocks
LOST = {"bound_ms": 1200, "names": ("host_lost",), "watch_ms": 1600}
SENSE = {"bound_ms": 50, "period_counts": True}
REPL = {"bound_ms": 10, "balanced": False, "names": ("host_break",), "after": "soft_reset"}
ENDLESS = {f"0x{0x50000000 + 0x40 * i + 0x1C:x}": 0x0FFFFFFF for i in range(2)}  # DMA of channels 1 and 2 never ends
NO_DOG = {"0x4005b000": 1 << 30}

FAULTS = (
    # interlock: in hardware, 5 clocks
    Fault("interlock-open", ({"interlock": "open"},), bound_ms=0.0001, names=("interlock_open",), balanced=False),
    Fault(
        "interlock-floating", ({"interlock": "floating"},), bound_ms=0.0001, names=("interlock_open",), balanced=False
    ),
    Fault(
        "interlock-chatter-1khz",
        ({"interlock": {"chatter_hz": 1000, "for_ms": 50}},),
        bound_ms=0.0001,
        names=("interlock_open",),
        balanced=False,
    ),
    Fault(
        "interlock-open-paused",
        ({"interlock": "open"},),
        bound_ms=0,
        names=("interlock_open",),
        before="paused",
        moments=("rest",),
    ),
    # the main loop
    Fault("loop-hung", ({"cpu": "hang"},), names=("watchdog",), after="reset"),
    Fault("cpu-dead", ({"cpu": "dead"},), names=("watchdog",), after="reset"),
    Fault("stall-700ms", ({"cpu": "hang", "for_ms": 700},), names=("underrun",), watch_ms=1200),
    Fault("flash-erase-400ms", ({"cpu": "dead", "for_ms": 400},), names=("underrun",), watch_ms=900),
    Fault("exception-in-loop", patch("measure", "raise ValueError"), names=("reset",), after="reset", balanced=False),
    on("exception-in-handler", what=python("raise ValueError")),
    Fault(
        "memory-error",
        python(
            "hog = []\nn = 4096\nwhile n > 8:\n    try:\n        hog.append(bytearray(n))\n"
            "    except MemoryError:\n        n //= 2\n"
        ),
        names=("reset",),
        after="reset",
        balanced=False,
        watch_ms=900,
    ),
    Fault(
        "collection-storm",
        python("import gc, machine\nT = machine.Timer(period=5, callback=lambda t: gc.collect())"),
        promise="either",
        names=("underrun",),
    ),
    Fault("machine-reset", python("import machine\nmachine.reset()"), names=("reset",), after="reset", balanced=False),
    Fault(
        "watchdog-expiry",
        ({"cpu": "dead", "poke": ENDLESS},),
        bound_ms=2050,
        names=("watchdog",),
        after="reset",
        balanced=False,
    ),
    Fault(
        "time-over-cpu-dead",
        ({"cpu": "dead", "poke": {**ENDLESS, **NO_DOG}},),
        bound_ms=1500 + 252,
        names=(None,),
        before="time_over",
        watch_ms=2500,
        after="dead",
        gate=False,
    ),
    # the REPL and mpremote
    Fault("ctrl-c", ({"send": "\x03"},), **REPL),
    on("ctrl-d", what=({"send": "\x04"},)),
    Fault("mpremote-connect", host=mpremote_connect, **REPL),
    Fault("mpremote-exec", host=mpremote_exec, **REPL),
    Fault("mpremote-soft-reset", host=mpremote_soft_reset, **REPL),
    Fault("mpremote-reset", host=mpremote_reset, **{**REPL, "names": ("reset", "host_break"), "after": "reset"}),
    # the host
    Fault(
        "host-killed", ({"usb": "closed"},), bound_ms=HOST_MS, names=("host_lost",), after="reconnect", watch_ms=1500
    ),
    Fault(
        "usb-unplugged", ({"usb": "unplugged"},), bound_ms=HOST_MS, names=("host_lost",), after="replug", watch_ms=1500
    ),
    on("host-stops-reading", what=({"draining": False},), after="drain"),
    on("keep-alive-late-800ms", host=silent(800), watch_ms=1200),
    Fault("keep-alive-late-1100ms", host=silent(1100), **LOST),
    Fault("second-host", host=second_host, **LOST),
    on("flood-requests", host=flood_of_requests),
    Fault(
        "flood-garbage", host=flood_of_garbage, promise="either", bound_ms=HOST_MS, names=("host_lost",), watch_ms=1600
    ),
    Fault("stop-then-start", host=stop_then_start, bound_ms=10, names=("stop_command",)),
    Fault("start-then-stop", host=start_then_stop, bound_ms=10, names=("stop_command",)),
    # electrodes and supply
    Fault("electrode-open", ({"load": {"1": "open"}},), bound_ms=50, period_counts=True, names=("electrode_open",)),
    Fault(
        "electrode-short",
        ({"load": {"1": "short"}},),
        bound_ms=50,
        period_counts=True,
        names=("electrode_short",),
    ),
    Fault(
        "electrode-intermittent",
        ({"load": {"1": "open"}}, {"load": {"1": "1000"}}),
        later_ms=60,
        bound_ms=50,
        names=("electrode_open",),
        rates_hz=(100, 400),
    ),
    Fault("readback-wrong", ({"gain": {"1": 1.5}},), names=("amplitude_error",), **SENSE),
    Fault("supply-low", ({"supply_mv": 5000},), bound_ms=50, names=("supply_low",)),
    # the machine itself
    Fault("clock-changed", python("import machine\nmachine.freq(48000000)"), names=("clock",), **LOOP),
    Fault("divider-overwritten", ({"poke": {"0x502000c8": 60 << 16}},), names=("internal",), **LOOP),
    Fault("guard-stopped", ({"poke": {"0x50203000": 8}},), names=("internal",), **LOOP),
    Fault("dma-read-overwritten", ({"poke": {"0x50000000": 0x20040100}},), names=("internal",), **LOOP),
    Fault("dma-write-overwritten", ({"poke": {"0x50000004": 0x20040800}},), names=("internal",), **LOOP),
    Fault("dma-stopped", ({"poke": {"0x50003010": 1}},), promise="either", names=("starved", "internal"), **LOOP),
    Fault("cutoff-stopped", ({"poke": {"0x50000444": 0x10}},), names=("internal",), **LOOP),
    Fault("leg-taken-by-pin", python("from machine import Pin\nPin(2, Pin.OUT, value=1)"), names=("internal",), **LOOP),
    Fault("leg-forced-high", ({"poke": {"0x40014014": 0x306}},), names=("internal",), **LOOP),
    Fault(
        "session-state-lost",
        patch("measure", "self.session.state = 'idle'\napp.App.measure = old"),
        names=("internal",),
        watch_ms=1300,
    ),
    Fault(
        "session-state-garbage",
        patch("measure", "self.session.state = 'rum'\napp.App.measure = old"),
        names=("internal", "reset"),
        balanced=False,
        watch_ms=1300,
    ),
    Fault(
        "amplitude-corrupted",
        patch("measure", "self.session.channels[1].target_ua = 45000\napp.App.measure = old"),
        names=("internal",),
        bound_ms=2 * PASS_MS,
        balanced=False,
    ),
    words("ring"),
    words("fifo"),
    words("program"),
)


def rng_of(fault, seed):
    return random.Random(f"{fault.id} {seed}")
