"""sigrok-cli as a second judge of the same files, and as the reader of .sr. Skipped where it is not installed."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from bench import forms
from emulator import device_scripts as dev
from rheobase.bench import files
from rheobase.bench.capture import Capture, Signal
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.board import _ABOUT
from rheobase.emulator.snapshot import in_child
from rheobase.errors import HostError, UsageError

MISSING = "sigrok-cli is not installed (apt-get install sigrok-cli)"
needs_sigrok = pytest.mark.skipif(not shutil.which("sigrok-cli"), reason=MISSING)
CLOCK_NS = 8  # the decoder's step: the emulated board's clock


def sigrok(*words):
    return subprocess.run(
        ["sigrok-cli", *map(str, words)], check=True, capture_output=True, text=True, timeout=120
    ).stdout


def decoded(path, name):
    """(from, to) in ns of every stretch between two edges of a signal, by sigrok's timing decoder."""
    words = ("-I", f"vcd:downsample={CLOCK_NS}", "-P", f"timing:data={name}:edge=any", "-A", "timing=time")
    lines = sigrok("-i", path, *words, "--protocol-decoder-samplenum").splitlines()
    spans = [re.match(r"(\d+)-(\d+) timing", line) for line in lines]
    return [(int(span[1]) * CLOCK_NS, int(span[2]) * CLOCK_NS) for span in spans if span]


def agree(path):
    """True durations of all stretches, ours and sigrok's, compared one by one. Returns how many there were."""
    capture, count = files.load(path), 0
    for name, signal in capture.signals.items():
        ours = (signal.edges_ps // 1000).tolist()
        if len(ours) > 1:
            assert (signal.edges_ps % (CLOCK_NS * 1000) == 0).all()
            assert decoded(path, name) == list(zip(ours, ours[1:], strict=False))
            count += len(ours) - 1
    return count


def record(image, path):
    with EmulatedBoard(image, vcd=path) as board:
        board.boot()
        rawrepl.run(board, dev.PROGRAM)
        for n, width_us in enumerate((20, 97, 250)):
            words = dev.period_words(2_100, width_us)
            rawrepl.run(board, f"feed({n}, {words!r} * 60)\n")
        rawrepl.run(board, "go(7)\ntime.sleep_ms(140)\n")


@needs_sigrok
def test_sigroks_decoder_and_our_reader_agree_on_every_pulse_of_the_emulated_board(stock_image, tmp_path):
    """180 pulses on three channels, to the ns; the file is the board's own."""
    path = tmp_path / "board.vcd"
    in_child(record, stock_image, path)
    assert agree(path) >= 6 * (2 * 60 - 1)
    assert files.load(path).resolution_ps == _ABOUT["resolution_ps"]


@needs_sigrok
def test_sigroks_decoder_and_our_reader_agree_on_a_saved_capture(tmp_path):
    """400 pulses of any width from 8 ns up."""
    rng = np.random.default_rng(3)
    signals = {
        name: Signal(initial, (np.cumsum(rng.integers(1, 20_000, 800)) * CLOCK_NS * 1000).astype(np.int64))
        for name, initial in (("CH1_A", 0), ("CH1_B", 1))
    }
    end_ps = max(int(signal.edges_ps[-1]) for signal in signals.values()) + CLOCK_NS * 1000
    files.save(tmp_path / "a.vcd", Capture(signals, 0, end_ps, 8000, "x", "y"))
    assert agree(tmp_path / "a.vcd") == 2 * 799


@pytest.fixture
def sampled(tmp_path):
    """A .sr file at 24 MHz of a demo device, D0 and D1 of it, and what its rows of samples say."""
    if not shutil.which("sigrok-cli"):
        pytest.skip(MISSING)
    path = tmp_path / "demo.sr"
    device = ("-d", "demo:logic_channels=4:analog_channels=0", "--config", "samplerate=24m", "--samples", 5000)
    sigrok(*device, "-C", "D0,D1", "-o", path)
    return path


FORMS = (
    ("vcd", 41_667 + 100),
    ("csv", 41_667 + 1),
    ("csv:time=true", 41_667 + 1),
    ("csv:time=true:dedup=true", 41_667 + 1),
    ("csv:label=channel:time=true:dedup=true", 41_667 + 1),
    ("csv:label=off:time=true", 41_667 + 1),
    ("csv:label=off", 41_667 + 1),
)


@pytest.mark.parametrize(("form", "resolution_ps"), FORMS)
def test_every_form_that_sigrok_writes_says_the_same(sampled, tmp_path, form, resolution_ps):
    """Edges of all forms are those of the samples, to half of the 100 ps in which sigrok writes VCD."""
    rows = [line.split(",") for line in sigrok("-i", sampled, "-O", "csv:label=off").splitlines() if line[0] in "01"]
    path = tmp_path / "out"
    path.write_text(sigrok("-i", sampled, "-O", form))
    capture = files.load(path, {"D0": "CH1_A", "D1": "CH1_B"})
    assert capture.resolution_ps == resolution_ps and "24 MHz" in capture.instrument
    for column, name in enumerate(("CH1_A", "CH1_B")):
        numbers = [n for n in range(1, len(rows)) if rows[n][column] != rows[n - 1][column]]
        assert len(numbers) > 500 and len(numbers) == len(capture.signals[name].edges_ps)
        for n, t_ps in zip(numbers, capture.signals[name].edges_ps.tolist(), strict=True):
            assert abs(t_ps * 24 - n * 10**6) <= (24 * 50 if form == "vcd" else 24)


def test_a_session_file_is_read_through_sigrok_cli(sampled, tmp_path):
    path = tmp_path / "out"
    path.write_text(sigrok("-i", sampled, "-O", "vcd"))
    mapping = {"D0": "CH1_A", "D1": "CH1_B"}
    from_sr, from_vcd = files.load(sampled, mapping), files.load(path, mapping)
    for name in from_vcd.signals:
        assert from_sr.signals[name].edges_ps.tolist() == from_vcd.signals[name].edges_ps.tolist()
    assert (from_sr.resolution_ps, from_sr.end_ps, from_sr.torn) == (from_vcd.resolution_ps, from_vcd.end_ps, None)


def test_a_session_file_that_is_cut_is_a_sentence(sampled, tmp_path):
    raw = sampled.read_bytes()
    for cut in range(4, len(raw) - 1, len(raw) // 12):
        (tmp_path / "cut.sr").write_bytes(raw[:cut])
        with pytest.raises(UsageError) as caught:
            files.load(tmp_path / "cut.sr")
        assert caught.value.code == "bad_sr" and "is not a whole session file" in caught.value.message


def test_without_sigrok_cli_a_session_file_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.sr").write_bytes(b"PK\x03\x04")
    with pytest.raises(HostError) as caught:
        files.load(tmp_path / "a.sr")
    assert caught.value.exit_code == 8 and "apt-get install sigrok-cli" in caught.value.hint


@pytest.mark.parametrize("status", [0, 1])
def test_a_sigrok_cli_that_fails_halfway_gives_no_half_capture(tmp_path, monkeypatch, status):
    program = tmp_path / "sigrok-cli"
    vcd = forms.PLAIN_VCD.replace("D0", "CH1_A")
    program.write_text(f"#!/bin/sh\nprintf '%s' '{vcd}'\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "a.sr").write_bytes(b"PK\x03\x04")
    if status == 0:
        assert files.load(tmp_path / "a.sr").edges == 11
    else:
        with pytest.raises(UsageError):
            files.load(tmp_path / "a.sr")
