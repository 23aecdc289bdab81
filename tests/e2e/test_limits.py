"""The board itself refuses what its limits forbid, alone and together, and says what would pass. About 15 s of wall."""

import math

import pytest
from dut import BASE, BOARD, NUMBERS, Refusal

NEEDLE = {**BASE, "mode": "dnes", "electrode": "needle", "width_us": 200}
WIDE = {**BASE, "mode": "nmes", "width_us": 1_023, "period_us": 3_500, "max_ua": 50_000, "ramp_up_ms": 4_000,
        "ramp_down_ms": 4_000, "duration_ms": 20_000}  # fmt: skip
SHARE = math.sqrt(2 * WIDE["width_us"] / WIDE["period_us"])  # of the amplitude that is its RMS value: 0.7646
SUM_UA = 50_000  # of all channels' RMS values
# More than the board's last channel may add to the others.
EACH_UA, OTHERS_UA = (30_000, 20_000) if len(NUMBERS) > 2 else (BOARD["max_ua"], 34_000)


def rms_ua(ua):
    return math.ceil(ua * SHARE)


def refusal(dut, method, **params):
    with pytest.raises(Refusal) as error:
        dut.call(method, **params)
    name, data = error.value.args
    assert name == "refused"
    return data


@pytest.mark.req("REQ-060", "REQ-063")
def test_a_needle_beyond_a_limit_is_refused_with_code_value_and_what_passes(dut):
    """100 Hz, 200 us: 2 mA/cm2 on the smallest needle are 0.753 mA, on needle A 2.356 mA; 20 uC/cm2 are 7.53 mA."""
    dut.greet()
    for extra, code, bound in (
        ({}, "limit_current_density", 753),
        ({"area_cmm2": 2_356}, "limit_current_density", 2_356),
        (
            {"dense_ok": 1, "ramp_up_ms": 4_000, "ramp_down_ms": 4_000, "duration_ms": 9_000},
            "limit_charge_density",
            7_530,
        ),
        ({"dense_ok": 1, "area_cmm2": 2_356, "width_us": 1_023}, "limit_k", 3_558),
    ):
        cfg = {**NEEDLE, **extra, "amplitude_ua": bound + 1}
        told = refusal(dut, "configure", channels={"2": cfg}, new=1)
        assert told == {"field": "amplitude_ua", "value": bound + 1, "why": code, "bound": bound, "channel": "2"}
        assert dut.call("configure", channels={"2": {**cfg, "amplitude_ua": bound}}, new=1) == {"state": "loaded"}


@pytest.mark.req("REQ-061")
def test_channels_that_pass_alone_are_refused_together(dut):
    dut.greet()
    one = {**WIDE, "amplitude_ua": EACH_UA}  # 30 mA: 22.94 mA RMS
    told = refusal(dut, "configure", channels={str(n): one for n in NUMBERS}, new=1)
    value = len(NUMBERS) * rms_ua(EACH_UA)
    assert told == {"field": "rms_ua", "value": value, "why": "limit_rms_sum", "bound": SUM_UA}
    assert dut.call("configure", channels={str(n): one for n in NUMBERS[:-1]}, new=1) == {"state": "loaded"}


@pytest.mark.req("REQ-061", "REQ-067")
def test_raising_a_channel_beyond_the_sum_is_refused_armed_and_live_and_takes_no_pulse(dut):
    dut.load({n: {**WIDE, "amplitude_ua": 20_000 if n == 1 else OTHERS_UA} for n in NUMBERS})
    bound = math.floor((SUM_UA - (len(NUMBERS) - 1) * rms_ua(OTHERS_UA)) / SHARE)  # 25,394 of three channels
    told = {"field": "ua", "value": bound + 1, "why": "limit_rms_sum", "bound": bound, "channel": "1"}
    assert refusal(dut, "amplitude", token=dut.token, channel=1, ua=bound + 1) == told
    dut.start()
    dut.run_ms(300)
    step = {**told, "why": "limit_step", "bound": 21_000}
    assert refusal(dut, "amplitude", token=dut.token, channel=1, ua=bound + 1) == step
    for ua in range(21_000, bound + 1, 1_000):
        dut.call("amplitude", token=dut.token, channel=1, ua=ua)
    ua += 1_000
    assert refusal(dut, "amplitude", token=dut.token, channel=1, ua=ua) == {**told, "value": ua}
    dut.call("amplitude", token=dut.token, channel=2, ua=10_000)  # below 2 mA yet: it needs no time to come down
    assert dut.call("amplitude", token=dut.token, channel=1, ua=ua) == {"channel": 1, "ua": ua}
    dut.run_ms(100)
    dut.call("stop")
    counted = dut.call("result")["channels"]
    assert {n: row["pulses"] for n, row in counted.items()} == {
        str(n): len(train.pulses) for n, train in dut.trains().items()
    }
    assert not [event for event in dut.events if event[2] == "fault"]


def test_the_longest_modulation_is_judged_in_100_ms_for_three_channels(dut):
    """Configure is no place to wait: the densest pulse of a falling modulation is a formula, not a search."""
    dut.greet()
    cfg = {key: value for key, value in BASE.items() if key not in ("period_us", "width_us")}
    cfg.update(
        kind="modulated", lo_millihz=2_000, hi_millihz=120_000, lo_width_us=1_023, hi_width_us=1, cycle_ms=60_000
    )
    assert dut.round_trip_ns("configure", channels={str(n): cfg for n in NUMBERS}, new=1) <= 100_000_000
