"""The status line: 80 columns whatever runs, currents by their right name, nothing measured where nothing flows."""

import io

import pytest
from rheobase.cli.progress import Progress, clock, legend, status_line


def item(state="run", t_left_ms=1_799_000):
    return {"state": state, "t_left_ms": t_left_ms}


def channels(count, ua=2000, pulses=123):
    return {str(n): {"set_ua": ua, "meas_ua": ua, "ohms": 1234, "pulses": pulses} for n in range(1, count + 1)}


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("ua, pulses", [(0, 0), (2000, 123), (50_000, 720_000)])
@pytest.mark.parametrize("state", ["run", "ramp_down"])
def test_the_line_fits_79_columns_with_every_channels_figures_in_it(count, ua, pulses, state):
    line = status_line(item(state), channels(count, ua, pulses), "modelled", 79)
    assert len(line) <= 79 and line.count(str(pulses)) >= count and "29:59" in line and state in line


def test_one_channel_has_its_words_and_units():
    line = status_line(item(), channels(1), "modelled", 79)
    assert "set 2.00 mA, modelled 2.00 mA" in line and "123 pulses" in line


@pytest.mark.parametrize("word", ["measured", "modelled"])
def test_a_current_is_called_what_it_is(word):
    for count in (1, 2):
        assert word in status_line(item(), channels(count), word, 79)
    assert word in legend(word)


@pytest.mark.req("REQ-105")
@pytest.mark.parametrize("state", ["paused", "done", "fault", "armed"])
def test_what_was_measured_before_the_output_ended_is_not_shown_as_flowing(state):
    assert "2.00/-" in status_line(item(state), channels(2), "measured", 79)


def test_time_left_is_rounded_up_so_that_0_means_over():
    assert [clock(ms) for ms in (0, 1, 1000, 59_001, 3_600_000)] == ["0:00", "0:01", "0:01", "1:00", "60:00"]


class Terminal(io.StringIO):
    def __init__(self, is_terminal):
        super().__init__()
        self.is_terminal = is_terminal

    def isatty(self):
        return self.is_terminal


class Quiet:
    quiet = 0


class Board:
    measured_word = "modelled"


def shown(is_terminal):
    stream = Terminal(is_terminal)
    view = Progress(Quiet(), Board(), stream)
    view.event("state", "run")
    for _ in range(50):
        view.telemetry(item(), channels(1))
    view.clear()
    return stream.getvalue()


def test_a_terminal_gets_one_line_that_is_taken_away_at_the_end(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    text = shown(True)
    assert "\n" not in text and text.endswith("\r\x1b[K")


def test_elsewhere_lines_are_sparse_and_without_escapes():
    text = shown(False)
    assert "\x1b" not in text and "\r" not in text and 1 <= text.count("\n") <= 2


def test_a_dumb_terminal_gets_plain_lines(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in shown(True)


def test_a_stream_that_is_gone_does_not_end_the_session():
    class Gone(Terminal):
        def write(self, text):
            raise OSError(5, "Input/output error")

    Progress(Quiet(), Board(), Gone(True)).telemetry(item(), channels(1))
