"""The side-by-side benchmark: its page is what its data make, and its claim holds in a short run of two makers."""

import copy
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MODULES = ("bench", "cases", "compare", "figures", "page")


@pytest.fixture(scope="module")
def baselines():
    """The modules of benchmarks/baselines, by name; none of them stays importable as `bench`."""
    folder = str(ROOT / "benchmarks" / "baselines")
    path, before = sys.path[:], {name: sys.modules.pop(name, None) for name in MODULES}
    sys.path.insert(0, folder)
    try:
        yield {name: __import__(name) for name in MODULES}
    finally:
        sys.path[:] = path
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


@pytest.fixture(scope="module")
def results():
    return json.loads((DOCS / "benchmark.json").read_text(encoding="utf-8"))


def test_the_page_is_what_its_data_make(baselines, results):
    page = baselines["page"]
    assert page.markdown(results) == (DOCS / "benchmark.md").read_text(encoding="utf-8")
    assert page.text(results) == (DOCS / "benchmark.json").read_text(encoding="utf-8")


def test_the_picture_is_there_and_carries_no_date():
    picture = (DOCS / "benchmark.svg").read_text(encoding="utf-8")
    assert picture.startswith("<?xml") and "</svg>" in picture and "dc:date" not in picture


def test_every_maker_was_run_in_every_train_and_condition(baselines, results):
    cases = baselines["cases"]
    makers = {maker.name for maker in cases.MAKERS if results["image"]["hard_timer"] or not maker.hard}
    wanted = {(m, t.name, c) for m in makers for t in cases.TRAINS for c in cases.CONDITIONS}
    assert {(row["maker"], row["train"], row["condition"]) for row in results["runs"]} == wanted
    assert {(row["maker"], row["how"]) for row in results["hangs"]} == {(m, how) for m in makers for how in cases.HANGS}


def test_while_garbage_is_collected_rheobase_is_exact_and_a_loop_is_not(board_image, baselines):
    """0 ns of width, gap and balance against more than 5 µs of width and 1 ms of period; a second's half of 100 Hz."""
    bench, cases = baselines["bench"], baselines["cases"]
    train = replace(cases.TRAINS[0], seconds=1)
    ours = bench.timing(board_image, cases.maker_of("Rheobase"), train, "garbage")
    loop = bench.timing(board_image, cases.maker_of("loop"), train, "garbage")
    assert ours["pulses"] == loop["pulses"] == 100
    assert [ours[key] for key in ("a_worst_ns", "b_worst_ns", "gap_worst_ns", "imbalance_worst_ns", "missing")] == [
        0
    ] * 5
    assert ours["period_most_ns"] - ours["period_least_ns"] <= 200
    assert abs(loop["a_worst_ns"]) > 5_000 and loop["imbalance_worst_ns"] > 100
    assert loop["period_most_ns"] - loop["period_least_ns"] > 1_000_000


def test_a_core_that_locks_up_in_a_phase_leaves_a_loops_leg_high_and_rheobases_off(board_image, baselines):
    """The loop's leg is high to the end of 3 s; Rheobase is off within 200 ms, balanced to 0 µs."""
    bench, cases = baselines["bench"], baselines["cases"]
    loop = bench.hang(board_image, cases.maker_of("loop, viper"), "locks up", False)
    ours = bench.hang(board_image, cases.maker_of("Rheobase"), "locks up", False)
    assert loop["high_ms"] >= 3000 and loop["off_after_ms"] is None
    assert ours["off_after_ms"] <= 200 and ours["high_ms"] == 0.2 and ours["net_us"] == 0


def edges_of(pulses):
    """Edges of [(start, A, gap, B)] in ns."""
    out = []
    for t, a, gap, b in pulses:
        out += [(t, "CH1_A", 1), (t + a, "CH1_A", 0), (t + a + gap, "CH1_B", 1), (t + a + gap + b, "CH1_B", 0)]
    return out


def test_figures_find_what_was_put_into_a_train(baselines):
    figures, cases = baselines["figures"], baselines["cases"]
    train = cases.Train("t", 10_000, 200, 50, seconds=1)
    whole = [[n * 10_000_000, 200_000, 50_000, 200_000] for n in range(110)]
    assert not any(value for key, value in figures.figures(edges_of(whole), train).items() if key != "pulses")
    wrong = copy.deepcopy(whole)
    wrong[10][0] += 30_000  # late
    wrong[20][1] += 4_000  # A long, so B later
    del wrong[50]
    found = figures.figures(edges_of(wrong), train)
    assert (found["missing"], found["pulses"], found["imbalance_worst_ns"]) == (1, 99, 4_000)
    assert (found["a_worst_ns"], found["b_worst_ns"], found["period_least_ns"]) == (4_000, 0, -30_000)
    assert found["period_most_ns"] == 10_000_000 and found["net_ppm"] == round(4e6 / (99 * 400 + 4), 1)
    stopped = figures.figures(edges_of(whole[:60]), train)
    assert stopped["missing"] == 40


def test_bursts_with_a_pulse_too_many_are_counted(baselines):
    figures, cases = baselines["figures"], baselines["cases"]
    train = cases.Train("t", 10_000, 200, 50, pulses=5, cycle=20, seconds=1)
    slots = [n for n in range(120) if n % 20 < 5]
    pulses = [(n * 10_000_000, 200_000, 50_000, 200_000) for n in slots]
    good = figures.figures(edges_of(pulses), train)
    assert (good["missing"], good["bursts_wrong"], good["pulses"], good["period_most_ns"]) == (0, 0, 25, 0)
    more = figures.figures(edges_of(sorted([*pulses, (25 * 10_000_000, 200_000, 50_000, 200_000)])), train)
    assert (more["missing"], more["bursts_wrong"]) == (-1, 1)


def test_the_comparison_finds_a_row_that_is_off_gone_or_new(baselines, results):
    differences = baselines["compare"].differences
    assert differences(results, results) == []
    now = copy.deepcopy(results)
    row = next(row for row in now["runs"] if row["maker"] == "Rheobase")
    row["a_worst_ns"] = 24
    now["hangs"][0]["high_ms"] += 31
    gone = now["runs"].pop()
    sentences = differences(results, now)
    assert len(sentences) == 3
    assert any(s.startswith("Rheobase, ") and "a_worst_ns was 0, is 24" in s for s in sentences)
    assert any("on the page and not run" in s and gone["maker"] in s for s in sentences)
