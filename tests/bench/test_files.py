"""Captures from files: each form as its tool writes it, exact times, names, and our own form there and back."""

from fractions import Fraction

import numpy as np
import pytest
from bench.forms import LEGS, SALEAE, SALEAE_LEGS, SIGROK_CSV, SIGROK_VCD
from hypothesis import given, settings
from hypothesis import strategies as st
from rheobase.bench import files
from rheobase.bench.capture import Capture, Signal
from rheobase.bench.own import TRAIN
from rheobase.emulator.vcd import VcdWriter
from rheobase.errors import UsageError

VCD_HEAD = '$timescale {scale} $end\n$var wire 1 ! D0 $end\n$var wire 1 " D1 $end\n$enddefinitions $end\n'


def put(folder, text, name="a.txt"):
    path = folder / name
    path.write_bytes(text.encode())
    return path


def edges(capture, name):
    return capture.signals[name].edges_ps.tolist()


# ---- VCD --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "ps"),
    [("1 s", 3 * 10**12), ("10 ms", 3 * 10**10), ("1us", 3 * 10**6), ("250 ns", 750_000), ("100 ps", 300), ("1 ps", 3)],
)
def test_times_are_exact_at_any_timescale(tmp_path, scale, ps):
    capture = files.load(put(tmp_path, VCD_HEAD.format(scale=scale) + '#0\n0!\n0"\n#3\n1!\n#5\n0!\n#6\n'), LEGS)
    assert edges(capture, "CH1_A") == [ps, ps * 5 // 3]
    assert (capture.start_ps, capture.end_ps) == (0, 2 * ps)


def test_femtoseconds_are_rounded_down_to_ps_and_that_is_in_the_resolution(tmp_path):
    text = VCD_HEAD.format(scale="1 fs") + "#0\n0!\n#1999\n1!\n#100000000001999\n0!\n"
    capture = files.load(put(tmp_path, text), LEGS, sample_rate_hz=3_000_000)
    assert edges(capture, "CH1_A") == [1, 100_000_000_001]
    assert capture.resolution_ps == 333_334 + 1


def test_a_vcd_of_sigrok_says_its_rate_and_its_rounding_is_added(tmp_path):
    capture = files.load(put(tmp_path, SIGROK_VCD), LEGS)
    assert edges(capture, "CH1_A") == [41_700, 166_700] and capture.signals["CH1_A"].initial == 1
    assert edges(capture, "CH1_B") == [41_700, 166_700, 208_300] and capture.signals["CH1_B"].initial == 0
    assert capture.end_ps == 1_250_000
    assert capture.resolution_ps == 41_667 + 100
    assert capture.instrument == "sampled at 24 MHz (as the file says)"
    assert not capture.own_clock and capture.torn is None


def test_bits_of_buses_and_names_in_two_scopes_can_be_told_apart(tmp_path):
    text = (
        "$timescale 1 ns $end $scope module top $end $var wire 8 ! D [7:0] $end $var reg 1 a leg $end\n"
        "$scope module sub $end $var wire 1 b leg $end $var wire 1 c E [3] $end $upscope $end\n"
        "$var wire 1 d E [4] $end $var wire 1 e CH2_A [0] $end $var string 1 t text $end\n"
        "$var wire 5000 v wide $end $var wire 1000000000 w wider $end $var wire 2 f F [0:1] $end\n"
        "$upscope $end $enddefinitions $end\n"
        "#0 $dumpvars b0 ! 0a 0b 0c 0d 0e shello t b1 w b0 v b00 f $end\n"
        "#10 b10000000 ! 1a xb b10 f\n#20 b1 ! 1b zd b1 e\n#30 b101 w\n"
    )
    mapping = {"D[7]": "CH1_A", "D[0]": "CH1_B", "top.leg": "CH3_A", "top.sub.leg": "CH3_B", "E[4]": "INTERLOCK"}
    mapping |= {"F[0]": "CH4_A", "F[1]": "CH4_B"}
    capture = files.load(put(tmp_path, text), mapping)
    assert edges(capture, "CH1_A") == [10_000, 20_000] and edges(capture, "CH1_B") == [20_000]
    assert edges(capture, "CH4_A") == [10_000] and edges(capture, "CH4_B") == []
    assert edges(capture, "CH3_A") == [10_000] and edges(capture, "CH3_B") == [20_000]
    assert edges(capture, "CH2_A") == [20_000] and edges(capture, "INTERLOCK") == []


def test_unknown_and_not_driven_are_low_and_a_level_at_the_start_is_no_edge(tmp_path):
    text = VCD_HEAD.format(scale="1 ns") + '#7\n1!\nz"\n#8\nx!\n1"\n#9\nZ!\n#12\nX"\n1!\n0!\n#13\n'
    capture = files.load(put(tmp_path, text), LEGS)
    assert capture.start_ps == 7000
    assert (capture.signals["CH1_A"].initial, edges(capture, "CH1_A")) == (1, [8000])
    assert (capture.signals["CH1_B"].initial, edges(capture, "CH1_B")) == (0, [8000, 12_000])


def test_one_wire_under_two_names_is_read_under_both(tmp_path):
    text = VCD_HEAD.format(scale="1 ns").replace(
        "$enddef", "$scope module s $end\n$var wire 1 ! CH2_A $end\n$upscope $end\n$enddef"
    )
    capture = files.load(put(tmp_path, text + "#0\n0!\n#5\n1!\n#6\n"), LEGS)
    assert edges(capture, "CH1_A") == edges(capture, "CH2_A") == [5000]


# ---- CSV of Saleae and the like ---------------------------------------------------------------


def test_saleaes_rows_are_read_to_the_ns_with_times_before_the_trigger(tmp_path):
    capture = files.load(put(tmp_path, SALEAE), SALEAE_LEGS)
    assert edges(capture, "CH1_A") == [695_667_880_000, 695_672_280_000]
    assert edges(capture, "CH1_B") == [695_680_200_000, 695_691_400_000]
    assert (capture.start_ps, capture.end_ps) == (-2_000_000, 700_000_000_000)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("Time [s]", "Time[s]").replace(",", ", "),
        lambda text: text.replace("Time [s]", '"Time (s)"'),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("1\n", "1\n\n"),
        lambda text: text.replace(",", " ,"),
        lambda text: text.replace("00000,", "00000000000,").replace("0,0,", "0000000,0,"),
        lambda text: text.removesuffix("\n"),
    ],
    ids=["crlf", "bom", "logic1", "quoted", "tabs", "blank", "spaces", "more digits", "no last newline"],
)
def test_small_differences_of_tools_change_nothing(tmp_path, change):
    plain, other = (
        files.load(put(tmp_path, SALEAE), SALEAE_LEGS),
        files.load(put(tmp_path, change(SALEAE)), SALEAE_LEGS),
    )
    assert [edges(other, name) for name in other.signals] == [edges(plain, name) for name in plain.signals]
    assert (other.start_ps, other.end_ps, other.torn) == (plain.start_ps, plain.end_ps, None)


def test_channels_without_data_are_low(tmp_path):
    capture = files.load(put(tmp_path, SALEAE.replace(",1\n", ",X\n")), SALEAE_LEGS | {"Channel 2": "CH2_A"})
    assert (capture.signals["CH2_A"].initial, edges(capture, "CH2_A")) == (0, [])


def test_iso_8601_times_are_exact_over_midnight_and_zones(tmp_path):
    text = (
        "Time [s],Channel 0\n2026-02-28T23:59:59.999999990+00:00,0\n2026-03-01T00:00:00.000000010+00:00,1\n"
        "2026-03-01T02:00:00.000000033+02:00,0\n"
    )
    capture = files.load(put(tmp_path, text), {"Channel 0": "CH1_A"})
    assert edges(capture, "CH1_A") == [20_000, 43_000]


def test_digits_that_vary_make_the_step_that_they_allow_and_no_finer_one(tmp_path):
    rows = "; Sample rate: 25 MHz\nTime(s), 0\n0,0\n1e-06,1\n0.095445,0\n0.095456,1\n12.3456,0\n"
    capture = files.load(put(tmp_path, rows), {"0": "CH1_A"})  # six digits that count: tenths of a ms at 12 s
    assert edges(capture, "CH1_A") == [1_000_000, 95_445_000_000, 95_456_000_000, 12_345_600_000_000]
    assert capture.resolution_ps == 40_000 + 100_000_000
    rows = "; Sample rate: 25 MHz\nTime(s), 0\n0,0\n0.5,1\n1.00000004,0\n"
    assert files.load(put(tmp_path, rows), {"0": "CH1_A"}).resolution_ps == 40_000  # whole periods in steps of 10 ns


# ---- CSV of sigrok ----------------------------------------------------------------------------


def test_sigroks_rows_of_samples_are_exact_at_a_rate_that_no_decimal_holds(tmp_path):
    rows = ["1,0"] + ["0,1"] * 2_400_000 + ["1,0"] * 2 + ["0,0"]
    for head in ("logic,logic\n", "D0,D1\n", ""):
        capture = files.load(put(tmp_path, SIGROK_CSV + head + "\n".join(rows) + "\n"), LEGS)
        assert edges(capture, "CH1_A") == [41_666, 100_000_041_666, 100_000_125_000]
        assert edges(capture, "CH1_B") == [41_666, 100_000_041_666]
        assert capture.resolution_ps == 41_667 + 1
    without = put(tmp_path, "logic,logic\n" + "\n".join(rows) + "\n")
    with pytest.raises(UsageError) as caught:
        files.load(without, LEGS)
    assert caught.value.code == "no_sample_rate"
    assert edges(files.load(without, LEGS, sample_rate_hz=24_000_000), "CH1_B") == [41_666, 100_000_041_666]


@pytest.mark.parametrize("label", ["nanoseconds,logic,logic", "Time,D0,D1", ""])
def test_sigroks_drifting_times_are_taken_as_the_count_of_samples_that_they_are(tmp_path, label):
    rows = [(1, "1,0"), (2, "0,1"), (24_000_001, "0,0"), (24_000_002, "0,0")]
    text = SIGROK_CSV + label + "\n" * bool(label) + "".join(f"{n * 41},{levels}\n" for n, levels in rows)
    capture = files.load(put(tmp_path, text), LEGS)
    assert edges(capture, "CH1_B") == [41_666, 10**12]  # 0.984 s by the file's own column
    assert capture.resolution_ps == 41_667 + 1


# ---- names ------------------------------------------------------------------------------------


def test_names_of_ours_are_taken_in_any_case_and_others_left_out(tmp_path):
    text = SALEAE.replace("Channel 0", "ch1_a").replace("Channel 2", "Interlock")
    capture = files.load(put(tmp_path, text))
    assert set(capture.signals) == {"CH1_A", "INTERLOCK"} and capture.channels == [1]


@pytest.mark.parametrize(
    ("mapping", "code", "said"),
    [
        ({"Chanel 1": "CH1_A"}, "unknown_name", "has no signal 'Chanel 1'; it has Channel 1, Channel"),
        ({"Channel 1": "CH1_C"}, "unknown_signal", "'CH1_C' is no signal of a board"),
        ({"Channel 1": "CH1_A", "Channel 0": "ch1_a"}, "signal_twice", "CH1_A is mapped twice"),
        ({}, "no_legs", "its signals are Channel 0, Channel 1, Channel 2"),
        ({"Channel 2": "INTERLOCK"}, "no_legs", "has no leg"),
        ({"Channel 2": "CH1_A"}, "no_edges", "nothing moved"),
    ],
)
def test_wrong_names_are_a_sentence_with_the_names_of_the_file(tmp_path, mapping, code, said):
    with pytest.raises(UsageError) as caught:
        files.load(put(tmp_path, SALEAE), mapping)
    assert caught.value.code == code and said in caught.value.message
    assert code != "no_legs" or "--map Channel 0=CH1_A" in caught.value.hint


def test_a_rate_that_the_file_denies_is_refused(tmp_path):
    with pytest.raises(UsageError) as caught:
        files.load(put(tmp_path, SIGROK_VCD), LEGS, sample_rate_hz=100_000_000)
    assert "sampled at 24 MHz, not at 100 MHz" in caught.value.message


# ---- our own form -----------------------------------------------------------------------------


def same(one, two):
    assert list(one.signals) == list(two.signals)
    for name in one.signals:
        assert one.signals[name].initial == two.signals[name].initial
        assert edges(one, name) == edges(two, name)
    for key in ("start_ps", "end_ps", "resolution_ps", "source", "instrument", "own_clock", "torn", "trains"):
        assert getattr(one, key) == getattr(two, key)
    assert list(one.setpoints) == list(two.setpoints)
    for channel, (times_ps, microamps) in one.setpoints.items():
        assert times_ps.tolist() == two.setpoints[channel][0].tolist()
        assert microamps.tolist() == two.setpoints[channel][1].tolist()


@st.composite
def captures(draw):
    unit_ps = draw(st.sampled_from([1, 1000]))
    start_ps = draw(st.integers(-(10**9), 10**9)) * unit_ps
    steps = st.lists(st.integers(1, 10**9), max_size=8)

    def times(first):
        return np.cumsum(np.array([first, *draw(steps)], np.int64))[1:] * unit_ps + start_ps

    names = draw(st.lists(st.sampled_from(["CH1_B", "CH2_A", "CH3_B", "INTERLOCK"]), unique=True))
    signals = {name: Signal(draw(st.integers(0, 1)), times(0)) for name in names}
    signals["CH1_A"] = Signal(draw(st.integers(0, 1)), np.array([start_ps + unit_ps], np.int64))
    setpoints = {}
    for channel in draw(st.lists(st.integers(1, 3), unique=True)):
        when = times(-1)
        if len(when):
            amps = [draw(st.floats(-1e6, 1e6, allow_nan=False)) for _ in when]
            setpoints[channel] = (when, np.array(amps))
    last = max(
        [int(s.edges_ps[-1]) for s in signals.values() if len(s.edges_ps)] + [w[-1] for w, _ in setpoints.values()]
    )
    texts = st.one_of(st.text(max_size=30), st.sampled_from(["a $end b", "#5\n1!", "  two  blanks "]))
    torn = draw(st.one_of(st.none(), texts))
    end_ps = int(last) + draw(st.integers(0, 10**9)) * unit_ps
    resolution_ps = draw(st.integers(1, 10**9))
    trains = draw(st.sampled_from([{}, {1: TRAIN}]))
    rest = (resolution_ps, draw(texts), draw(texts), draw(st.booleans()), torn, setpoints, trains)
    return Capture(signals, start_ps, end_ps, *rest)


@settings(max_examples=300, deadline=None)
@given(captures())
def test_what_is_saved_is_loaded_again(tmp_path_factory, capture):
    path = tmp_path_factory.mktemp("own") / "a.vcd"
    files.save(path, capture)
    same(files.load(path), capture)
    nanoseconds = all(not (signal.edges_ps - capture.start_ps).any() for signal in capture.signals.values())
    assert nanoseconds or path.read_text().splitlines()[1] in ("$timescale 1 ns $end", "$timescale 1 ps $end")


def test_an_emulated_boards_file_gives_its_set_points_and_its_clock(tmp_path):
    from rheobase.emulator.board import _ABOUT

    path = tmp_path / "a.vcd"
    writer = VcdWriter(path, {"CH1_A": "wire", "INTERLOCK": "wire", "CH1_UA": "real"}, about=_ABOUT)
    writer.change(0, "INTERLOCK", 1)
    for t_ns, name, value in (
        (500, "CH1_UA", 1999.97),
        (1000, "CH1_A", 1),
        (101_000, "CH1_A", 0),
        (102_000, "CH1_UA", 0),
    ):
        writer.change(t_ns, name, value)
    writer.close(200_000)
    capture = files.load(path)
    assert (capture.signals["INTERLOCK"].initial, edges(capture, "INTERLOCK")) == (1, [])
    assert (capture.resolution_ps, capture.own_clock, capture.torn) == (8000, False, None)
    assert "emulated" in capture.instrument and capture.source == str(path)
    times_ps, microamps = capture.setpoints[1]
    assert times_ps.tolist() == [0, 500_000, 102_000_000] and microamps.tolist() == [0, 1999.97, 0]


def test_a_pipe_can_be_written_to(tmp_path):
    import os
    import threading

    os.mkfifo(tmp_path / "pipe")
    got = []
    reader = threading.Thread(target=lambda: got.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    writer = VcdWriter(tmp_path / "pipe", {"CH1_A": "wire"}, about={"resolution_ps": 8000})
    writer.change(5, "CH1_A", 1)
    writer.close(9)
    reader.join(10)
    capture = files.load(put(tmp_path, got[0].decode()))
    assert edges(capture, "CH1_A") == [5000] and capture.torn is None and capture.resolution_ps == 8000


def test_a_million_edges_take_little_memory(tmp_path):
    """One in ten of that here, and the memory of the reader alone: 60 MB at most for each million edges."""
    import tracemalloc

    times = np.arange(1, 100_001, dtype=np.int64) * 123_000
    files.save(tmp_path / "a.vcd", Capture({"CH1_A": Signal(0, times)}, 0, int(times[-1]), 8000, "", ""))
    tracemalloc.start()
    try:
        capture = files.load(tmp_path / "a.vcd")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert capture.edges == 100_000 and peak < 20e6


def test_exact_means_a_fraction_and_not_a_float():
    from rheobase.bench.decimal_times import samples_ps

    for rate in (24_000_000, 3_000_000, 999_983, 2_999_999_929, 7):
        numbers = np.array([0, 1, rate - 1, rate, 10**6 * rate + 12345 % rate, 86_400 * rate - 1], np.int64)
        assert samples_ps(numbers, rate).tolist() == [int(Fraction(int(n) * 10**12, rate)) for n in numbers]
