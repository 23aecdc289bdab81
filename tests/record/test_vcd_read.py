"""The VCD reader: our own writer's files and a logic analyser's, integer nanoseconds, torn ends, sentences."""

import pytest
from rheobase import measure, vcd_read
from rheobase.emulator.vcd import VcdWriter
from rheobase.errors import UsageError

ANALYSER = """$date today $end
$version
  some analyser
$end
$comment
  two channels, 4 MHz
$end
$timescale 250 ns $end
$scope module logic $end
$var wire 1 ! D0 $end
$var wire 1 " D1 [0] $end
$var wire 8 & bus $end
$upscope $end
$enddefinitions $end
#0 0! x"
$dumpvars
0!
0"
$end
#4
1!
b1 "
#8
0!
0"
#12
"""


def write(path, text):
    path.write_text(text, newline="\n")
    return path


def test_what_our_writer_wrote_reads_back_edge_by_edge(tmp_path):
    path = tmp_path / "a.vcd"
    writer = VcdWriter(path, {"CH1_A": "wire", "CH1_B": "wire", "INTERLOCK": "wire", "CH1_UA": "real"})
    writer.change(0, "INTERLOCK", 1)
    writer.change(1_000_000_000_003, "CH1_UA", 2000.5)  # beyond 2**32 ns
    for t_ns, name, level in ((5, "A", 1), (100_005, "A", 0), (150_005, "B", 1), (250_005, "B", 0)):
        writer.change(1_000_000_000_000 + t_ns, f"CH1_{name}", level)
    writer.close(1_300_000_000_000)
    vcd = vcd_read.read(path)
    assert vcd.end_ns == 1_300_000_000_000 and not vcd.torn
    assert vcd.bits["CH1_A"] == [(1_000_000_000_005, 1), (1_000_000_100_005, 0)]
    assert vcd.level("INTERLOCK", 0) == 1
    assert vcd.value("CH1_UA", 1_000_000_000_002) == 0 and vcd.value("CH1_UA", 1_000_000_000_003) == 2000.5
    pulse = measure.trains(vcd.edges)[1].pulses[0]
    assert (pulse.a_ns, pulse.gap_ns, pulse.b_ns) == (100_000, 50_000, 100_000)


def test_a_logic_analysers_dump_is_read(tmp_path):
    vcd = vcd_read.read(write(tmp_path / "a.vcd", ANALYSER.replace('#0 0! x"\n', "#0\n")))
    assert vcd.bits["D0"] == [(1000, 1), (2000, 0)]
    assert vcd.bits["D1"] == [(1000, 1), (2000, 0)]
    assert "bus" not in vcd.bits
    assert vcd.edges == [(1000, "D0", 1), (1000, "D1", 1), (2000, "D0", 0), (2000, "D1", 0)]
    assert vcd.end_ns == 3000


@pytest.mark.parametrize(
    ("scale", "ns"), [("1 ns", 4), ("10ns", 40), ("1 us", 4000), ("100 ps", 0), ("1 s", 4 * 10**9)]
)
def test_times_are_whole_ns_whatever_the_scale(tmp_path, scale, ns):
    text = ANALYSER.replace("250 ns", scale).replace('#0 0! x"\n', "#0\n")
    assert vcd_read.read(write(tmp_path / "a.vcd", text)).bits["D0"][0][0] == ns


def test_not_driven_and_unknown_count_as_low_and_repeats_are_no_edges(tmp_path):
    head = "$timescale 1 ns $end\n$var wire 1 ! A $end\n$enddefinitions $end\n"
    vcd = vcd_read.read(write(tmp_path / "a.vcd", head + "#0\nz!\n#5\n1!\n#6\n1!\n#7\nx!\n#9\n0!\n"))
    assert vcd.bits["A"] == [(5, 1), (7, 0)]


def test_a_torn_end_is_noticed_and_everything_before_it_read(tmp_path):
    path = tmp_path / "a.vcd"
    writer = VcdWriter(path, {"CH1_A": "wire"})
    for n in range(10):
        writer.change(1000 * (n + 1), "CH1_A", n % 2 == 0)
    writer.close(20_000)
    raw = path.read_text()
    start = raw.index("#1000")
    for cut in range(start, len(raw)):
        path.write_text(raw[:cut])
        vcd = vcd_read.read(path)
        whole = raw[start:cut].rpartition("\n")[0].splitlines()
        assert vcd.torn == (not raw[:cut].endswith("\n"))
        assert len(vcd.edges) == sum(line.endswith("!") for line in whole)


@pytest.mark.parametrize(
    "text",
    [
        "hello\n",
        "",
        '{"n": 1}\n',
        "$timescale 1 fortnight $end\n$enddefinitions $end\n",
        "$timescale 1 ns $end\n$var wire 1 ! A $end\n$enddefinitions $end\n#abc\n",
        "$timescale 1 ns $end\n$var real 64 ! A $end\n$enddefinitions $end\n#1\nrx !\n",
    ],
)
def test_what_is_no_dump_is_a_sentence(tmp_path, text):
    with pytest.raises(UsageError) as caught:
        vcd_read.read(write(tmp_path / "a.vcd", text))
    assert "is not a value change dump" in caught.value.message


def test_a_missing_file_is_a_sentence(tmp_path):
    with pytest.raises(UsageError) as caught:
        vcd_read.read(tmp_path / "none.vcd")
    assert caught.value.code == "unreadable_vcd"
