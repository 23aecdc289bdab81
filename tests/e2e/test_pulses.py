"""Edges that leave the pins of the real image. Margins: widths and gaps exact, periods exact in the mean to 0.05 us.

The emulator resolves one clock (8 ns); a tick is 1 us. Times are simulated.
"""

import pytest
from dut import DAC_UA, NUMBERS, STEP_UA, here

MEAN_NS = 50
JITTER_NS = 200


def check(train, width_us, gap_us, period_us=None):
    assert not train.overlaps
    assert not train.truncated
    assert {p.a_ns for p in train.pulses} == {p.b_ns for p in train.pulses} == {width_us * 1000}
    assert {p.gap_ns for p in train.pulses} == {gap_us * 1000}
    if period_us:
        periods = train.periods_ns
        assert abs(sum(periods) / len(periods) - period_us * 1000) <= MEAN_NS
        assert max(periods) - min(periods) <= JITTER_NS


@pytest.mark.req("REQ-001", "REQ-002", "REQ-005")
@pytest.mark.parametrize(
    "shapes",
    [((1, 3), (10, 10), (50, 50)), ((100, 100), (250, 250), (500, 3)), ((1000, 250), (1023, 255), (1, 255))],
)
def test_widths_and_gaps_are_exact_to_the_tick(dut, shapes):
    dut.load(
        {
            n: {"width_us": w, "gap_us": g, "duration_ms": 1000, "period_us": 10_000}
            for n, (w, g) in zip(NUMBERS, shapes, strict=False)
        }
    )
    dut.start()
    result = dut.run_to_end()
    trains = dut.trains()
    for n, (width_us, gap_us) in zip(NUMBERS, shapes, strict=False):
        check(trains[n], width_us, gap_us, 10_000)
        assert result["channels"][str(n)]["pulses"] == len(trains[n].pulses) == 100


@pytest.mark.req("REQ-005")
@pytest.mark.parametrize(("rates_hz", "duration_ms"), [((1, 2, 4), 2500), ((15, 50, 100), 1000), ((250, 400, 3), 1000)])
def test_periods_are_exact_at_three_rates_at_once(dut, rates_hz, duration_ms):
    periods_us = {n: (2_000_000 // hz + 1) // 2 for n, hz in zip(NUMBERS, rates_hz, strict=False)}
    dut.load({n: {"period_us": p, "duration_ms": duration_ms, "width_us": 200} for n, p in periods_us.items()})
    dut.start()
    result = dut.run_to_end()
    trains = dut.trains()
    for n, period_us in periods_us.items():
        check(trains[n], 200, 50, period_us)
        assert result["channels"][str(n)]["pulses"] == len(trains[n].pulses)


def test_channels_started_together_begin_in_the_same_tick(dut):
    dut.load(here({1: {}, 2: {"width_us": 300}, 3: {"gap_us": 3}}))
    dut.start()
    dut.run_ms(50)
    starts = [train.pulses[0].t_ns for train in dut.trains().values()]
    assert len(starts) == len(NUMBERS)
    assert max(starts) - min(starts) <= 100  # so many state machines, one enable, one release


def test_channels_start_one_by_one_each_with_its_own_train(dut):
    own = here(
        {
            1: {"period_us": 20_000, "width_us": 100, "amplitude_ua": 1000, "duration_ms": 1800},
            2: {"period_us": 5_000, "width_us": 250, "amplitude_ua": 3000, "duration_ms": 1800},
            3: {"period_us": 50_000, "width_us": 50, "amplitude_ua": 500, "duration_ms": 1800},
        }
    )
    dut.load(own)
    for n in own:
        dut.start([n])
        dut.run_ms(200)
    dut.run_ms(400)
    set_ua = {row[0]: row[1] for row in dut.call("status")["channels"]}
    assert set_ua == {n: change["amplitude_ua"] for n, change in own.items()}
    result = dut.run_to_end()
    trains = dut.trains()
    for n, change in own.items():
        check(trains[n], change["width_us"], 50, change["period_us"])
        assert result["channels"][str(n)]["pulses"] == len(trains[n].pulses)
    assert trains[2].pulses[0].t_ns - trains[1].pulses[0].t_ns > 190_000_000


@pytest.mark.req("REQ-040")
def test_arming_makes_no_edge_on_any_leg(dut):
    dut.load({n: {} for n in NUMBERS})
    dut.run_ms(200)
    assert dut.state() == "armed"
    assert dut.leg_edges() == []


@pytest.mark.req("REQ-050")
def test_set_point_starts_at_zero_ramps_and_returns_to_zero(dut):
    dut.load({1: {"amplitude_ua": 5000}})
    dut.start()
    dut.run_to_end()
    values = [ua for _t, name, ua in dut.board.setpoints if name == "CH1_UA"]
    assert values[0] <= STEP_UA
    assert values[-1] == 0
    assert abs(max(values) - 5000) <= DAC_UA
    walk = values[:-1]  # the last is the end of the train, which takes what is left to 0 with no pulse in it
    assert walk[-1] <= 2 * STEP_UA
    assert max(abs(b - a) for a, b in zip(walk, walk[1:], strict=False)) <= STEP_UA + DAC_UA


def test_measured_current_and_impedance_are_those_of_the_load(make_dut):
    dut = make_dut(load="2000")
    dut.load({1: {"amplitude_ua": 5000}})
    dut.start()
    dut.run_ms(900)
    (_n, set_ua, meas_ua, ohms, _pulses) = dut.call("status")["channels"][0]
    assert set_ua == 5000
    assert abs(meas_ua - 5000) <= 250  # 5 %
    assert abs(ohms - 2000) <= 100
