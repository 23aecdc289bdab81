"""Fault files: what is wrong with one is said, the descriptions are whole, and `rheo emulate` runs one."""

import json
import re
import signal
from pathlib import Path

import pytest
from dut import MS
from host.calling import call, finish, start
from rheobase import boards, vcd_read
from rheobase.emulator import fault_actions, faults
from rheobase.errors import UsageError

BOARD = boards.load()
DOCS = (Path(__file__).parents[2] / "docs" / "faults.md").read_text()

BAD = [
    ("open", "it is not an object"),
    ({"interlock": "open"}, "needs `at_ms` or `after_ms`"),
    ({"at_ms": 1, "after_ms": 1, "interlock": "open"}, "needs `at_ms` or `after_ms`, one of them"),
    ({"at_ms": -1, "interlock": "open"}, "`at_ms` is 0 or more"),
    ({"at_ms": "soon", "interlock": "open"}, "`at_ms` is a number, not 'soon'"),
    ({"at_ms": 1}, "does not say what happens"),
    ({"at_ms": 1, "interlok": "open"}, "`interlok` is not known"),
    ({"at_ms": 1, "moment": "leg_b", "interlock": "open"}, '`moment` is "leg_a", "gap" or "rest", not \'leg_b\''),
    ({"at_ms": 1, "channel": 4, "cpu": "hang"}, "no channel 4: it has 1, 2, 3"),
    ({"at_ms": 1, "interlock": "ajar"}, '`interlock` is "open", "closed" or "floating"'),
    ({"at_ms": 1, "interlock": {"chatter_hz": 100}}, "`interlock` is an object with chatter_hz, for_ms"),
    ({"at_ms": 1, "interlock": {"chatter_hz": 0, "for_ms": 1}}, "`chatter_hz` is above 0"),
    ({"at_ms": 1, "load": {"7": 1}}, "no channel 7"),
    ({"at_ms": 1, "load": {"1": "feather"}}, "'feather' is not a load"),
    ({"at_ms": 1, "gain": {"1": "big"}}, "`gain` is a number"),
    ({"at_ms": 1, "supply_mv": True}, "`supply_mv` is a number"),
    ({"at_ms": 1, "reset": False}, "`reset` is true"),
    ({"at_ms": 1, "send": "€"}, "`send` has '€'"),
    ({"at_ms": 1, "draining": "no"}, "`draining` is true or false"),
    ({"at_ms": 1, "usb": "off"}, '`usb` is "unplugged", "plugged", "closed" or "opened"'),
    ({"at_ms": 1, "cpu": "slow"}, '`cpu` is "hang" or "dead"'),
    ({"at_ms": 1, "cpu": "hang", "for_ms": 0}, "`for_ms` is above 0"),
    ({"at_ms": 1, "interlock": "open", "for_ms": 5}, "`for_ms` goes with `cpu`"),
    ({"at_ms": 1, "poke": {"0x50200035": 1}}, "no multiple of 4"),
    ({"at_ms": 1, "poke": {"0x50200034": -1}}, "`poke` has words of 32 bits"),
    ({"at_ms": 1, "random": {"where": "ring"}}, "`random` is an object with where, seed"),
    ({"at_ms": 1, "random": {"where": "heap", "seed": 1}}, '`where` is "ring", "fifo" or "program"'),
    ({"at_ms": 1, "random": {"where": "ring", "seed": 1, "words": 0}}, "`words` is a whole number"),
    ({"at_ms": 1, "python": "raise ="}, "`python` does not compile"),
    ({"at_ms": 1, "python": "x" * 2000}, "`python` has more than 1900 bytes"),
]


@pytest.mark.parametrize(("event", "words"), BAD, ids=[words for _, words in BAD])
def test_a_bad_entry_is_named_and_the_fix_is_said(event, words):
    with pytest.raises(UsageError, match="entry 2: .*" + re.escape(words)) as caught:
        faults.parse([{"at_ms": 1, "supply_mv": 1}, event], BOARD)
    assert caught.value.hint.startswith("An entry says when (at_ms,")


def test_a_file_that_is_no_list_is_refused(tmp_path):
    path = tmp_path / "faults.json"
    for text, words in (("{}", "not a list of events"), ("[", "is not JSON")):
        path.write_text(text)
        with pytest.raises(UsageError, match=words):
            faults.read(path, BOARD)


def test_the_descriptions_name_every_key():
    """The module's, the page's and the hint's; and the page says nothing that is not known."""
    keys = {*faults.WHEN, *fault_actions.KEYS, "for_ms", "python"}
    in_module = set(re.findall(r"^  (\w+)  ", faults.__doc__, re.M))
    rows = [re.findall(r"`(\w+)`", row) for row in re.findall(r"^\| (`.*?) \|", DOCS, re.M)]
    assert in_module == keys == {key for row in rows for key in row}


# -- rheo emulate ----------------------------------------------------------------------------------------------------


def test_rheo_emulate_runs_a_file_and_the_vcd_shows_it(board_image, tmp_path):
    """Python makes the board ready by itself. The 300 ms of simulated time that follow the end hold all of it."""
    file, vcd = tmp_path / "faults.json", tmp_path / "edges.vcd"
    events = [
        {"at_ms": 5, "interlock": "open"},
        {"at_ms": 300, "interlock": {"chatter_hz": 100, "for_ms": 12}},
        {"at_ms": 350, "python": "from machine import Pin\nPin(21, Pin.OUT).value(1)"},
        {"at_ms": 370, "python": "Pin(21).value(0)"},
        {"at_ms": 400, "cpu": "dead"},
        {"at_ms": 410, "python": "Pin(21).value(1)"},
    ]
    file.write_text(json.dumps(events))
    process = start("emulate", "--faults", file, "--vcd", vcd)
    try:
        assert "pty" in json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        finish([process])
    dump = vcd_read.read(vcd)
    interlock = [(t, level) for t, level in dump.bits["INTERLOCK"] if t]
    assert interlock == [(5 * MS, 0), (305 * MS, 1), (310 * MS, 0), (312 * MS, 1)]
    (up_ns, up), (down_ns, down) = (edge for edge in dump.bits["GPIO21"] if edge[0])
    assert (up, down) == (1, 0)
    assert 350 * MS < up_ns < 352 * MS
    assert 370 * MS < down_ns < 372 * MS


def test_rheo_emulate_refuses_a_bad_file_with_the_entry_and_points_to_the_page(board_image, tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('[{"at_ms": 1, "interlock": "ajar"}]')
    answer = call("emulate", "--faults", file)
    assert answer.code == 2
    assert "faults.json, entry 1: `interlock` is" in answer.err
    assert "docs/faults.md" in call("emulate", "--help").out


def test_what_ends_the_board_in_the_middle_is_said(board_image, tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('[{"at_ms": 40, "random": {"where": "ring", "seed": 1}}]')
    answer = call("emulate", "--faults", file)
    assert answer.code == 8
    assert "ended by itself: Channel 1 has no DMA ring yet. Let `random` come after" in answer.err
