"""The same vectors on CPython and on MicroPython: prints one line each, judges nothing. test_vectors.py compares.

usage: vectors.py FIRMWARE_LIB BOARD_FOLDER TESTS_FOLDER
What a dict's order, a float's digits or a byte beyond ASCII in JSON look like differs between the two by design: such
things are printed sorted, as integers, or after a round trip. (One more known difference, not in here: MicroPython's
json takes a number as an object's key.)
"""

import binascii
import sys
from array import array

sys.path[:0] = sys.argv[1:4]

from configs import ALTERNATING, BASE, BURST, MODULATED, but  # noqa: E402
from core.fakes import Bench  # noqa: E402
from rheo_board import BOARD  # noqa: E402
from rheocore import calibration, config, electrode, faults, feeder, frames, items, limits, messages, stress  # noqa: E402
from rheocore.envelope import Envelope, max_step_ua, slew  # noqa: E402
from rheocore.plan import Plan  # noqa: E402
from rheocore.server import Server  # noqa: E402
from rheocore.session import Session  # noqa: E402


class Dice:
    """Random numbers that are the same everywhere: a 31-bit linear congruence, its high bits taken."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n

    def between(self, low, high):
        return low + self.below(high - low + 1)


HOUR_MS = 3600000  # 3.6e9 us: above 2**30, 2**31 and 2**32 - 2**29


def say(name, *values):
    print(name, " ".join([str(value) for value in values]))


def crc(data, before=0):
    return binascii.crc32(data, before)


def refusal(cfg):
    """The configuration's refusal in one text, or "accepted"."""
    try:
        config.check(cfg)
    except config.ConfigError as error:
        return "|".join([str(part) for part in error.args])
    return "accepted"


def played(plan):
    """(items, pulses, sum of durations, CRC over all words) of a plan."""
    halves = array("H", [0, 0])
    count = pulses = total_us = hashed = 0
    while plan.next():
        halves[0] = plan.lo
        halves[1] = plan.hi
        hashed = crc(bytes(halves), hashed)
        count += 1
        pulses += plan.pulse
        total_us += plan.dur_us
        if items.duration_us(plan.lo | plan.hi << 16) != plan.dur_us:
            say("WRONG", plan.at_us)
    return count, pulses, total_us, plan.at_us, "%08x" % hashed


def item_vectors():
    for width in (0, 1, 2, 511, 512, 1022, 1023):
        for field in (0, 1, 63, 64, 252, 255):
            for rest in (0, 1, 8191, 8192, 16382, 16383):
                value = items.lo(width, field) | items.hi(field, rest) << 16
                say("item", width, field, rest, value, items.decode(value), items.duration_us(value))
    for value in (0, 1, 0x3FFFFFFF, 0x40000000, 0x7FFFFFFF, 0x80000000, 0xDEADBEEF, 0xFFFFFFFF):
        say("word", value, items.decode(value), items.duration_us(value))
    say("fields", items.word(1023, 255, 16383), items.min_period_us(1023, 255))


def period_vectors():
    dice = Dice(1)
    rates = [1000, 1001, 2000, 3000, 15000, 15001, 100000, 399999, 400000]
    rates += [dice.between(1000, 400000) for _ in range(200)]
    for millihz in rates:
        say("period", millihz, config.period_us(millihz))


def plan_vectors():
    for cfg in (BASE, BURST, ALTERNATING, MODULATED):
        for more in ({}, {"on_ms": 3000, "off_ms": 1000}, {"on_ms": 2001, "off_ms": 0}):
            for duration_us in (None, 8, 1399, 123457, 7999999, 40000000):
                cfg2 = but(cfg, **more)
                config.check(cfg2)
                say("plan", cfg["kind"], more.get("on_ms"), duration_us, *played(Plan(cfg2, duration_us)))


def long_plan_vectors():
    """Sessions whose times pass 2**30, 2**31 and 2**32 us (the last by plans that begin late)."""
    say("hour", *played(Plan(but(BASE, period_us=66667, duration_ms=HOUR_MS))))
    say("hour", *played(Plan(but(MODULATED, duration_ms=HOUR_MS, cycle_ms=60000, hi_millihz=20000))))
    for cfg in (BASE, BURST, ALTERNATING, MODULATED, but(BASE, on_ms=3000, off_ms=1000)):
        for edge in (1 << 30, 1 << 31, 1 << 32):
            plan = Plan(but(cfg, duration_ms=HOUR_MS), edge + 5000000)
            plan.at_us = plan.cycle_start_us = edge - 5000000
            say("late", cfg["kind"], edge, *played(plan))


def random_config(dice):
    """A configuration of any kind; some are refused."""
    cfg = but(BASE, gap_us=dice.between(3, 255), width_us=dice.between(1, 1023), duration_ms=20000)
    cfg["period_us"] = dice.between(2500, 40000)
    cfg["kind"] = config.KINDS[dice.below(4)]
    if cfg["kind"] == "burst":
        cfg["burst_pulses"] = dice.between(1, 20)
        cfg["burst_period_us"] = dice.between(100000, 900000)
    elif cfg["kind"] == "alternating":
        cfg["alt_period_us"] = dice.between(2500, 400000)
        cfg["dwell_ms"] = dice.between(100, 3000)
    elif cfg["kind"] == "modulated":
        cfg = but(cfg, period_us=None, width_us=None)
        cfg["lo_millihz"] = dice.between(1000, 200000)
        cfg["hi_millihz"] = dice.between(1000, 400000)
        cfg["lo_width_us"] = dice.between(1, 1023)
        cfg["hi_width_us"] = dice.between(1, 1023)
        cfg["cycle_ms"] = dice.between(1000, 9000)
    if dice.below(3) == 0:
        cfg["on_ms"] = dice.between(2000, 5000)
        cfg["off_ms"] = dice.between(0, 3000)
    return cfg


def random_vectors():
    dice = Dice(2)
    for i in range(300):
        cfg = random_config(dice)
        verdict = refusal(cfg)
        if verdict == "accepted":
            say("random", i, *played(Plan(cfg, dice.between(8, 6000000))))
        else:
            say("random", i, verdict)


def refusal_vectors():
    for cfg in (None, 7, "x", [], {}, {1: 2}, but(BASE, kind="saw"), but(BASE, mode=None), but(BASE, bench=1)):
        say("refusal", refusal(cfg))
    for kind in (BASE, BURST, ALTERNATING, MODULATED):
        for name in sorted(config.FIELDS):
            low, high, _ = config.FIELDS[name]
            for value in (None, low - 1, low, high, high + 1, True, "7", 1 << 40):
                say("refusal", kind["kind"], name, value, refusal(but(kind, **{name: value})))
    for more in ({"on_ms": 3000}, {"off_ms": 1}, {"on_ms": 999, "off_ms": 0}, {"on_ms": 1999, "off_ms": 0}, {"odd": 1}):
        say("refusal", sorted(more), refusal(but(BASE, **more)))


def envelope_vectors():
    for more in ({}, {"on_ms": 3000, "off_ms": 1500}, {"ramp_up_ms": 777, "ramp_down_ms": 4001}):
        for duration_us in (None, 1234567, 9999):
            envelope = Envelope(but(BASE, **more), duration_us)
            levels = array("I", [envelope.level(t_ms) for t_ms in range(-5, 10050)])
            phases = [envelope.phase(t_ms) for t_ms in (0, 776, 777, 1000, 5999, 6000, 9000)]
            say("envelope", sorted(more), duration_us, "%08x" % crc(bytes(levels)), sum(levels), phases)
    hour = Envelope(but(BASE, duration_ms=HOUR_MS, ramp_up_ms=60000, ramp_down_ms=60000))
    say("envelope", [hour.level(t_ms) for t_ms in (1, 29999, 59999, 60000, 3540000, 3540001, 3599999, 3600000)])
    dice = Dice(3)
    for _ in range(100):
        now, wanted, step = dice.below(100001), dice.below(3) * dice.below(50001), dice.between(1, 500)
        say("slew", now, wanted, step, slew(now, wanted, step))
    say("step", max_step_ua(50000), max_step_ua(1))


def feeder_vectors():
    dice = Dice(4)
    for cfg in (BASE, BURST, ALTERNATING, MODULATED, but(BASE, period_us=2500)):
        feed = feeder.Feeder(array("H", bytes(4 * feeder.SIZE + 40)), 20)
        feed.begin(Plan(cfg, 5000003))
        read = 0
        while True:
            unread = feed.fill()
            if not unread:
                break
            read += dice.between(1, unread)
            feed.advance(read % feeder.SIZE, 0, 90000)
        counts = (feed.made, feed.pulses, feed.charge_uc, feed.charge_pc, feed.t_us, feed.ahead_us)
        say("feeder", cfg["kind"], "%08x" % crc(bytes(feed.ring)), *counts)


def frame_vectors():
    ordered = [
        {"a": 1},
        {"b": [1, 2, [3, None, True, False]]},
        {"c": -1},
        {"d": 'q"\\/'},
        {"e": "\n\r\t"},
        {"f": {}},
        {},
    ]
    ordered += [{"n": 1 << 30}, {"n": -(1 << 30) - 1}, {"n": 0xFFFFFFFF}, {"n": 10**15}, {"list": list(range(50))}]
    for message in ordered:
        line = frames.encode(message)
        say("frame", line, frames.decode(line) == (message, None))
    for message in ({"id": 1, "method": "x", "params": {"a": [1], "b": "c"}}, {"text": "\u00b5A \u03a9 \U0001f600"}):
        say("frame", sorted(message), frames.decode(frames.encode(message)) == (message, None))
    good = frames.encode({"jsonrpc": "2.0"})
    bad = [good[:cut] for cut in range(len(good))] + [good[cut:] for cut in range(1, len(good))]
    bad += [
        good.replace(b"2", b"3"),
        good.replace(b" ", b"_"),
        b"",
        b"\n",
        b" ",
        b"\x03",
        b"\xff" * 40,
        b"[1] 00000000\n",
    ]
    for text in (b"[]", b"1", b'"x"', b"null", b"", b"{", b"{}}", b'{"a":1', b"{'a':1}"):
        bad.append(b"%s %08x\n" % (text, binascii.crc32(text)))
    for line in bad:
        say("bad frame", line, frames.decode(line))


def table_vectors():
    for name in sorted(list(faults.ENDS) + list(faults.FAULTS)):
        say("fault", name, faults.sentence(name), faults.remedy(name))
    for name in sorted(messages.ERRORS):
        say("error", name, messages.ERRORS[name])
    say("methods", sorted(messages.METHODS), messages.TELEMETRY, messages.STATUS, messages.RESULT, messages.STATES)


def limit_vectors():
    """Areas, caps, verdicts and sums; products go to 110 bits, and the device has no square root of its own."""
    for size in ((100, 5000), (160, 15000), (250, 30000), (250, 40000), (300, 50000), (1000, 150000)):
        say("area", *size, electrode.needle_cmm2(*size))
    for n in list(range(20)) + [(1 << 31) - 1, 1 << 31, 1 << 62, (1 << 64) - 1, 10**30, 10**30 - 1]:
        say("root", n, stress.isqrt(n))
    for cfg in (
        BASE,
        but(BASE, electrode="needle"),
        but(BASE, max_ua=90000, amplitude_ua=90000),
        but(BASE, width_us=0),
        but(BASE, area_cmm2=99),
        but(BASE, dense_ok=2),
    ):
        say("limits", limits.judge(cfg, BOARD))
    # the facts page: needle A at 2 Hz, 250 us, 10 and 20 mA; its caps by k at 100, 250 and 600 us; skin
    needle = but(BASE, electrode="needle", mode="dnes", area_cmm2=2356, period_us=500000, max_ua=20000)
    for width_us in (100, 250, 600):
        for ua in (10000, 20000):
            cfg = but(needle, width_us=width_us, amplitude_ua=ua)
            say("needle", width_us, ua, limits.amplitude_caps_ua(cfg, BOARD), limits.judge(cfg, BOARD))
    say("skin", limits.amplitude_caps_ua(but(BASE, area_cmm2=250000), BOARD))
    say("skin", limits.amplitude_caps_ua(but(BASE, area_cmm2=500000, period_us=20000, width_us=400), BOARD))
    dice = Dice(6)
    for i in range(200):
        configs = {}
        for n in (1, 2, 3):
            cfg = but(random_config(dice), electrode=config.ELECTRODES[dice.below(2)], max_ua=100000)
            cfg["mode"] = config.MODES[dice.below(3)]
            cfg["area_cmm2"] = dice.between(*electrode.AREA_CMM2[cfg["electrode"]])
            if dice.below(2):
                cfg["dense_ok"] = dice.below(2)
            cfg["amplitude_ua"] = dice.below(60000) // (1 + dice.below(20))
            configs[n] = cfg
            if refusal(cfg) == "accepted":
                say("caps", i, stress.densest(cfg), stress.widest_us(cfg), limits.amplitude_caps_ua(cfg, BOARD))
                say("warnings", i, limits.warnings(cfg, BOARD))
        say("together", i, limits.judge_all(configs, BOARD))
    wide = but(BASE, mode="nmes", width_us=1023, period_us=3500, max_ua=50000, amplitude_ua=20000, ramp_up_ms=4000)
    wide["ramp_down_ms"] = 4000
    say("together", limits.judge_all({1: wide, 2: wide, 3: wide}, BOARD))
    wide["amplitude_ua"] = 25000
    say("together", limits.judge_all({1: wide, 2: wide, 3: wide}, BOARD))
    for ua in (0, 20000, 60000):
        say("beside", ua, limits.beside(("board", 50000), (3500, 1023), [(ua, (3500, 1023)), (ua, (4000, 1000))]))


def session_vectors():
    """Whole sessions on the fake output: events, counts and charge, with pauses, stops and faults thrown in."""
    dice = Dice(5)
    for i in range(40):
        bench = Bench(BOARD, Session)
        session = bench.session
        first = but(BASE, duration_ms=dice.between(2000, 4000), period_us=dice.between(2600, 70000))
        bench.up({1: first, 3: but(BURST, duration_ms=3000)})
        bench.run(dice.between(1, 2500), step_ms=dice.between(1, 20))
        what = dice.below(6)
        if session.state in messages.LIVE and what < 3:
            session.pause(bench.now_ms)
            bench.run(dice.between(1, 900))
            session.resume(bench.now_ms)
        elif what == 3:
            bench.output.open_interlock()
        elif what == 4:
            session.stop("stop_command", bench.now_ms)
        elif what == 5:
            bench.alive = False
        bench.run(9000, until=lambda session=session: session.state in ("done", "fault"))
        counts = [
            (n, session.channels[n].pulses, session.channels[n].truncated, session.channels[n].charge_nc())
            for n in session.order
        ]
        truth = [(len(bench.output.truth[n]), bench.output.cuts[n]) for n in (1, 2, 3)]
        say("session", i, session.state, session.stop_reason, session.duration_ms(bench.now_ms), counts, truth)
        say("events", i, bench.events)


def calibration_vectors():
    """Corrections at their bounds and between; files that are right, damaged, foreign and out of bounds."""
    most = calibration.offset_max_ua(BOARD)
    for gain in (-10000, -3847, -1, 0, 1, 3093, 10000):
        for offset in (-most, -7, 0, 192, most):
            say(
                "corrected",
                gain,
                offset,
                *[calibration.corrected(ua, (gain, offset)) for ua in (0, 1, 499, 20011, 50000)],
            )
    row = {"set": [-3847, -192], "sense": [3093, 7], "load_ohms": 1000, "made": "2026-11-22"}
    line = calibration.encode("RHEO_PICO", "E66", {1: row, 3: row})
    wide = calibration.encode("RHEO_PICO", "E66", {1: but(row, set=[10001, 0])})
    for text in (None, b"", line, line[:-1], line.replace(b"3093", b"3094"), line.upper(), wide, b"x" * 2000):
        for serial in ("E66", "E67"):
            read = calibration.parse(text, BOARD, serial)
            say("calibration", serial, read.set(1), read.sense(3), flat(read.told(BOARD)))


def flat(thing):
    """A text of a JSON value that does not depend on the order of a dict."""
    if isinstance(thing, dict):
        return "{" + ",".join([str(key) + ":" + flat(thing[key]) for key in sorted(thing)]) + "}"
    if isinstance(thing, (list, tuple)):
        return "[" + ",".join([flat(part) for part in thing]) + "]"
    return str(thing)


def server_vectors():
    """A dialogue, good and bad requests mixed: every reply."""
    bench = Bench(BOARD, Session)
    info = {
        "board": "RHEO_PICO",
        "serial": "1",
        "firmware": {},
        "micropython": "",
        "c_hook": True,
        "reset_cause": "power",
        "was": None,
        "calibration": {"problem": None, "channels": {"1": None, "2": None, "3": None}},
    }
    server = Server(bench.session, BOARD, info, lambda n: (n * 100, 1000))
    requests = [
        ("arm", {}),
        ("hello", {"wire": 0}),
        ("hello", {"wire": messages.WIRE}),
        ("configure", {"channels": {"9": BASE}}),
        ("configure", {"channels": {"1": but(BASE, width_us=5000)}}),
        ("configure", {"channels": {"1": BASE, "2": MODULATED}}),
        ("start", {"token": 1}),
        ("arm", {}),
        ("arm", {"bench": "yes"}),
        ("start", {"token": 1001, "channels": [2, "1"]}),
        ("start", {"token": 1001, "channels": [2]}),
        ("status", {}),
        ("amplitude", {"token": 1001, "channel": 2, "ua": 2000}),
        ("amplitude", {"token": 1001, "channel": 2, "ua": 1 << 33}),
        ("explode", {}),
        ("pause", {}),
        ("result", {}),
        ("resume", {"token": 1001}),
        ("stop", {"reason": "because"}),
        ("stop", {}),
        ("result", {}),
        ("clear_fault", {}),
    ]
    for i in range(len(requests)):
        method, params = requests[i]
        line = frames.encode({"jsonrpc": "2.0", "id": i + 1, "method": method, "params": params})
        reply, error = frames.decode(server.handle(line, bench.now_ms))
        say("reply", method, error, flat(reply))
        bench.run(700)
    for line in (
        b"",
        b"x",
        b"{} 00000000",
        frames.encode({"id": 1}),
        frames.encode({"jsonrpc": "2.0", "method": "ack"}),
    ):
        reply = server.handle(line, 0)
        say("reply", line, flat(frames.decode(reply)) if reply else None)
    say("bad", flat(server.bad))


item_vectors()
period_vectors()
plan_vectors()
long_plan_vectors()
random_vectors()
refusal_vectors()
envelope_vectors()
feeder_vectors()
frame_vectors()
table_vectors()
limit_vectors()
session_vectors()
calibration_vectors()
server_vectors()
