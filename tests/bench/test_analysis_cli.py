"""`rheo bench analyze`: from files to a verdict, with the contract's data, exit codes and sentences; at 80 columns."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from bench import planted
from bench.planted import Bench, S
from rheobase import library
from rheobase.bench import files
from rheobase.cli import main
from rheobase.record import RecordWriter
from rheocore.compact import compact

PRESET = "ea_2_100hz"
FIGURES = ("width_a_us", "width_b_us", "gap_us", "period_us")


@pytest.fixture
def rheo(capsys):
    def call(*words):
        code = main.main(["bench", "analyze", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture(scope="module")
def cfg():
    return compact(library.load(PRESET), 0)


@pytest.fixture(scope="module")
def clean(cfg, tmp_path_factory):
    path = tmp_path_factory.mktemp("bench") / "clean.vcd"
    pulses = planted.pulses(cfg, 0, 700)
    files.save(path, Bench("8 ns", 1, 12).capture({1: pulses, 3: pulses + 5 * S}))
    return path


def test_a_clean_file_passes_with_the_contracts_data(rheo, clean):
    code, out, err = rheo(clean, "--protocol", PRESET, "--json")
    answer = json.loads(out)
    assert (code, err, answer["command"], answer["ok"]) == (0, "", "bench analyze", True)
    data = answer["data"]
    assert data["verdict"] == "pass" and data["findings"] == []
    assert data["clock_ppm"]["value"] == pytest.approx(12, abs=data["clock_ppm"]["u"])
    assert data["channels"].keys() == {"1", "3"}
    for channel in data["channels"].values():
        assert channel["pulses"] == 700
        for key in FIGURES:
            assert channel[key].keys() >= {"min", "mean", "max", "u"} and channel[key]["u"] > 0


def test_a_file_that_says_what_was_played_needs_no_protocol_and_any_other_does(rheo, cfg, clean, tmp_path):
    path, pulses = tmp_path / "own.vcd", planted.pulses(cfg, 0, 50)
    capture = Bench("8 ns", 1, 12).capture({1: pulses})
    capture.trains = {1: cfg}
    files.save(path, capture)
    assert rheo(path)[0] == 0
    assert rheo(path, "--protocol", "pens_3hz")[0] == 7, "what the user names counts, not what the file says"
    text = path.read_text()
    assert '"width_us": 200' in text
    path.write_text(text.replace('"width_us": 200', '"width_us": 0'))  # no train that a board plays
    for file in (path, clean):
        code, _, err = rheo(file)
        assert code == 2 and "--protocol" in err


def test_people_read_a_table_of_80_columns_and_one_screen_a_channel(rheo, clean):
    code, out, _ = rheo(clean, "--protocol", PRESET, "--channel", 1)
    lines = out.splitlines()
    assert code == 0 and max(map(len, lines)) <= 80 and len(lines) <= 24
    assert lines[-1].startswith("PASS")
    assert any(line.split()[:3] == ["phase", "A", "200"] and line.endswith("pass") for line in lines)


def test_a_fail_is_exit_7_and_told_in_a_sentence_at_its_time(rheo, cfg, tmp_path):
    pulses = planted.pulses(cfg, 0, 400)
    pulses[200, 1:] += planted.US
    pulses += planted.MS
    files.save(tmp_path / "bad.vcd", Bench("8 ns", 1, 12).capture({2: pulses}))
    code, out, _ = rheo(tmp_path / "bad.vcd", "--protocol", PRESET)
    assert code == 7 and out.splitlines()[-1].startswith("FAIL")
    told = re.search(
        r"width_a (\d+\.\d{9}) s: Phase A is (\d+\.?\d*) \u00b5s, commanded 200 \u00b5s\.", " ".join(out.split())
    )
    assert abs(float(told[1]) * 1e12 - pulses[200, 0]) < 100_000_000 and abs(float(told[2]) - 201) < 0.01


def test_what_cannot_be_told_is_exit_7_too(rheo, cfg, tmp_path):
    path = tmp_path / "fast.vcd"
    files.save(path, Bench("8 ns", 1, 50).capture({1: planted.pulses(cfg, 0, 400)}))
    assert rheo(path, "--protocol", PRESET, "--json")[0] == 7
    answer = json.loads(rheo(path, "--protocol", PRESET, "--json")[1])
    assert answer["data"]["verdict"] == "cannot_tell" and answer["exit_code"] == 7
    answer = json.loads(rheo(path, "--protocol", PRESET, "--clock-ppm", 5, "--json")[1])
    assert [f["code"] for f in answer["data"]["findings"]] == ["clock"] and answer["data"]["verdict"] == "fail"


def test_counts_come_from_expect_or_from_a_sessions_record(rheo, clean, tmp_path):
    told = {"1": {"pulses": 700}, "3": {"pulses": 701}}
    with RecordWriter.create("E66", 1_000, tmp_path) as record:
        record.write("close", stop_reason="time_over", fault=None, duration_ms=1, channels=told)
    assert rheo(clean, "--protocol", PRESET, "--expect", 700)[0] == 0
    assert rheo(clean, "--protocol", PRESET, "--expect", 699)[0] == 7
    assert rheo(clean, "--protocol", PRESET, "--record", record.path, "--channel", 1)[0] == 0
    code, out, _ = rheo(clean, "--protocol", PRESET, "--record", record.folder, "--json")
    (found,) = json.loads(out)["data"]["findings"]
    assert code == 7 and (found["code"], found["channel"], found["expected"]) == ("count", 3, 701)
    assert rheo(clean, "--protocol", PRESET, "--record", "last", "--log-dir", tmp_path, "--channel", 1)[0] == 0


def test_a_pause_passes_only_where_the_record_tells_of_it(rheo, cfg, tmp_path):
    pulses = planted.pulses(cfg, 0, 700)
    pulses[300:] += 4_321_000 * planted.US
    files.save(tmp_path / "paused.vcd", Bench("8 ns", 1, 12).capture({1: pulses}))
    told = {"1": {"pulses": 700}}
    codes = []
    for states in (("ramp_up", "paused", "ramp_up"), ("ramp_up", "paused"), ("ramp_up",)):
        with RecordWriter.create("E66", 1_000, tmp_path) as record:
            for state in states:
                record.write("event", event="state", detail=state)
            record.write("close", stop_reason="time_over", fault=None, duration_ms=1, channels=told)
        codes.append(rheo(tmp_path / "paused.vcd", "--protocol", PRESET, "--record", record.path)[0])
    assert codes == [0, 7, 7]
    assert rheo(tmp_path / "paused.vcd", "--protocol", PRESET, "--expect", 700)[0] == 7


def test_channels_that_nothing_was_asked_of_are_said_and_not_judged(rheo, cfg, tmp_path):
    capture = Bench("8 ns", 1, 12).capture({1: planted.pulses(cfg, 0, 400), 2: planted.pulses(cfg, 0, 0)})
    files.save(tmp_path / "one.vcd", capture)
    code, out, _ = rheo(tmp_path / "one.vcd", "--protocol", PRESET)
    assert code == 0 and "not judged  channel 2" in out
    assert rheo(tmp_path / "one.vcd", "--protocol", PRESET, "--channel", 1, "--channel", 2)[0] == 7


def test_a_channel_that_was_to_play_and_does_not_move_fails(rheo, cfg, tmp_path):
    capture = Bench("8 ns", 1, 12).capture({1: planted.pulses(cfg, 0, 400), 2: planted.pulses(cfg, 0, 0)})
    capture.trains = {1: cfg, 2: cfg}
    files.save(tmp_path / "half.vcd", capture)
    code, out, _ = rheo(tmp_path / "half.vcd")
    assert code == 7 and "channel 2, no_pulses" in out


def test_signals_of_any_name_are_mapped(rheo, cfg, tmp_path):
    capture = Bench("8 ns", 1, 12).capture({1: planted.pulses(cfg, 0, 400)})
    capture.signals = {"D0": capture.signals["CH1_A"], "D1": capture.signals["CH1_B"]}
    path = tmp_path / "names.vcd"
    files.save(path, capture)
    code, _, err = rheo(path, "--protocol", PRESET)
    assert code == 2 and "--map" in err
    assert rheo(path, "--protocol", PRESET, "--map", "D0=ch2_a", "--map", "D1=CH2_B")[0] == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    (
        (("--map", "D0"), "--map D0 is not NAME=CH1_A."),
        (("--map", "D0=CH1_C"), "--map D0=CH1_C is not NAME=CH1_A."),
        (("--map", "D0=CH1_A", "--map", "D1=CH1_A"), "mapped already"),
        (("--sample-rate", "24"), "no rate"),
        (("--sample-rate", "0MHz"), "no rate"),
        (("--clock-ppm", "-1"), "--clock-ppm"),
        (("--expect", "-1"), "--expect"),
        (("--expect", "5", "--record", "x"), "Give one of them"),
        (("--record", "nothing-there"), "nothing-there"),
        (("--channel", "2"), "CH2_A"),
        (("--channel", "x"), "--channel"),
        (("--protocol", "nothing"), "nothing"),
    ),
)
def test_bad_words_are_exit_2_and_a_sentence(rheo, clean, tmp_path, words, sentence):
    protocol = () if "--protocol" in words else ("--protocol", PRESET)
    code, out, err = rheo(clean, *protocol, "--log-dir", tmp_path, *words)
    assert (code, out) == (2, "") and sentence in err and "Traceback" not in err


def test_a_file_that_is_no_capture_is_a_sentence(rheo, tmp_path):
    for name, content in (("empty.vcd", b""), ("text.csv", b"a,b\nc,d\n"), ("noise.vcd", bytes(range(256)) * 9)):
        (tmp_path / name).write_bytes(content)
        code, out, err = rheo(tmp_path / name, "--protocol", PRESET)
        assert code == 2 and out == "" and "Traceback" not in err and name in err
    assert rheo(tmp_path / "missing.vcd", "--protocol", PRESET)[0] in (2, 8)


def test_a_torn_file_is_never_a_pass(rheo, clean, tmp_path):
    raw = clean.read_bytes()
    for cut in np.linspace(len(raw) // 4, len(raw) - 2, 5).astype(int):
        (tmp_path / "torn.vcd").write_bytes(raw[:cut])
        assert rheo(tmp_path / "torn.vcd", "--protocol", PRESET)[0] in (2, 7)


def test_the_group_lists_its_commands_and_imports_none_of_them():
    script = "import sys; from rheobase.cli.main import main; main(['bench', '--help']); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert all(verb in out for verb in ("capture", "analyze", "sweep", "compare"))
    assert "rheobase.cli.bench" in out.split() and "rheobase.cli.bench_sweep" not in out.split()


def test_a_command_that_is_not_there_is_a_usage_error():
    assert main.main(["bench", "analyse"]) == 2
