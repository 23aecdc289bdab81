"""The VCD file: syntax, order, names of the contract, and that it says the same as the recorded edges."""

import re

import pytest
from emulator import device_scripts as dev
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.snapshot import in_child
from rheobase.emulator.vcd import VcdWriter


def parse(text):
    """({name: (kind, identifier)}, [(t, name, value)], last t) of a VCD; any other syntax is an AssertionError."""
    about, _, text = text.partition("\n")
    assert re.fullmatch(r'\$comment rheobase \{"resolution_ps": 8000, .*"end_ps": \d+ *\} \$end', about)
    head, _, body = text.partition("$enddefinitions $end\n")
    assert head.startswith("$timescale 1 ns $end\n$scope module rheobase $end\n")
    assert head.endswith("$upscope $end\n")
    names = {
        ident: (name, kind)
        for kind, bits, ident, name in re.findall(r"^\$var (wire|real) (1|64) (\S+) (\S+) \$end$", head, re.M)
    }
    assert len(names) == len(head.splitlines()) - 3
    t, changes = None, []
    for line in body.splitlines():
        if line[0] == "#":
            assert t is None or int(line[1:]) > t
            t = int(line[1:])
        elif line[0] in "01":
            changes.append((t, names[line[1:]][0], int(line[0])))
            assert names[line[1:]][1] == "wire"
        elif line[0] == "r":
            value, ident = line[1:].split()
            changes.append((t, names[ident][0], float(value)))
            assert names[ident][1] == "real"
        else:
            assert line in ("$dumpvars", "$end")
    return {name: kind for name, kind in names.values()}, changes, t


def test_identifiers_are_unique_and_printable():
    idents = [VcdWriter._identifier(n) for n in range(10_000)]
    assert len(set(idents)) == 10_000
    assert all(33 <= ord(c) <= 126 for ident in idents for c in ident)


def record(image, path):
    with EmulatedBoard(image, vcd=path) as board:
        board.boot()
        rawrepl.run(board, dev.PROGRAM)
        script = f"feed(0, {dev.period_words(5_000, 100)!r} * 4)\nfeed(2, {dev.period_words(5_000, 10)!r} * 4)\n"
        script += "from machine import PWM\nPWM(Pin(10), freq=30518, duty_u16=13107)\ngo(5)\ntime.sleep_ms(30)\n"
        board.at(board.now_ns + 100_000_000, lambda: board.set_interlock(False))
        rawrepl.run(board, script)
        board.run_for(100_000_000)
        return board.edges, board.setpoints, board.now_ns


@pytest.fixture(scope="module")
def recorded(stock_image, tmp_path_factory):
    path = tmp_path_factory.mktemp("vcd") / "session.vcd"
    edges, setpoints, end = in_child(record, stock_image, path)
    return parse(path.read_text()), edges, setpoints, end


def test_the_names_are_those_of_the_contract(recorded):
    (names, _, _), *_ = recorded
    for n in (1, 2, 3):
        assert names[f"CH{n}_A"] == names[f"CH{n}_B"] == "wire"
        assert names[f"CH{n}_UA"] == "real"
    assert names["INTERLOCK"] == "wire"


def test_the_file_says_what_was_recorded_from_power_on_to_its_last_timestamp(recorded):
    (names, changes, last), edges, setpoints, end = recorded
    assert [c for c in changes if c[0] == 0 and c[2] == 0 and c[1] != "INTERLOCK"][: len(names) - 1]
    wires = [(t, name, value) for t, name, value in changes if names[name] == "wire" and (t or value)]
    assert wires == edges
    reals = [(t, name, value) for t, name, value in changes if names[name] == "real" and t]
    assert reals == [(t, name, pytest.approx(ua, rel=1e-5)) for t, name, ua in setpoints]
    assert last == end
    assert len([e for e in edges if e[1] == "CH1_A"]) == 8


def test_the_hosts_own_reader_understands_it(recorded, stock_image, tmp_path):
    from rheobase import measure, vcd_read

    path = tmp_path / "again.vcd"
    edges, _, _ = in_child(record, stock_image, path)
    trace = vcd_read.read(path)
    found = measure.trains(trace.edges)
    assert {n: len(train.pulses) for n, train in found.items()} == {1: 4, 3: 4}
