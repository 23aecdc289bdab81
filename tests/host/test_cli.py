"""The contract of the command line: envelope, exit codes, global options anywhere, help, and what is not imported."""

import json
import subprocess
import sys

import click
import pytest
from host.calling import environment
from host.fake_board import FakeBoard
from rheobase import errors
from rheobase.cli.main import VERBS, cli, main
from rheobase.errors import HostError

ENVELOPE = ["schema", "command", "ok", "exit_code", "data", "errors"]
CONTRACT_VERBS = [
    "devices", "info", "doctor", "emulate", "image", "flash", "deploy", "calibrate", "protocol", "run", "status",
    "watch", "stop", "pause", "resume", "clear-fault", "log", "bench", "completion",
]  # fmt: skip

# Each verb once, with no board, no image and no record there: (words, exit code, data's keys or the error's code).
WITHOUT_ANYTHING = [
    ("devices", 0, {"devices"}),
    ("info", 3, "no_board"),
    ("doctor", 0, {"checks"}),
    ("calibrate --channel 1 --load 1000", 3, "no_board"),
    ("calibrate --channel 1 --load 100", 2, "bad_load"),
    ("image path", 8, "no_image"),
    ("image fetch --version 9.9", 2, "unknown_version"),
    ("image build --micropython /nowhere", 8, None),
    ("flash --uf2 missing.uf2 --yes", 2, None),
    ("flash", 2, "yes_missing"),
    ("deploy", 3, "no_board"),
    ("protocol list", 0, {"protocols"}),
    ("protocol show tens_conventional", 0, None),
    ("protocol show nothing_like_it", 2, "unknown_preset"),
    ("protocol validate missing.toml", 2, None),
    ("protocol push ea_2hz", 3, "no_board"),
    ("run tens_conventional --amplitude 2mA --yes", 3, "no_board"),
    ("run", 2, "yes_missing"),
    ("run --yes", 2, "no_protocol"),
    ("status", 3, "no_board"),
    ("watch", 3, "no_board"),
    ("stop", 3, "no_board"),
    ("pause", 3, "no_board"),
    ("resume", 3, "no_board"),
    ("clear-fault", 3, "no_board"),
    ("log list", 0, {"records"}),
    ("log show last", 2, "unknown_record"),
    ("log export x", 2, "unknown_record"),
    ("emulate --speed 0", 2, "bad_speed"),
    ("emulate --port /dev/null", 2, "no_port_here"),
    ("bench sweep --out out", 3, "no_board"),
    ("bench sweep", 2, "usage"),
    ("bench compare a.json b.json", 2, "unreadable"),
    ("bench", 2, "usage"),
    ("completion fish", 0, {"shell", "script"}),
    ("completion tcsh", 2, "usage"),
    ("nonsense", 2, "usage"),
    ("stop --nonsense", 2, "usage"),
    ("run --channel", 2, "usage"),
    ("image", 2, "usage"),
    ("", 2, "usage"),
]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RHEO_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("words, exit_code, expected", WITHOUT_ANYTHING, ids=[w[0] or "none" for w in WITHOUT_ANYTHING])
def test_json_is_one_envelope_on_stdout_with_the_exit_code_in_it(rheo, words, exit_code, expected):
    answer = rheo("--json", *words.split())
    envelope = answer.json
    assert list(envelope) == ENVELOPE and envelope["schema"] == 1
    assert answer.code == envelope["exit_code"] == exit_code, envelope
    assert envelope["ok"] is (exit_code == 0)
    verb = words.split()[0] if words else ""
    assert envelope["command"].split(" ")[0] == (verb if verb != "nonsense" else "")
    assert bool(envelope["errors"]) is (exit_code != 0)
    for error in envelope["errors"]:
        assert list(error) == ["code", "message", "hint"] and error["message"]
    if isinstance(expected, set):
        assert set(envelope["data"]) == expected
    elif expected:
        assert envelope["errors"][0]["code"] == expected
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("words", [w[0] for w in WITHOUT_ANYTHING if w[1]], ids=str)
def test_without_json_an_error_is_a_sentence_on_stderr_and_stdout_stays_empty(rheo, words):
    answer = rheo(*words.split())
    assert answer.code != 0 and answer.out == "" and "Error: " in answer.err and "Traceback" not in answer.err


def test_every_verb_of_the_contract_that_is_built_is_there_and_no_other():
    assert sorted(cli.list_commands(None)) == sorted(CONTRACT_VERBS)


@pytest.mark.parametrize("verb", CONTRACT_VERBS)
def test_every_verb_says_what_it_does_in_80_columns(rheo, verb):
    answer = rheo(verb, "--help")
    assert answer.code == 0 and answer.out.startswith(f"Usage: rheo {verb}")
    assert max(map(len, answer.out.splitlines())) <= 80


def test_the_one_line_of_each_verb_is_what_its_own_help_begins_with():
    ctx = click.Context(cli)
    for verbs in VERBS.values():
        for verb, (_, _, line) in verbs.items():
            own = cli.get_command(ctx, verb).help.split("\n")[0].rstrip(".")
            assert own[:8] == line[:8], f"{verb}: {line!r} and {own!r}"


@pytest.mark.req("REQ-108")
def test_help_shows_the_wording():
    answer = subprocess.run([sys.executable, "-m", "rheobase.cli.main", "--help"], capture_output=True, text=True,
                            env=environment())  # fmt: skip
    text = " ".join(answer.stdout.split())
    for sentence in ("into test loads", "Not a medical device", "not treatment advice", "Never connect a person"):
        assert sentence in text


@pytest.mark.parametrize("order", ["before", "after", "between"])
def test_global_options_stand_before_or_after_the_verb(rheo, order):
    with FakeBoard() as board:
        options = ["--port", board.port, "--json"]
        words = {"before": [*options, "info"], "after": ["info", *options], "between": ["--json", "info", *options[:2]]}
        assert rheo(*words[order]).json["data"]["serial"] == "FAKE0001"


def test_global_options_work_at_every_depth(rheo):
    for words in (["--json", "image", "path"], ["image", "--json", "path"], ["image", "path", "--json"]):
        answer = rheo(*words)
        assert answer.json["command"] == "image path" and answer.error["code"] == "no_image"


def test_a_misspelt_verb_is_corrected(rheo):
    assert "Did you mean `stop`?" in rheo("stpo").err
    assert "Did you mean `clear-fault`?" in rheo("clear_fault").err


def test_version(rheo):
    assert rheo("--version").out.startswith("rheo ")
    assert rheo("--version", "--json").json["data"]["version"]


def test_a_bug_is_one_sentence_exit_1_and_a_saved_traceback(rheo, monkeypatch, tmp_path):
    def broken(*_, **__):
        raise ZeroDivisionError("of ours")

    monkeypatch.setattr("rheobase.discovery.find_all", broken)
    answer = rheo("devices", "--json")
    assert (
        answer.code == errors.EXIT_BUG
        and answer.error["code"] == "bug"
        and "ZeroDivisionError" in answer.error["message"]
    )
    [saved] = (tmp_path / "cache").glob("crash-*.txt")
    assert "Traceback" in saved.read_text() and str(saved) in answer.error["hint"] and "Traceback" not in answer.err
    assert "Traceback" in rheo("devices", "-v").err


def test_ctrl_c_in_any_command_is_130(rheo, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("rheobase.discovery.find_all", interrupted)
    answer = rheo("devices", "--json")
    assert answer.code == 130 and answer.error["code"] == "interrupted"


def test_a_full_disk_under_any_file_is_exit_8(rheo):
    with FakeBoard() as board:
        answer = rheo("watch", "-p", board.port, "--out", "/nowhere/at/all", "--json")
    assert answer.code == 8 and "/nowhere/at/all" in answer.error["message"]


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{sys.executable} -m rheobase.cli.main protocol list | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, env=environment())
    assert done.returncode == 0 and done.stderr == ""


def imported(*words):
    """Modules that `rheo words` imports, in a process of its own, beyond those of an empty Python."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from rheobase.cli.main import main\n"
        f"main({list(words)!r})\n"
        "print('MODULES', *sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    line = next(line for line in done.stdout.splitlines() if line.startswith("MODULES"))
    return set(line.split()[1:])


HEAVY = {"matplotlib", "numpy", "rp2040py", "subprocess", "tomllib", "asyncio", "ssl", "urllib.request", "serial"}


def test_help_imports_click_and_the_entry_and_no_verb():
    modules = imported("--help")
    ours = {name for name in modules if name.split(".")[0] in ("rheobase", "rheocore")}
    leaves = {"rheobase.errors", "rheobase.wording"}
    assert ours == {"rheobase", "rheobase.cli", "rheobase.cli.app", "rheobase.cli.main"} | leaves
    assert not modules & HEAVY
    assert len(modules) < 120, "an import too many"


def test_stop_imports_nothing_that_it_does_not_need():
    with FakeBoard() as board:
        modules = imported("stop", "-p", board.port)
    unwanted = {"rheobase.image", "rheobase.record", "rheobase.session", "rheobase.library", "rheobase.plots",
                "rheobase.order", "rheobase.deploy", "rheobase.emulator.board", "rheobase.cli.run"}  # fmt: skip
    assert not modules & unwanted
    assert not modules & (HEAVY - {"serial"})


def test_main_can_be_called_again_and_again():
    assert [main(["--version"]) for _ in range(3)] == [0, 0, 0]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_every_shell(rheo, shell):
    assert "_RHEO_COMPLETE" in rheo("completion", shell).out


def test_completion_completes_verbs():
    env = {**environment(), "_RHEO_COMPLETE": "bash_complete", "COMP_WORDS": "rheo st", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-m", "rheobase.cli.main"], capture_output=True, text=True, env=env)
    assert {line.split(",")[1] for line in done.stdout.splitlines()} == {"status", "stop"}


def test_json_output_is_strict_json(rheo):
    json.loads(rheo("devices", "--json").out, parse_constant=lambda name: pytest.fail(f"{name} in the output"))


@pytest.mark.parametrize("named, given", [("RPI_PICO", None), (None, "RPI_PICO"), ("RPI_PICO", "RPI_PICO")])
def test_stock_micropython_is_emulated_whether_the_option_or_the_environment_names_it(rheo, monkeypatch, named, given):
    asked = []
    monkeypatch.delenv("RHEO_BOARD", raising=False)
    if named:
        monkeypatch.setenv("RHEO_BOARD", named)

    def ensure(name, log):
        asked.append(name)
        return type("Image", (), {"bin_path": "stock.bin"})

    def start(name, *_, **options):
        asked.append(name)
        raise HostError("enough", "Enough.")

    monkeypatch.setattr("rheobase.image.ensure", ensure)
    monkeypatch.setattr("rheobase.emulator.launch.start", start)
    answer = rheo("emulate", "--json", *(["--board", given] if given else []))
    assert answer.error["code"] == "enough", answer.out
    assert asked == ["RPI_PICO", "RHEO_PICO"]  # the image, and whose pins it runs on
