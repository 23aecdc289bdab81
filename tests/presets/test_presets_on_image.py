"""Every shipped preset on the real image, edge by edge, some seconds of each; `make presets` plays their whole shape.

About 65 s of processor time. Simulated time throughout. What is shortened stands in judge.shortened().
"""

import json

import pytest
from dut import Dut
from presets import commanded, judge, table
from rheobase import library
from rheobase.emulator.snapshot import in_child

NAMES = library.shipped_ids()
TOGETHER = [NAMES[k : k + 3] for k in range(0, len(NAMES), 3)]  # the board's channels: a session costs less than three
ROWS = json.loads(table.JSON.read_text())


@pytest.fixture(scope="module")
def booted(board_image):
    return Dut(board_image)


@pytest.mark.req("REQ-001", "REQ-005", "REQ-008", "REQ-009")
@pytest.mark.parametrize("names", TOGETHER, ids="+".join)
def test_a_preset_delivers_what_its_file_commands(booted, names, tmp_path):
    """Each start, phase and gap on its tick; amplitude within 5 % of the ramp; off at the end."""
    channels = {n: judge.shortened(name, brief=True) for n, name in enumerate(names, 1)}
    rows, wrong = in_child(judge.play, booted, channels, tmp_path, timeout_s=300.0)
    assert not wrong
    assert {row["verdict"] for row in rows.values()} == {"PASS"}


def test_the_table_has_every_preset_as_it_is_now_and_every_one_passed():
    """A preset that is new or edited fails here until `make presets` has played it."""
    assert [row["preset"] for row in ROWS] == NAMES
    for row in ROWS:
        assert tuple(row) == judge.COLUMNS
        wanted = judge.shortened(row["preset"], brief=False)
        assert row["verdict"] == "PASS"
        assert row["channels"] == judge.pairs(row["preset"])
        assert row["changed"] == wanted.changed
        assert row["pulses"] == row["channels"] * len(list(commanded.pulses(wanted.doc)))


def test_the_page_is_made_of_the_rows():
    assert table.MARKDOWN.read_text() == table.markdown(ROWS)
    assert table.JSON.read_text() == table.text(ROWS)


@pytest.mark.parametrize(
    ("change", "count", "starts"),
    [
        ({}, 20, [0, 100_000, 200_000]),
        ({"kind": "burst", "burst_hz": 2, "burst_pulses": 3}, 12, [0, 100_000, 200_000, 500_000]),
        (
            {"kind": "alternating", "alt_frequency_hz": 3, "dwell_s": 0.3, "frequency_hz": 15},
            18,
            [0, 66_667, 133_334, 200_001, 266_668, 600_001, 666_668],  # 0.3 s: 4.49 periods are four, 0.9 is one
        ),
        (
            {"kind": "modulated", "frequency_hz": [2, 10], "width_us": [200, 100], "cycle_s": 1},
            11,
            [0, 500_000, 600_000, 719_048, 872_989],  # 10 Hz at the half, 8.4 Hz at 0.6 s, 6.496 Hz at 0.719 s
        ),
    ],
)
def test_the_expectation_itself_by_hand(change, count, starts):
    train = {"kind": "continuous", "frequency_hz": 10, "width_us": 100, "gap_us": 50, **change}
    doc = {"train": train, "envelope": {"ramp_up_s": 1, "ramp_down_s": 1}, "session": {"duration_s": 2}}
    found = list(commanded.pulses(doc))
    assert [at for at, _ in found[: len(starts)]] == starts
    assert len(found) == count
    assert commanded.share(doc, 500_000) == 0.5 and commanded.share(doc, 1_750_000) == 0.25
