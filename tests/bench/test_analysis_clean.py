"""No clean capture fails, wherever it begins and ends and however slow the instrument; and none passes undeservedly.

Trains of the real plan, sampled at any phase by an instrument with a clock of its own. Of a clean capture only the
difference between phases and the clock may stay untold, and only where a test says so.
"""

import random

import numpy as np
import pytest
from bench import planted
from bench.planted import MS, RATES, US, Bench, S
from rheobase.bench.analysis import analyse
from rheobase.bench.expected import expected

pytestmark = pytest.mark.req("REQ-131")


def codes(result):
    return {(f["code"], f["verdict"]) for f in result.findings}


UNTOLD = ("too_slow", "cannot_tell")
CLOCK = ("clock", "cannot_tell")


@pytest.mark.parametrize("name", planted.TRAINS)
def test_every_kind_of_train_passes_at_8_ns(name):
    cfg = planted.cfg(name)
    for seed, ppm in enumerate((0, 17.3, -29.5)):
        result = analyse(Bench("8 ns", seed, ppm).capture({1: planted.pulses(cfg)}), {1: cfg})
        assert result.verdict == "pass", result.text()
        clock = result.data()["clock_ppm"]
        assert abs(clock["value"] - ppm) <= clock["u"] <= 0.5


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", planted.TRAINS)
def test_at_any_rate_only_the_difference_of_phases_may_be_untold(name, rate):
    cfg = planted.cfg(name)
    result = analyse(Bench(rate, 7, 11).capture({1: planted.pulses(cfg)}), {1: cfg})
    assert codes(result) <= {UNTOLD}, result.text()
    verdicts = result.data()["channels"]["1"]["verdicts"]
    assert {verdicts[key] for key in ("width_a", "width_b", "gap", "start", "period")} == {"pass"}


def test_400_drawn_trains_cut_anywhere_at_any_rate_never_fail():
    for seed in range(400):
        rnd = random.Random(seed)
        cfg = planted.drawn(rnd)
        every, ppm = planted.pulses(cfg), rnd.choice((0, rnd.uniform(-29, 29), rnd.uniform(-129, 129)))
        first = rnd.choice((0, rnd.randrange(len(every))))
        last = min(len(every) - 1, first + rnd.choice((0, 1, 2, 3, rnd.randrange(30), rnd.randrange(300), len(every))))
        bench = Bench(rnd.choice(list(RATES)), seed, ppm)
        before, after = (rnd.choice((1, MS, 2 * S, -rnd.randrange(700 * US))) for _ in range(2))
        start, end = bench.told([every[first, 0] - before, every[last, 3] + after])
        if end <= start:
            continue
        capture = planted.window(bench.capture({1: every}, before_ps=3 * S, after_ps=3 * S), int(start), int(end))
        result = analyse(capture, {1: cfg})
        allowed = {UNTOLD}
        if abs(ppm) >= 29 or end - start < S or result.data()["channels"]["1"]["pulses"] < 2:
            allowed.add(CLOCK)
        if not result.data()["channels"]["1"]["pulses"]:
            allowed.add(("no_pulses", "cannot_tell"))
        assert codes(result) <= allowed, (seed, cfg, result.text())


def test_channels_of_different_trains_started_at_different_times_share_one_clock():
    cfgs = {1: planted.cfg("continuous"), 2: planted.cfg("burst"), 3: planted.cfg("modulated")}
    trains = {n: planted.pulses(cfg) + n * 137_123_457 for n, cfg in cfgs.items()}
    result = analyse(Bench("8 ns", 1, -21).capture(trains), cfgs)
    assert result.verdict == "pass", result.text()
    assert abs(result.data()["clock_ppm"]["value"] + 21) < 0.01


@pytest.mark.parametrize("ppm", (-500, -131, 131, 500))
@pytest.mark.parametrize("name", ("continuous", "burst", "alternating", "modulated", "on_off"))
def test_forty_minutes_on_a_clock_far_off_are_matched_to_the_last_pulse(name, ppm):
    cfg = planted.cfg(name, duration_ms=2_400_000)
    pulses = planted.pulses(cfg)[-60_000:]
    result = analyse(Bench("24 MHz", 3, ppm).capture({1: pulses}), {1: cfg})
    assert codes(result) <= {UNTOLD, ("clock", "fail")}, result.text()
    channel = result.data()["channels"]["1"]
    assert (channel["pulses"], channel["missing"], channel["extra"]) == (len(pulses), 0, 0)
    assert abs(result.data()["clock_ppm"]["value"] - ppm) < 0.01


def test_two_crystals_that_wander_apart_in_ten_minutes_are_no_fault_of_the_pulses():
    cfg = planted.cfg("continuous", duration_ms=600_000)
    pulses = planted.pulses(cfg)
    wander = np.rint(20 * US * np.sin(pulses[:, :1] / (100 * S) * 2 * np.pi)).astype(np.int64)  # 20 us, 1.3 ppm
    result = analyse(Bench("8 ns", 3, 5).capture({1: pulses + wander}), {1: cfg})
    assert result.verdict == "pass", result.text()
    assert 1 < result.data()["clock_ppm"]["wander"] < 4


def test_clocks_that_wander_as_no_crystals_do_are_never_passed():
    """+-8 ppm and back in 10 min: within the 30 ppm of a crystal at every moment, and no crystal all the same."""
    cfg = planted.cfg("continuous", duration_ms=600_000)
    pulses = planted.pulses(cfg)
    wander = np.rint(764 * US * np.sin(pulses[:, :1] / (600 * S) * 2 * np.pi)).astype(np.int64)
    result = analyse(Bench("8 ns", 3, 5).capture({1: pulses + wander}), {1: cfg})
    assert result.verdict == "cannot_tell" and [f["code"] for f in result.findings] == ["clock"], result.text()
    assert "wander" in result.findings[0]["text"]


def test_two_sessions_in_one_capture_are_no_fault():
    cfg = planted.cfg("modulated", duration_ms=3_000)
    one = planted.pulses(cfg)
    both = np.concatenate((one, one + one[-1, 0] + 7_654_321_987_654))
    assert analyse(Bench("8 ns", 3, 5).capture({1: both}), {1: cfg}).verdict == "pass"


def test_a_pause_is_no_fault_where_the_session_had_one():
    cfg = planted.cfg("burst")
    one = planted.pulses(cfg)
    paused = np.concatenate((one[:42], one[:38] + one[41, 0] + 3_333_333_333_333))
    capture = Bench("8 ns", 3, 5).capture({1: paused})
    assert analyse(capture, {1: cfg}, expect={1: 80}, pauses=1).verdict == "pass"
    result = analyse(capture, {1: cfg}, expect={1: 80})
    assert [f["code"] for f in result.findings] == ["missing"]


def test_a_pause_that_keeps_in_step_is_no_fault_where_the_session_had_one():
    cfg = planted.cfg("continuous")
    paused = planted.pulses(cfg)[[*range(100), *range(200, 400)]]
    capture = Bench("8 ns", 3, 5).capture({1: paused})
    assert analyse(capture, {1: cfg}, expect={1: 300}, pauses=1).verdict == "pass"
    assert [f["code"] for f in analyse(capture, {1: cfg}, expect={1: 300}).findings] == ["missing"]


def test_dead_times_bursts_and_periods_are_in_the_boards_time_within_their_bounds():
    cfg = planted.cfg("burst")
    for ppm in (-900, 29):
        figures = analyse(Bench("8 ns", 3, ppm).capture({1: planted.pulses(cfg)}), {1: cfg}).data()["channels"]["1"]
        of = [(figures["dead_us"], 9_550, 209_550), (figures["period_us"], 10_000, 210_000)]
        of += [(figures["burst"][key], us, us) for key, us in
               (("length_us", 40_000), ("off_us", 210_000), ("period_us", 250_000))]  # fmt: skip
        for found, least, most in of:
            assert abs(found["min"] - least) <= found["u"] and abs(found["max"] - most) <= found["u"], (ppm, found)
            assert found["u"] < 0.02


def test_a_clean_train_never_fails_however_coarse_the_samples():
    cfg = planted.cfg("slow", width_us=400, gap_us=255, duration_ms=170_000)
    pulses = planted.pulses(cfg)
    for seed in range(30):
        bench = Bench("125 ns", seed, seed * 1.7 - 27)
        bench.over = 20 * US
        assert analyse(bench.capture({1: pulses}), {1: cfg}).verdict == "cannot_tell", seed


def test_a_session_cut_by_the_interlock_and_begun_anew_passes():
    cfg = planted.cfg("alternating")
    one = planted.pulses(cfg)
    opened = int(one[50, 0]) + 77 * US
    cut = one[:51].copy()
    cut[50, 1:] = opened + 40_000  # the guard: leg A low 40 ns later, no phase B
    again = one + opened + 5 * S
    legs = {
        "CH1_A": np.concatenate((cut[:, :2].ravel(), again[:, :2].ravel())),
        "CH1_B": np.concatenate((cut[:50, 2:].ravel(), again[:, 2:].ravel())),
    }
    result = analyse(Bench("8 ns", 3, 5).wires(legs, [opened, opened + 2 * S]), {1: cfg})
    assert result.verdict == "pass", result.text()
    data = result.data()
    assert data["interlock"]["latency_ns"] == {"max": 40.0, "u": 8.0} and data["interlock"]["openings"] == 1
    assert data["channels"]["1"]["truncated"] == 1


def test_the_interlock_may_open_at_any_moment_of_a_pulse():
    cfg = planted.cfg("continuous")
    one = planted.pulses(cfg)
    for moment in range(-3_000, 460_000, 7_013):  # ns from the start of the pulse
        opened = int(one[50, 0]) + moment * 1000
        legs = {}
        for name, edges in (("CH1_A", one[:51, :2].ravel()), ("CH1_B", one[:51, 2:].ravel())):
            cut = edges[edges <= opened + 40_000]
            legs[name] = np.append(cut, opened + 40_000) if len(cut) & 1 else cut
        result = analyse(Bench("8 ns", moment, 5).wires(legs, [opened]), {1: cfg})
        assert result.verdict == "pass", (moment, result.text())


def test_an_opening_at_which_no_leg_was_high_shows_no_latency_and_passes_none():
    cfg = planted.cfg("continuous")
    one = planted.pulses(cfg)[:51]
    opened = int(one[50, 3]) + 900 * US
    legs = {"CH1_A": one[:, :2].ravel(), "CH1_B": one[:, 2:].ravel()}
    result = analyse(Bench("8 ns", 3, 5).wires(legs, [opened]), {1: cfg})
    locked = result.data()["interlock"]
    assert (locked["openings"], locked["latency_ns"]["max"], locked["verdict"]) == (1, None, "cannot_tell")
    assert result.verdict == "pass"  # of the train: nothing in it is wrong


def test_the_board_by_its_own_clock_judges_ticks_and_not_its_clock():
    cfg = planted.cfg("burst")
    result = analyse(Bench("8 ns", 1).capture({1: planted.pulses(cfg)}, own_clock=True), {1: cfg})
    assert result.verdict == "pass"
    assert result.data()["clock_ppm"]["value"] is None


def test_burst_and_on_off_structure_are_counted_on_whole_groups():
    cfg = planted.cfg("burst_on_off", duration_ms=8_000)
    channel = analyse(Bench("8 ns", 1).capture({1: planted.pulses(cfg)[1:]}), {1: cfg}).data()["channels"]["1"]
    assert channel["burst"]["pulses"] == {"min": 3, "max": 3, "commanded": 3}
    assert channel["on_off"]["groups"] == 4 and channel["on_off"]["pulses"]["min"] == 30
    assert abs(channel["on_off"]["period_us"]["mean"] - 1_400_000) <= channel["on_off"]["period_us"]["u"]


def test_charge_follows_the_set_point_between_and_inside_phases():
    cfg = planted.cfg("continuous")
    pulses = planted.pulses(cfg)
    bench = Bench("8 ns", 1)
    capture = bench.capture({1: pulses})
    a = capture.signals["CH1_A"].edges_ps
    inside = int(a[10]) + 100 * US  # the sixth pulse: 1 mA for 100 us of phase A, then 2 mA
    capture.setpoints = {1: ([0, inside], [1_000, 2_000])}
    charge = analyse(capture, {1: cfg}).data()["channels"]["1"]["charge_nc"]
    assert charge["phase_a"]["max"] == pytest.approx(400, abs=0.05)
    assert charge["net"]["max"] == pytest.approx(100, abs=2 * charge["u"])  # 300 nC less 400 nC
    assert abs(charge["net"]["accumulated"] + 100) <= len(pulses) * charge["u"]


def test_what_the_plan_commands_is_told_beside_what_is_measured():
    cfg = planted.cfg("modulated")
    channel = analyse(Bench("8 ns", 1).capture({1: planted.pulses(cfg)}), {1: cfg}).data()["channels"]["1"]
    plan = expected(cfg)
    assert channel["commanded"]["width_a_us"] == "100-200"
    for key, values in (("width_a_us", plan.widths_ps), ("period_us", plan.intervals_ps)):
        assert abs(channel[key]["min"] - values.min() / US) <= channel[key]["u"]
        assert abs(channel[key]["max"] - values.max() / US) <= channel[key]["u"]


def test_a_capture_may_begin_and_end_at_any_moment_of_a_pulse():
    cfg = planted.cfg("continuous")
    pulses = planted.pulses(cfg)
    bench = Bench("8 ns", 1, 100)
    whole = bench.capture({1: pulses}, before_ps=S, after_ps=S)
    for moment in range(-5 * US, 460 * US, 1_730_000):
        start, end = (int(t) for t in bench.told([pulses[10, 0] + moment, pulses[350, 0] + moment]))
        assert codes(analyse(planted.window(whole, start, end), {1: cfg})) <= {CLOCK}, moment / US


def test_silence_before_the_first_pulse_tells_one_place_in_the_plan_from_another():
    cfg = planted.cfg("alternating")
    pulses = planted.pulses(cfg)
    slow = int(np.flatnonzero(np.diff(pulses[:, 0]) > 60 * MS)[10])
    bench = Bench("8 ns", 1, 12)
    start, end = (int(t) for t in bench.told([pulses[slow, 0] + US, pulses[slow + 3, 3] + 60 * MS]))
    result = analyse(planted.window(bench.capture({1: pulses}), start, end), {1: cfg})
    assert codes(result) == set() and result.data()["channels"]["1"]["pulses"] == 3, result.text()
