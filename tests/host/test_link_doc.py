"""docs/link.md is what it says: its lines are fed to the firmware's own server, its program is run at a board."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from core.test_core_server import Host
from rheocore import frames, messages

PAGE = (Path(__file__).parents[2] / "docs" / "link.md").read_text()
LINES = re.findall(r"^([<>]) (\{.*)$", PAGE, re.M)


def test_every_line_of_the_page_has_its_crc_but_the_one_that_shows_a_damaged_one():
    wrong = [line for _, line in LINES if frames.decode(line.encode())[1]]
    assert len(wrong) == 1 and "psuse" in wrong[0] and len(LINES) > 15


def test_the_board_answers_the_pages_lines_as_the_page_says():
    """In the page's order: each `>` is sent, and the `<` below it is the answer; an ack has none."""
    host = Host()
    host.server.handle(LINES[0][1].encode(), host.bench.now_ms)
    asked = answered = 0
    for (way, line), (next_way, answer) in zip(LINES, [*LINES[1:], (">", "")], strict=True):
        if way == ">" and line != LINES[0][1]:
            asked += 1
            reply = host.server.handle(line.encode(), host.bench.now_ms)
            if next_way == "<":
                answered += 1
                assert frames.decode(reply) == frames.decode(answer.encode())
            elif '"ack"' in line:
                assert reply is None
    assert asked >= 10 and answered >= 9


def test_the_numbers_of_the_page_are_the_firmwares():
    assert f"{messages.MAX_LINE} bytes at most" in PAGE and messages.KEEPALIVE_MS == 1000 and "1 s without one" in PAGE
    assert messages.ALWAYS == ("hello", "stop", "status") and messages.TELEMETRY_MS == 100
    assert f"wire={messages.WIRE})" in PAGE


@pytest.mark.parametrize("damaged", [0, 1])
def test_the_smallest_host_greets_plays_a_session_to_its_end_and_stops(board, tmp_path, damaged):
    program = tmp_path / "host.py"
    program.write_text(re.search(r"^```python\n(.*?)^```", PAGE, re.S | re.M)[1])
    board.damage = damaged  # an answer that arrives damaged is asked for again
    done = subprocess.run([sys.executable, program, board.port], capture_output=True, text=True, timeout=30)
    assert done.stdout == "RHEO_PICO FAKE0001 idle\ndone time_over 300\nTrue\n", done.stderr
