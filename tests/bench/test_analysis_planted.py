"""Every planted error is found, by its own code, and nothing else is; or the analyser says that it cannot tell.

Each error in a train of 400 pulses or more, at every rate of sampling and several phases and clock ratios of it. An
error that the instrument cannot show is never a pass.
"""

from dataclasses import replace

import numpy as np
import pytest
from bench import planted
from bench.planted import MS, NS, RATES, US, Bench, S
from rheobase.bench.analysis import analyse
from rheobase.bench.capture import Signal

pytestmark = pytest.mark.req("REQ-131")

CONTINUOUS = planted.cfg("continuous")
ONE_TICK = US
SEEDS = range(4)
FAIL, CANNOT_TELL = "fail", "cannot_tell"


def benches(rate):
    return [Bench(rate, seed, (0, 3.3, -21, 28)[seed]) for seed in SEEDS]


def failed(result):
    return sorted({f["code"] for f in result.findings if f["verdict"] == FAIL})


def untold(result):
    return sorted({f["code"] for f in result.findings if f["verdict"] == CANNOT_TELL} - {"too_slow"})


def swapped(pulses, i, by):
    out = pulses.copy()
    out[i] += by
    return out


def _width_a(p, i):
    p[i, 1:] += ONE_TICK


def _width_b(p, i):
    p[i, 3] += ONE_TICK


def _short_a(p, i):
    p[i, 1:] -= ONE_TICK


def _gap(p, i):
    p[i, 2:] -= ONE_TICK


def _late(p, i):
    p[i] += 2 * US


def _step(p, i):
    p[i:] += ONE_TICK


def _stall(p, i):
    p[i:] += 2_345 * US


EDITS = {  # what is done to pulse i of the train: the code that must tell it, and those that may stand beside it
    _width_a: ({"width_a"}, {"imbalance"}),
    _width_b: ({"width_b"}, {"imbalance"}),
    _short_a: ({"width_a"}, {"imbalance"}),
    _gap: ({"gap"}, set()),
    _late: ({"start"}, set()),
    _step: ({"period"}, set()),
    _stall: ({"start"}, set()),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
@pytest.mark.parametrize("name", ("continuous", "burst", "alternating", "modulated", "on_off"))
def test_one_tick_wrong_in_one_pulse_is_found_where_it_is(name, edit, rate):
    cfg, (must, may) = planted.cfg(name), EDITS[edit]
    for bench in benches(rate):
        pulses = planted.pulses(cfg)
        i = len(pulses) // 2 + 3
        at_ns = int(bench.told([pulses[i, 0]])[0]) // NS
        edit(pulses, i)
        result = analyse(bench.capture({1: pulses}), {1: cfg})
        assert result.verdict == FAIL
        assert must <= set(failed(result)) <= must | may, result.text()
        told = [f for f in result.findings if f["code"] in must]
        assert len(told) == 1 and abs(told[0]["t_ns"] - at_ns) <= 600 * MS // NS
        assert told[0]["u"] > 0 and told[0]["channel"] == 1


@pytest.mark.parametrize("name", ("continuous", "burst", "alternating", "modulated", "modulated_on_off"))
def test_missing_and_extra_pulses_are_found_and_nothing_else(name):
    cfg = planted.cfg(name)
    for bench in benches("24 MHz"):
        pulses = planted.pulses(cfg)
        i = len(pulses) // 2
        result = analyse(bench.capture({1: np.delete(pulses, i, 0)}), {1: cfg})
        assert failed(result) == ["missing"], result.text()
        extra = np.insert(pulses, i, pulses[i] - 1_700 * US, 0)
        result = analyse(bench.capture({1: extra}), {1: cfg})
        assert failed(result) == ["extra"], result.text()


def test_one_missing_pulse_in_100_000_is_found():
    cfg = planted.cfg("continuous", duration_ms=1_000_000)
    pulses = planted.pulses(cfg)
    assert len(pulses) == 100_000
    for bench, gone in zip(benches("24 MHz"), (1, 31_234, 77_777, 99_998), strict=True):
        result = analyse(bench.capture({1: np.delete(pulses, gone, 0)}), {1: cfg})
        assert failed(result) == ["missing"], result.text()
        (found,) = (f for f in result.findings if f["code"] == "missing")
        assert abs(found["t_ns"] - int(bench.told([pulses[gone, 0]])[0]) // NS) <= 1_000
        assert result.data()["channels"]["1"]["missing"] == 1


def test_a_burst_with_one_pulse_less_is_found_whichever_it_is():
    cfg = planted.cfg("burst")
    for bench, gone in zip(benches("8 ns"), (20, 21, 22, 24), strict=True):
        result = analyse(bench.capture({1: np.delete(planted.pulses(cfg), gone, 0)}), {1: cfg})
        assert failed(result) == ["missing"], result.text()


def test_every_burst_with_one_pulse_less_is_found():
    cfg = planted.cfg("burst")
    result = analyse(Bench("8 ns", 1).capture({1: planted.pulses(planted.cfg("burst", burst_pulses=4))}), {1: cfg})
    assert result.verdict == FAIL and set(failed(result)) <= {"missing", "wrong_protocol"}, result.text()


@pytest.mark.parametrize("rate", RATES)
def test_a_drift_of_50_ppm_is_found_with_a_known_clock_and_untold_without(rate):
    for name in planted.TRAINS:
        cfg = planted.cfg(name)
        for ppm in (50, -50):
            capture = Bench(rate, 2, ppm).capture({1: planted.pulses(cfg)})
            assert failed(analyse(capture, {1: cfg}, clock_ppm=5)) == ["clock"]
            assert (analyse(capture, {1: cfg}).verdict, untold(analyse(capture, {1: cfg}))) == (CANNOT_TELL, ["clock"])


@pytest.mark.parametrize(
    ("ppm", "clock_ppm", "verdict"),
    ((0, None, "pass"), (29.9, None, "pass"), (30.1, None, CANNOT_TELL), (129.9, None, CANNOT_TELL),
     (130.2, None, FAIL), (200, None, FAIL), (0, 5, "pass"), (-29.9, 5, "pass"), (34.9, 5, CANNOT_TELL),
     (-35.2, 5, FAIL)),
)  # fmt: skip
def test_the_clock_is_judged_at_its_bounds(ppm, clock_ppm, verdict):
    capture = Bench("8 ns", 5, ppm).capture({1: planted.pulses(CONTINUOUS)})
    assert analyse(capture, {1: CONTINUOUS}, clock_ppm).data()["clock_ppm"]["verdict"] == verdict


def test_half_a_capture_fast_and_half_slow_is_a_clock_that_fails():
    pulses = planted.pulses(planted.cfg("continuous", duration_ms=60_000))
    late = np.abs(pulses[:, :1] - pulses[3_000, 0]) * 200 // 1_000_000
    result = analyse(Bench("8 ns", 1).capture({1: pulses + late}), {1: CONTINUOUS | {"duration_ms": 60_000}})
    assert "clock" in failed(result), result.text()


@pytest.mark.parametrize("rate", RATES)
def test_2_us_of_jitter_is_found_as_jitter(rate):
    for name in ("continuous", "burst", "alternating", "on_off"):
        cfg = planted.cfg(name)
        for bench in benches(rate):
            pulses = planted.pulses(cfg)
            jitter = np.random.default_rng(bench.phase_ps).integers(-2 * US, 2 * US, len(pulses))
            result = analyse(bench.capture({1: pulses + jitter[:, None]}), {1: cfg})
            assert "start" in failed(result), result.text()
            assert set(failed(result)) <= {"start", "period"}, result.text()
            figures = result.data()["channels"]["1"]["start_ns"]
            assert 1_500 < figures["peak"] < 4_200 and 900 < figures["rms"] < 1_600


@pytest.mark.parametrize("rate", RATES)
def test_legs_that_overlap_for_one_sample_are_found(rate):
    for bench in benches(rate):
        pulses = planted.pulses(CONTINUOUS)
        pulses[123, 1] = pulses[123, 2] + bench.resolution_ps
        result = analyse(bench.capture({1: pulses}), {1: CONTINUOUS})
        assert "overlap" in failed(result), result.text()
        (found,) = (f for f in result.findings if f["code"] == "overlap")
        assert 0 < found["measured"] <= 2 * bench.resolution_ps / NS


def test_an_overlap_on_a_channel_that_is_not_judged_is_found_too():
    pulses = planted.pulses(CONTINUOUS)
    other = pulses + 3 * MS
    other[7, 1] = other[7, 2] + 8 * NS
    result = analyse(Bench("8 ns", 1).capture({1: pulses, 2: other}), {1: CONTINUOUS})
    assert [(f["code"], f["channel"]) for f in result.findings] == [("overlap", 2)]


@pytest.mark.parametrize(("rate", "found"), (("8 ns", True), ("10 ns", True), ("24 MHz", False), ("125 ns", False)))
@pytest.mark.parametrize("where", (slice(100, 101), slice(None)), ids=("one pulse", "every pulse"))
def test_an_imbalance_of_a_thousandth_is_found_or_untold_but_never_passed(where, rate, found):
    for bench in benches(rate):
        pulses = planted.pulses(CONTINUOUS)
        pulses[where, 3] += 200 * NS
        result = analyse(bench.capture({1: pulses}), {1: CONTINUOUS})
        if found:
            assert failed(result) == ["imbalance"], result.text()
        else:
            assert result.verdict in (CANNOT_TELL, FAIL), result.text()  # a sample may fall so that it shows
            assert {f["code"] for f in result.findings} <= {"imbalance", "too_slow"}


def test_a_capture_too_slow_for_the_phases_difference_says_which_rate_would_do():
    result = analyse(Bench("125 ns", 1, 3).capture({1: planted.pulses(CONTINUOUS)}), {1: CONTINUOUS})
    (found,) = result.findings
    assert (found["code"], found["verdict"]) == ("too_slow", CANNOT_TELL)
    assert found["measured"] == 125 and found["expected"] == pytest.approx(33.3, abs=0.1)
    assert "33.3 ns (30 MHz) or faster" in found["text"]


def test_a_capture_too_slow_for_the_phases_themselves_judges_nothing():
    cfg = planted.cfg("continuous", width_us=20, gap_us=3)
    bench = Bench("125 ns", 1)
    bench.over = 2_000_000  # 500 kHz
    result = analyse(bench.capture({1: planted.pulses(cfg)}), {1: cfg})
    assert {(f["code"], f["verdict"]) for f in result.findings} == {("too_slow", CANNOT_TELL)}


@pytest.mark.parametrize("late_ns", (200, 400, 1_000))
@pytest.mark.parametrize("rate", RATES)
def test_a_late_interlock_is_found(rate, late_ns):
    for bench in benches(rate):
        pulses = planted.pulses(CONTINUOUS)[:51]
        opened = int(pulses[50, 0]) + 90 * US
        legs = {"CH1_A": np.append(pulses[:, :2].ravel()[:-1], opened + late_ns * NS), "CH1_B": pulses[:50, 2:].ravel()}
        result = analyse(bench.wires(legs, [opened]), {1: CONTINUOUS})
        if late_ns * NS - 2 * bench.resolution_ps > 100 * NS:
            assert failed(result) == ["interlock_late"], result.text()
        else:
            assert result.verdict in (CANNOT_TELL, FAIL), result.text()


def test_an_interlock_that_cuts_nothing_is_found():
    pulses = planted.pulses(CONTINUOUS)
    opened = int(pulses[50, 0]) + 90 * US
    result = analyse(Bench("8 ns", 1).capture({1: pulses}, [opened]), {1: CONTINUOUS})
    assert {"interlock_late", "output_while_open"} <= set(failed(result)), result.text()


def test_a_pulse_while_the_interlock_is_open_is_found():
    pulses = planted.pulses(CONTINUOUS)[:60]
    opened = int(pulses[50, 3]) + 90 * US
    result = analyse(Bench("8 ns", 1).capture({1: pulses[[*range(51), 55]]}, [opened]), {1: CONTINUOUS})
    assert failed(result) == ["output_while_open"], result.text()
    result = analyse(Bench("8 ns", 1).capture({1: pulses}, [opened - 30 * S], initial_interlock=0), {1: CONTINUOUS})
    assert result.verdict == "pass"  # closed before the capture's first pulse


@pytest.mark.parametrize("rate", RATES)
def test_an_edge_swapped_between_channels_is_found_on_both(rate):
    for bench in benches(rate):
        one = planted.pulses(CONTINUOUS)
        two = one + 1_234 * US  # in step, but not at once
        for edge in range(4):
            a, b = one.copy(), two.copy()
            a[77, edge], b[77, edge] = two[77, edge], one[77, edge]
            legs = {}
            for n, pulses in ((1, a), (2, b)):
                for leg, columns in (("A", slice(0, 2)), ("B", slice(2, 4))):
                    legs[f"CH{n}_{leg}"] = np.sort(pulses[:, columns].ravel())
            result = analyse(bench.wires(legs), {1: CONTINUOUS, 2: CONTINUOUS})
            assert {f["channel"] for f in result.findings if f["verdict"] == FAIL} == {1, 2}, result.text()


def test_a_phase_told_on_the_other_channel_is_found_on_both():
    one = planted.pulses(CONTINUOUS)
    two = one + 1_234 * US
    legs = {
        "CH1_A": np.delete(one, 77, 0)[:, :2].ravel(),
        "CH1_B": one[:, 2:].ravel(),
        "CH2_A": np.sort(np.concatenate((two[:, :2].ravel(), one[77, :2]))),
        "CH2_B": two[:, 2:].ravel(),
    }
    result = analyse(Bench("8 ns", 1).wires(legs), {1: CONTINUOUS, 2: CONTINUOUS})
    told = {(f["code"], f["channel"]) for f in result.findings}
    assert {("lone_phase", 1), ("lone_phase", 2)} <= told <= {("lone_phase", 1), ("lone_phase", 2), ("missing", 1)}


@pytest.mark.parametrize("rate", RATES)
def test_a_runt_of_one_sample_is_found(rate):
    for bench in benches(rate):
        for leg in "AB":
            pulses = planted.pulses(CONTINUOUS)
            legs = {"CH1_A": pulses[:, :2].ravel(), "CH1_B": pulses[:, 2:].ravel()}
            at = int(pulses[88, 3]) + 700 * US
            legs[f"CH1_{leg}"] = np.sort(np.append(legs[f"CH1_{leg}"], (at, at + bench.resolution_ps)))
            result = analyse(bench.wires(legs), {1: CONTINUOUS})
            assert failed(result) == ["runt"], result.text()


@pytest.mark.parametrize("rate", RATES)
def test_a_period_one_tick_off_throughout_is_a_period_on_the_boards_own_clock_and_a_clock_on_anothers(rate):
    for name in ("continuous", "burst"):
        cfg = planted.cfg(name)
        pulses = planted.pulses(cfg)
        pulses += np.arange(len(pulses))[:, None] * ONE_TICK
        own = analyse(Bench(rate, 1).capture({1: pulses}, own_clock=True), {1: cfg})
        assert "period" in failed(own) and set(failed(own)) <= {"period", "start"}, own.text()
        other = analyse(Bench(rate, 1).capture({1: pulses}), {1: cfg}, clock_ppm=5)
        assert failed(other), other.text()
        assert analyse(Bench(rate, 1).capture({1: pulses}), {1: cfg}).verdict != "pass"


def test_another_protocol_is_told_as_such_with_what_was_expected_and_measured():
    cfg = CONTINUOUS
    for other in (
        planted.cfg("continuous", period_us=11_000),
        planted.cfg("continuous", width_us=250),
        planted.cfg("continuous", period_us=20_000),
        planted.cfg("fast"),
        planted.cfg("slow"),
        planted.cfg("modulated"),
    ):
        result = analyse(Bench("24 MHz", 1, 3).capture({1: planted.pulses(other)}), {1: cfg})
        (found,) = (f for f in result.findings if f["verdict"] == FAIL)
        assert found["code"] == "wrong_protocol" and "commanded 200 \u00b5s" in found["text"], result.text()
    slow = planted.cfg("continuous", period_us=66_667)  # the slow turns of the alternating train, a sixth of it
    result = analyse(Bench("24 MHz", 1, 3).capture({1: planted.pulses(planted.cfg("alternating"))}), {1: slow})
    assert failed(result) == ["wrong_protocol"], result.text()


def test_legs_that_are_mapped_the_wrong_way_round_are_found():
    pulses = planted.pulses(CONTINUOUS)
    legs = {"CH1_B": pulses[:, :2].ravel(), "CH1_A": pulses[:, 2:].ravel()}
    result = analyse(Bench("8 ns", 1).wires(legs), {1: CONTINUOUS})
    assert "legs_swapped" in failed(result), result.text()


def test_a_pause_is_one_finding_and_not_thousands():
    for name in ("continuous", "burst", "alternating", "modulated", "on_off"):
        cfg = planted.cfg(name, duration_ms=60_000)
        pulses = planted.pulses(cfg)
        for bench in benches("24 MHz"):
            paused = swapped(pulses, slice(len(pulses) // 3, None), 7_654_321 * US + bench.phase_ps)
            result = analyse(bench.capture({1: paused}), {1: cfg})
            assert result.verdict == FAIL
            assert len([f for f in result.findings if f["verdict"] == FAIL]) <= 3, (name, result.text())


def test_a_stall_is_found_whatever_is_counted_and_beside_a_pause():
    for name, late_us in (("continuous", 25), ("continuous", 3_000), ("burst", 40), ("modulated", 77_777)):
        cfg = planted.cfg(name, duration_ms=20_000)
        pulses = planted.pulses(cfg)
        stalled = swapped(pulses, slice(len(pulses) // 3, None), late_us * US)
        skipped = np.delete(pulses, slice(len(pulses) // 3, len(pulses) // 3 + 5), axis=0)
        for one in (stalled, skipped):
            capture = Bench("8 ns", 1, 7).capture({1: one})
            assert analyse(capture, {1: cfg}, expect={1: len(one)}).verdict == FAIL, (name, late_us)
        both = swapped(stalled, slice(len(pulses) // 2, None), 7_654_321 * US)
        result = analyse(Bench("8 ns", 1, 7).capture({1: both}), {1: cfg}, expect={1: len(both)}, pauses=1)
        assert failed(result) in (["start"], ["missing"]), (name, late_us, result.text())


def test_a_phase_that_a_captures_end_cuts_is_no_longer_than_commanded():
    pulses = planted.pulses(CONTINUOUS)
    legs = {"CH1_A": pulses[:, :2].ravel(), "CH1_B": pulses[:, 2:].ravel()}
    bench = Bench("8 ns", 1)
    for column, code in ((0, "width_a"), (2, "width_b")):
        for us, how in ((150, "pass"), (210, FAIL), (390, FAIL)):
            at = int(pulses[200, column])
            longer = {k: v.copy() for k, v in legs.items()}
            longer["CH1_A" if column == 0 else "CH1_B"][401] += 1_000 * US
            end = planted.window(bench.wires(longer), 0, int(bench.told([at + us * US])[0]))
            assert end.signals["CH1_B" if column else "CH1_A"].level(end.end_ps) == 1
            assert analyse(end, {1: CONTINUOUS}).verdict == how, (code, us)
            back = planted.window(bench.wires(longer), int(bench.told([at + (1_200 - us) * US])[0]), 3 * S)
            result = analyse(back, {1: CONTINUOUS})
            assert (code in failed(result)) == (how == FAIL), (code, us, result.text())


def test_a_phase_without_its_partner_is_found_up_to_the_captures_ends():
    pulses = planted.pulses(CONTINUOUS)
    bench = Bench("8 ns", 1)
    for least_us, how in ((30, "pass"), (60, FAIL)):
        legs = {"CH1_A": pulses[:, :2].ravel(), "CH1_B": pulses[:-1, 2:].ravel()}
        end = bench.wires(legs, after_ps=least_us * US)
        assert analyse(end, {1: CONTINUOUS}).verdict == how
        legs = {"CH1_A": pulses[1:, :2].ravel(), "CH1_B": pulses[:, 2:].ravel()}
        assert analyse(bench.wires(legs, before_ps=least_us * US), {1: CONTINUOUS}).verdict == how


def test_a_train_that_goes_on_after_the_interlock_opened_is_found():
    for name in ("continuous", "slow", "burst", "modulated"):
        cfg = planted.cfg(name, duration_ms=8_000)
        pulses = planted.pulses(cfg)
        opened = int(pulses[9, 3]) + 100 * US
        for bench in benches("8 ns"):
            result = analyse(bench.capture({1: pulses}, [opened, opened + US]), {1: cfg})
            assert failed(result) == ["goes_on"], (name, result.text())


def test_a_leg_that_is_high_with_the_interlock_open_from_the_start_is_found():
    pulses = planted.pulses(CONTINUOUS)
    capture = Bench("8 ns", 1).capture({1: pulses[:1]}, [], initial_interlock=0)
    for us, code in ((150, ["interlock_late"]), (200.05, [])):
        end = int(capture.signals["CH1_A"].edges_ps[0]) + 200 * US
        cut = planted.window(capture, end - int((us if us < 200 else 0.05) * US), end + 40 * US)
        assert failed(analyse(cut, {1: CONTINUOUS})) == code, us


def test_a_leg_that_stays_high_is_found_however_slow_the_capture():
    slow = replace(Bench("125 ns", 1).capture({1: planted.pulses(CONTINUOUS)}), resolution_ps=100 * US)
    assert failed(analyse(slow, {1: CONTINUOUS})) == []
    for name, code in (("CH1_A", "width_a"), ("CH1_B", "width_b")):
        edges = slow.signals[name].edges_ps
        signals = {**slow.signals, name: Signal(0, np.delete(edges, [101, 102]))}
        assert code in failed(analyse(replace(slow, signals=signals), {1: CONTINUOUS}))


def test_a_leg_that_stays_high_to_the_end_is_found():
    pulses = planted.pulses(CONTINUOUS)
    for column, code in ((0, "width_a"), (2, "width_b")):
        legs = {"CH1_A": pulses[:, :2].ravel(), "CH1_B": pulses[:, 2:].ravel()}
        name = "CH1_A" if column == 0 else "CH1_B"
        legs[name] = legs[name][:-1]
        result = analyse(Bench("8 ns", 1).wires(legs, after_ps=20 * MS), {1: CONTINUOUS})
        assert code in failed(result), result.text()


def test_a_torn_capture_is_never_a_pass():
    capture = Bench("8 ns", 1).capture({1: planted.pulses(CONTINUOUS)}, torn="The file ends inside a line.")
    result = analyse(capture, {1: CONTINUOUS})
    assert result.verdict == CANNOT_TELL and untold(result) == ["torn"]
    assert analyse(capture, {1: CONTINUOUS}, expect={1: 401}).verdict == CANNOT_TELL
    assert analyse(capture, {1: CONTINUOUS}, expect={1: 399}).verdict == FAIL


def test_counts_are_judged_only_where_one_is_expected():
    capture = Bench("8 ns", 1).capture({1: planted.pulses(CONTINUOUS)[:-3]})
    assert analyse(capture, {1: CONTINUOUS}).verdict == "pass"
    assert analyse(capture, {1: CONTINUOUS}, expect={1: 397}).verdict == "pass"
    for wrong in (396, 400):
        (found,) = analyse(capture, {1: CONTINUOUS}, expect={1: wrong}).findings
        assert (found["code"], found["expected"], found["measured"]) == ("count", wrong, 397)


def test_more_than_20_of_a_kind_are_counted_and_not_listed():
    pulses = planted.pulses(CONTINUOUS)
    pulses[:, 1:] += ONE_TICK
    result = analyse(Bench("8 ns", 1).capture({1: pulses}), {1: CONTINUOUS})
    told = [f for f in result.findings if f["code"] == "width_a"]
    assert len(told) == 21 and told[-1]["measured"] == 380 and "380 more" in told[-1]["text"]


def test_no_pulse_at_all_is_a_fail_and_a_capture_shorter_than_a_period_cannot_tell():
    bench = Bench("8 ns", 1)
    capture = bench.capture({1: planted.pulses(CONTINUOUS)[:1]})
    for signal in capture.signals.values():
        signal.edges_ps = signal.edges_ps[:0]
    capture.end_ps = capture.start_ps + S
    assert failed(analyse(capture, {1: CONTINUOUS})) == ["no_pulses"]
    capture.end_ps = capture.start_ps + 5 * MS
    assert untold(analyse(capture, {1: CONTINUOUS})) == ["no_pulses"]


def test_a_leg_that_is_high_from_the_start_for_longer_than_a_phase_is_found():
    pulses = planted.pulses(CONTINUOUS)
    for leg, code in (("CH1_A", "width_a"), ("CH1_B", "width_b")):
        capture = Bench("8 ns", 1).capture({1: pulses}, before_ps=5 * MS)
        signal = capture.signals[leg]
        signal.initial, signal.edges_ps = 1, np.insert(signal.edges_ps, 0, capture.start_ps + 3 * MS)
        assert code in failed(analyse(capture, {1: CONTINUOUS}))


def test_pulses_after_the_protocols_end_are_extra():
    longer = planted.pulses(planted.cfg("continuous", duration_ms=4_500))
    (found,) = analyse(Bench("8 ns", 1).capture({1: longer}), {1: CONTINUOUS}).findings
    assert (found["code"], found["measured"]) == ("extra", len(longer) - len(planted.pulses(CONTINUOUS)))


def test_the_first_pulse_of_a_train_that_the_capture_should_hold_is_missed():
    cfg = planted.cfg("burst")
    (found,) = analyse(Bench("8 ns", 1).capture({1: planted.pulses(cfg)[2:]}, before_ps=S), {1: cfg}).findings
    assert (found["code"], found["expected"]) == ("missing", 2)


@pytest.mark.parametrize(
    "cfg",
    (
        *(planted.cfg(name) for name in ("continuous", "alternating", "on_off", "burst")),
        planted.cfg(
            "continuous", period_us=4_692, width_us=136, on_ms=2_000, off_ms=5
        ),  # an interval like a missing one
    ),
)
def test_a_missing_pulse_is_found_in_a_capture_of_20(cfg):
    every = planted.pulses(cfg)
    for first in range(0, len(every) - 24, 7):
        pulses = np.delete(every[first : first + 21], 9 + first % 3, 0)
        result = analyse(Bench("8 ns", first).capture({1: pulses}), {1: cfg})
        assert failed(result) == ["missing"], (first, result.text())


def test_no_train_is_taken_for_another():
    for name in planted.TRAINS:
        capture = Bench("8 ns", 1, 3).capture({1: planted.pulses(planted.cfg(name))})
        for other in planted.TRAINS:
            result = analyse(capture, {1: planted.cfg(other)})
            if name != other:
                assert result.verdict == FAIL, (name, other, result.text())
