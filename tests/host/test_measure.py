"""What the tests and the demo measure with: no phase is lost, least of all one that does not end."""

import pytest
from rheobase.measure import drop_unequal, trains

pytestmark = pytest.mark.req("REQ-131")


def edges(text):
    """Edges of channel 1, one a microsecond: A and B rise, a and b fall, a dot is nothing."""
    return [(1000 * t, f"CH1_{c.upper()}", int(c.isupper())) for t, c in enumerate(text) if c != "."]


@pytest.mark.parametrize(
    ("text", "whole", "truncated", "overlaps"),
    [
        ("Aa.Bb...Aa.Bb", [0, 8000], [], []),
        ("Aa.Bb...A....", [0], [8000], []),  # leg A is high and stays high
        ("Aa.B.........", [], [0], []),  # leg B
        ("....B........", [], [4000], []),  # and without a phase A
        ("Aa.......Aa.Bb", [9000], [0], []),  # a phase A alone, in the train
        (".....Bb...", [], [5000], []),
        ("A..B..a.b", [0], [], [3000]),  # both legs high: told as such, whatever the shape
        ("B..A..b.a", [], [0, 3000], [3000]),
        ("A.B......", [], [0, 2000], [2000]),  # and left so
    ],
)
def test_what_never_became_a_whole_pulse_is_truncated_also_where_it_does_not_end(text, whole, truncated, overlaps):
    train = trains(edges(text))[1]
    assert [p.t_ns for p in train.pulses] == whole
    assert sorted(train.truncated) == truncated
    assert train.overlaps == overlaps


def test_a_pulse_is_measured_in_its_three_parts():
    (pulse,) = trains(edges("..A..a....B..b"))[1].pulses
    assert (pulse.t_ns, pulse.a_ns, pulse.gap_ns, pulse.b_ns) == (2000, 3000, 5000, 3000)


@pytest.mark.parametrize(("short_ns", "left"), [(8, 1), (9, 0)])
def test_phases_that_differ_by_more_than_is_told_are_no_pulse(short_ns, left):
    uneven = [(0, "CH1_A", 1), (500, "CH1_A", 0), (600, "CH1_B", 1), (1100 - short_ns, "CH1_B", 0)]
    train = drop_unequal(trains(uneven)[1], 8)
    assert (len(train.pulses), len(train.truncated)) == (left, 1 - left)
