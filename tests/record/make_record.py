"""Records made for tests: written by the real writer, with numbers that are easy to check."""

from rheobase import library
from rheobase.record import RecordWriter
from rheocore.compact import compact

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
