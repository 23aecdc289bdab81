"""Files cut anywhere, damaged anywhere, or of another tool: a sentence each time, and no edge that was not there."""

import random
import tracemalloc

import numpy as np
import pytest
from bench.forms import FORMS, SALEAE, SIGROK_CSV
from rheobase.bench import files
from rheobase.bench.capture import Capture, Signal
from rheobase.errors import RheoError, UsageError

HEAD = "$timescale 1 ns $end\n$var wire 1 ! CH1_A $end\n$enddefinitions $end\n"


def own_file(folder):
    times = np.cumsum(np.arange(1, 13, dtype=np.int64) * 1000) * 1000
    signals = {"CH1_A": Signal(0, times[::2]), "CH1_B": Signal(1, times[1::2])}
    setpoints = {1: (np.array([0, 5_000_000], np.int64), np.array([0.0, 1999.97]))}
    capture = Capture(signals, 0, int(times[-1]) + 1000, 8000, "x", "y", False, None, setpoints)
    files.save(folder / "own.vcd", capture)
    return (folder / "own.vcd").read_bytes()


@pytest.fixture
def load(tmp_path):
    def load(raw, mapping=None, **options):
        path = tmp_path / "cut"
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        return files.load(path, mapping, **options)

    return load


@pytest.mark.parametrize("form", ["own", *FORMS])
def test_a_file_cut_anywhere_gives_what_is_left_and_says_so_or_is_refused(tmp_path, load, form):
    """At every byte. A cut between two rows of a CSV, which says nothing of its length, cannot show."""
    raw, mapping = (own_file(tmp_path), None) if form == "own" else FORMS[form]
    raw = raw if form == "own" else raw.encode()
    full = {name: signal.edges_ps.tolist() for name, signal in load(raw, mapping).signals.items()}
    read = 0
    for cut in range(len(raw)):
        try:
            capture = load(raw[:cut], mapping)
        except UsageError:
            continue
        read += 1
        for name, signal in capture.signals.items():
            edges = signal.edges_ps.tolist()
            assert edges == full[name][: len(edges)]
        at_end = raw[cut - 1 : cut] == b"\n" or raw[cut : cut + 1] == b"\n"
        assert capture.torn is not None or (not form.endswith(("own", "vcd")) and at_end)
        assert capture.torn is None or capture.torn.endswith(".")
    assert read > 25


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is blank"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "it is a picture"),
        (b"\x7fELF\x02\x01\x01" + bytes(40), "it is a program"),
        (b'{"edges": []}', "it is JSON"),
        (b"%PDF-1.7\n", "it is a PDF document"),
        (SALEAE.encode("utf-16"), "UTF-16"),
        (b"<SALEAE>\0\0\0\0", "export it as CSV"),
        (b"\x1f\x8b\x08\0", "packed with gzip"),
        (b"hello\nworld\n", "its first line starts with 'hello'"),
        (b"name,age\nbob,3\n", "its first line starts with 'name'"),
        (bytes(range(256)) * 4, "it is no text"),
        (b"Time [s],Channel 0\n", "it has no whole row"),
        (b"Time [s],Channel 0\n0.1,0\nhello,1\n0.3,0\n", "'hello' is no time"),
        (b"Time [s],Channel 0\n0.1,0\n0.2,7\n0.3,0\n", "row 2 is '0.2,7'"),
        (b"Time [s],Channel 0\n0.1,0\n0.2\n0.3,0\n", "row 2 is '0.2'"),
        (b"Time [s],Channel 0\n0.1,0\n0.3,1\n0.2,0\n", "run backwards: 0.2 s comes after 0.3 s"),
        (b"Time,Channel 0\n0.1,0\n0.3,1\n", "does not say in what unit"),
        (SIGROK_CSV.encode() + b"0,1\n0,12\n1,1\n", "not all rows after sample 0 are"),
        (SIGROK_CSV.encode() + b"0,1\n0;1\n1,1\n", "not all rows after sample 0 are levels"),
        (SIGROK_CSV.encode() + b"0,1,1,1\n" * 3, "nothing names its columns"),
        (HEAD.encode() + b"#5\n1!\n#4\n0!\n", "run backwards: 0.000000004 s comes after 0.000000005 s"),
        (HEAD.encode() + b"#5\n1!\n#x4\n0!\n", "a time '#x4'"),
        (HEAD.encode() + b"#5\n1!\n#6\n0?\n", "'0?' where a change of a declared signal belongs"),
        (HEAD.encode() + b"#5\n1!\n#" + b"9" * 30 + b"\n0!\n", "beyond 4000000 s"),
        (HEAD.encode() + b"#5\n1!\n#" + b"9" * 9999 + b"\n0!\n", "beyond 4000000 s"),
        (b"$timescale 1 ns $end\n$timescale 1 us $end\n" + HEAD.encode(), "two different timescales"),
        (HEAD.replace("1 ns", "7 days").encode(), "a time scale '7days'"),
        (HEAD.encode() + b"#0\n0!\n#10\n", "nothing moved"),
        (b"$date today $end\n", "no declarations"),
        (b"$comment rheobase {\"resolution_ps\": 0} $end\n" + HEAD.encode(), "a damaged comment"),
    ],
)  # fmt: skip
def test_what_is_no_capture_is_a_sentence_that_says_what_it_is(load, raw, said):
    with pytest.raises(UsageError) as caught:
        load(raw)
    assert said in caught.value.message and caught.value.message.endswith(".")
    assert caught.value.exit_code == 2 and caught.value.hint


def test_no_file_and_a_folder_are_sentences(tmp_path):
    for path in (tmp_path / "none.vcd", tmp_path):
        with pytest.raises(UsageError) as caught:
            files.load(path)
        assert caught.value.code == "unreadable_file"


WORDS = (
    *(b"#" + b"9" * 30, b"#-1", b"$end", b"$comment", b"$var wire 1000000000 ! D $end", b"$timescale 1 fs $end", b"b1"),
    *(
        b"\0",
        b"\xff",
        b"\n",
        b",",
        b";",
        b"\r",
        b"-",
        b".",
        b"e9",
        b"1e30",
        b"X",
        b"r1 !",
        b"$upscope $end",
        b"{",
        b"NaN",
    ),
    *(
        b"; Samplerate: 0 Hz\n",
        b"; Samplerate: 1e9 GHz\n",
        b"; Channels (9/9): " + b"a," * 9,
        b"Time,",
        b"nanoseconds,",
    ),
)


def damaged(rng, raw):
    """raw with one to three changes: bytes set, removed, doubled, words of the formats put in, lines moved."""
    raw = bytearray(raw)
    for _ in range(rng.randint(1, 3)):
        at, kind = rng.randrange(len(raw) + 1), rng.randrange(6)
        if kind == 0:
            raw[at : at + 1] = bytes((rng.randrange(256),))
        elif kind == 1:
            del raw[at : at + rng.randint(1, 30)]
        elif kind == 2:
            raw[at:at] = raw[at : at + rng.randint(1, 200)]
        elif kind == 3:
            raw[at:at] = rng.choice(WORDS)
        elif kind == 4:
            raw[at : at + 1] = bytes((rng.choice(b"0123456789$#!\n, "),))
        else:
            raw = raw[: rng.randrange(len(raw) + 1)] or bytearray(b"0")
    return bytes(raw)


@pytest.mark.parametrize("form", ["own", *FORMS])
def test_damage_is_a_sentence_or_a_capture_in_order(tmp_path, load, form):
    """500 files of each form. What is read has edges that rise, within the capture, and a resolution."""
    raw, mapping = (own_file(tmp_path), None) if form == "own" else FORMS[form]
    raw = raw if form == "own" else raw.encode()
    rng = random.Random(form)
    read = 0
    for _ in range(500):
        try:
            capture = load(damaged(rng, raw), mapping, sample_rate_hz=10**6 if rng.random() < 0.1 else None)
        except RheoError as error:
            assert error.exit_code == 2 and error.message.endswith(".") and len(error.message) < 1500
            continue
        read += 1
        assert capture.resolution_ps > 0
        for signal in capture.signals.values():
            edges = signal.edges_ps
            assert edges.dtype == np.int64 and (np.diff(edges) > 0).all() and signal.initial in (0, 1)
            assert not len(edges) or capture.start_ps < edges[0] <= edges[-1] <= capture.end_ps
    assert read > 30


@pytest.mark.parametrize(
    "raw",
    [
        HEAD.encode() + b"#" + b"9" * 5_000_000,
        HEAD.replace("1 !", "1000000000 !").encode() + b"#1\nb" + b"1" * 6_000_000 + b" !\n",
        b"$timescale 1 ns $end\n" + b"$var wire 128 ! d $end\n" * 50_000,
        b"Time [s]," + b"a," * 3_000_000 + b"a\n",
        b"Time [s],a\n" + b"0." + b"0" * 6_000_000 + b",1\n",
        b"; Channels (1/1): " + b"a," * 3_000_000 + b"\n",
        b"\n" * 6_000_000,
    ],
    ids=["endless time", "wide value", "many wires", "many columns", "endless number", "many channels", "blank"],
)
def test_nonsense_of_megabytes_takes_no_more_memory_than_a_few_times_its_size(load, raw):
    tracemalloc.start()
    try:
        with pytest.raises(UsageError):
            load(raw)
        assert tracemalloc.get_traced_memory()[1] < 80e6
    finally:
        tracemalloc.stop()
