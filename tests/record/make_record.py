"""Records made for tests: written by the real writer, with numbers that are easy to check."""

from rheobase import library
from rheobase.record import Clock, RecordWriter
from rheocore.compact import compact
from rheocore.plan import Plan

CFG = compact(library.load("tens_conventional"), 20_000, 10_000)
START_US = 3_000_000


def channels(n, ua=20_000):
    """Telemetry of one channel at sample n (10 a second, 100 Hz)."""
    return {"1": {"set_ua": ua, "meas_ua": ua - 100, "ohms": 1000, "pulses": 10 * n, "charge_nc": 20 * n}}


def begin(folder, duration_ms=10_000, modelled=True, **extra):
    """A writer with its open and screening lines written."""
    writer = RecordWriter.create("E6614C775B8D", duration_ms, folder)
    writer.write(
        "open", 0, schema=1, session_id=writer.id, serial="E6614C775B8D", board="RHEO_PICO", modelled=modelled,
        protocol="tens_conventional", channels={"1": {"protocol": "tens_conventional", "config": CFG}}, **extra,
    )  # fmt: skip
    writer.write("screening", 0, answers=None, yes=True)
    return writer


def session(folder, samples=20, fault=None, close=True, modelled=True):
    """A whole session of `samples` telemetry lines; fault: its name, after the last of them. Returns the path."""
    with begin(folder, modelled=modelled) as writer:
        writer.write("event", START_US, event="state", detail="ramp_up")
        for n in range(samples):
            state = "ramp_up" if n < samples // 2 else "run"
            writer.write(
                "telemetry", START_US + n * 100_000, seq=n, state=state, t_left_ms=10_000 - n * 100, interlock=1,
                fault=None, channels=channels(n, 1000 * n),
            )  # fmt: skip
        end_us = START_US + samples * 100_000
        if fault:
            writer.write("fault", end_us, fault=fault, sentence="...")
        if close:
            writer.write(
                "close", end_us, stop_reason=fault or "time_over", fault=fault, duration_ms=samples * 100,
                channels={"1": {"pulses": 10 * samples, "truncated": 0, "charge_nc": 20 * samples}},
            )  # fmt: skip
    return writer.path


SITES = ("left upper trapezius", "right upper trapezius", "left levator scapulae")
SCREENED = {
    "condition": "neck_pain", "history": True, "diagnosis": "clinician", "risks_told": True, "consent": True, "pain": 6,
    "stops": {"implant": False, "head_route": False, "pregnancy": False, "clotting": False},
    "cautions": {"blood_thinners": "low dose aspirin, agreed with the clinic"},
    "needles": {"in": 8, "unstimulated": 2},
    "checks": {"sterile": True, "output_zero": True, "stop_shown": True, "interlock_tested": True},
}  # fmt: skip
AFTER = {
    "output_zero": True, "leads_off": True, "dwell_ms": 1_500_000, "needles_out": 8, "needles_in": 8, "mismatch": False,
    "sharps": True, "skin": "slight redness", "skin_note": None, "pain": 3, "twitch": True, "response": "less stiff",
    "adverse": None, "aftercare_told": True,
}  # fmt: skip


def plays(preset, duration_ms, ua, pause=None):
    """(ms, state, level) ten times a second for a whole session; pause: (from ms, ms long), counted in session time."""
    from rheocore.envelope import ONE, Envelope

    cfg = compact(library.load(preset), ua, duration_ms)
    stretches = [(0, Envelope(cfg), duration_ms)]
    if pause:
        at_ms, long_ms = pause
        stretches = [
            (0, Envelope(cfg), at_ms),
            (at_ms + long_ms, Envelope(cfg, (duration_ms - at_ms) * 1000), duration_ms - at_ms),
        ]
    ms = 0
    for start_ms, envelope, length_ms in stretches:
        while ms < start_ms:
            yield ms, "paused", 0
            ms += 100
        while ms < start_ms + length_ms:
            t_ms = ms - start_ms
            yield ms, envelope.phase(t_ms), envelope.level(t_ms) / ONE
            ms += 100


def treatment(
    folder, minutes=1, preset="tens_conventional", channel_count=3, ua=8_000, screened=True, after=True, pause=None,
    lost=(), end="time_over", fault=None, stop_ms=None, close=True, clock=Clock, needles_out=8, modelled=True, **opened,
):  # fmt: skip
    """A session as a clinic would have it, with everything that a record can hold; numbers are drawn, not measured.

    pause: (from ms, ms long). lost: [(from ms, to ms)] without telemetry. stop_ms: it ends there, by `end` or `fault`.
    close False: the host is killed there. clock: as record.Clock. Returns the path.
    """
    protocol = library.load(preset)
    duration_ms = minutes * 60_000
    numbers = range(1, channel_count + 1)
    cfgs = {n: compact(protocol, ua, duration_ms) for n in numbers}
    with RecordWriter.create("E6614C775B8D", duration_ms, folder, clock=clock) as writer:
        writer.write("open", None, **{
            "schema": 1, "session_id": writer.id, "serial": "E6614C775B8D", "board": "RHEO_PICO", "host": "0.1.0",
            "limits": {"max_ua": 50_000, "full_scale_ua": 50_000},
            "firmware": {"version": "0.1.0", "hash": "5f1d" * 16, "origin": "frozen", "micropython": "1.25", "wire": 1},
            "protocol": preset, "hash": {preset: library.protocol_hash(protocol)}, "protocols": {preset: protocol},
            "channels": {str(n): {"protocol": preset, "config": cfgs[n]} for n in numbers},
            "modelled": modelled, "assumed": [], "load": {"pad": {"area_mm2": 2500}}, "person": "A-017",
            "plan": {"course": "acute", "number": 2, "planned": 3}, **opened,
        })  # fmt: skip
        pairs = [{"channel": n, "lead_a": "red", "lead_b": "black", "site": SITES[n - 1]} for n in numbers]
        answers = {**SCREENED, "pairs": pairs} if screened else None
        writer.write("screening", phase="before", answers=answers, acknowledged=[], yes=not screened,
                     reason=None if screened else "bench")  # fmt: skip
        writer.write("event", 1_000_000, event="state", detail="armed")
        if screened:
            writer.write("event", 1_000_000, event="needles_in")
        pulses, charge_pc, last, us = 0, 0, None, START_US
        plan = Plan(cfgs[1])
        more = plan.next()
        for seq, (ms, state, level) in enumerate(plays(preset, duration_ms, ua, pause)):
            us = START_US + ms * 1000
            if stop_ms is not None and ms >= stop_ms:
                break
            if state != last:
                if state == "paused":
                    writer.write("event", us, event="pause")
                writer.write("event", us, event="state", detail=state)
                last = state
            set_ua, rows = round(ua * level), {}
            into_ms, left_ms = ms, duration_ms - ms
            if pause and ms >= pause[0]:
                into_ms, left_ms = max(0, ms - sum(pause)), min(duration_ms - pause[0], duration_ms - ms + pause[1])
                if plan.end_us == duration_ms * 1000:  # the train begins anew, as the board's does
                    plan = Plan(cfgs[1], left_ms * 1000)
                    more = plan.next()
            while more and state != "paused" and plan.at_us <= into_ms * 1000:
                pulses += plan.pulse
                charge_pc += plan.pulse * (plan.lo & 0x3FF) * set_ua
                more = plan.next()
            for n in numbers:
                wobble = 1 + 0.02 * ((seq * 7919 * n) % 101 - 50) / 50
                ohms = round((1400 + 250 * n + 300 / (1 + ms / 60_000)) * wobble) if set_ua >= 50 else None
                rows[str(n)] = {
                    "set_ua": set_ua, "meas_ua": None if state == "paused" else round(set_ua * (0.97 + 0.02 * wobble)),
                    "ohms": ohms, "pulses": pulses, "charge_nc": charge_pc // 1000,
                }  # fmt: skip
            if not any(start <= ms < stop for start, stop in lost):
                writer.write("telemetry", us, seq=seq, state=state, t_left_ms=left_ms, interlock=1, fault=None,
                             channels=rows)  # fmt: skip
        if not close:
            return writer.path
        while more and stop_ms is None:  # what came after the last sample
            us = START_US + (duration_ms + (pause[1] if pause else 0)) * 1000
            pulses += plan.pulse
            more = plan.next()
        delivered = {str(n): {"pulses": pulses, "truncated": 0, "charge_nc": charge_pc // 1000} for n in numbers}
        writer.write("event", us, event="state", detail="fault" if fault else "done")
        writer.write("event", us, event="fault" if fault else "end", detail=fault or end)
        if fault:
            writer.write("fault", us, fault=fault, sentence="...")
        if screened and after:
            writer.write(
                "screening", us, phase="after", **{**AFTER, "needles_out": needles_out, "mismatch": needles_out != 8}
            )
        live_ms = (us - START_US) // 1000 - (pause[1] if pause else 0)
        writer.write("close", us, stop_reason=fault or end, fault=fault, duration_ms=live_ms, channels=delivered)
    return writer.path
