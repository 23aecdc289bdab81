"""A host's clock that jumps: the record says so, and neither its order nor a duration depends on it. Wall: 1 s."""

import pytest
from record.make_record import begin, treatment
from rheobase import report
from rheobase.record import Clock, RecordReader, RecordWriter


class Hands:
    """A host's two clocks, moved by hand. tick(s): both go on; set(s): somebody sets the wall clock."""

    def __init__(self):
        self.wall, self.steady = 1_700_000_000.0, 50.0

    def wall_s(self):
        return self.wall

    def steady_s(self):
        return self.steady

    def tick(self, s):
        self.wall += s
        self.steady += s

    def set(self, s):
        self.wall += s


def record(tmp_path, *steps):
    """Lines of a record: of the steps, a number ticks, "+5" and "-5" set the clock; a telemetry line after each."""
    hands = Hands()
    with RecordWriter.create("A", 1000, tmp_path, clock=hands) as writer:
        for k, step in enumerate(steps):
            hands.tick(step) if isinstance(step, (int, float)) else hands.set(float(step))
            writer.write("telemetry", 1000 * k, seq=k, channels={})
    return RecordReader(writer.path).lines


def jumps(lines):
    return [(line["n"], line["s"]) for line in lines if line.get("event") == "clock_jump"]


@pytest.mark.parametrize("step", ["+3600", "-7200.5", "+1.001"])
def test_a_jump_of_more_than_a_second_is_an_event_once_before_the_line_that_follows(tmp_path, step):
    lines = record(tmp_path, 0, 0.1, step, 0.1, 0.1)
    assert jumps(lines) == [(3, float(step))]
    assert lines[2]["dev_us"] == 2000 or lines[2]["dev_us"] == 1000  # the newest that was known
    assert [line["n"] for line in lines] == list(range(1, 7))


def test_small_steps_are_no_event_until_they_are_more_than_a_second_together(tmp_path):
    assert jumps(record(tmp_path, 0, "+0.9", 1, 1)) == []
    assert jumps(record(tmp_path, 0, "+0.6", 1, "+0.6", 1)) == [(4, 1.2)]


def test_there_and_back_are_two_events(tmp_path):
    assert jumps(record(tmp_path, 0, "+60", 1, "-60", 1)) == [(2, 60.0), (5, -60.0)]


@pytest.mark.req("REQ-113")
def test_order_and_durations_do_not_depend_on_the_wall_clock(tmp_path):
    lines = record(tmp_path, 0, 1, "-7200", 1, 1)
    since = [line["host_ms"] for line in lines]
    assert since == sorted(since) == [0, 1000, 1000, 1000, 2000, 3000]
    stamps = [line["host_utc"] for line in lines]
    assert stamps != sorted(stamps)  # the host's time is kept as it stood


def test_the_host_has_such_a_clock(tmp_path):
    with begin(tmp_path) as writer:
        writer.write("telemetry", 1, channels={})
    assert abs(Clock.wall_s() - Clock.steady_s()) > 0  # two clocks
    lines = RecordReader(writer.path).lines
    assert jumps(lines) == [] and [line["host_ms"] >= 0 for line in lines] == [True] * 3


def test_the_report_says_that_the_clock_jumped_and_by_how_much(tmp_path, monkeypatch):
    monkeypatch.setattr("rheobase.report.pictures.picture", lambda *a, **k: "data:,")

    class Set(Hands):
        def wall_s(self):
            self.steady += 0.01
            return self.wall + self.steady - (5400 if self.steady > 53 else 0)

    page = report.page(RecordReader(treatment(tmp_path, channel_count=1, clock=Set())))
    assert "The host&#39;s clock jumped" in page and "jumped back by 5400.0 s" in page
    assert "Output lasted 1 min." in page  # by the board's clock, whatever the host's did
