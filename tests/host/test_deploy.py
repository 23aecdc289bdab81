"""`rheo deploy` without mpremote: what is copied, in which order, what is removed, who is refused, failures."""

import subprocess
import sys

import pytest
from host.fake_board import FakeBoard
from host.test_link import started
from rheobase import deploy, mpremote
from rheobase.errors import DeviceLost, HostError
from rheobase.image import firmware_files

FILES = {"boot.py": b"boot", "main.py": b"main", "lib/rheocore/a.py": b"a", "lib/rheo_board.py": b"board"}
HASH = firmware_files.hash_of(FILES)


@pytest.fixture
def device(monkeypatch):
    """What mpremote would find (there {path: SHA-256}, frozen ORIGIN or None) and do (copied, removed, resets)."""

    class Device:
        there = {}
        frozen = None

        def __init__(self):
            self.copied, self.removed, self.resets = [], [], 0

        def evaluate(self, port, source, timeout_s=0):
            return self.frozen if source == deploy._FROZEN else dict(self.there)

        def run(self, port, *words, timeout_s=0):
            self.resets += words == ("reset",)
            self.copied += [words[i + 3][1:] for i in range(len(words)) if words[i : i + 2] == ("fs", "cp")]
            self.removed += [words[i + 2][1:] for i in range(len(words)) if words[i : i + 2] == ("fs", "rm")]
            return ""

    fake = Device()
    monkeypatch.setattr(mpremote, "evaluate", fake.evaluate)
    monkeypatch.setattr(mpremote, "run", fake.run)
    monkeypatch.setattr(firmware_files, "read_files", lambda board: dict(FILES))
    return fake


def board_with(origin="files", digest=HASH):
    return FakeBoard(info={"firmware": {"version": "0.1.0", "hash": digest, "origin": origin}})


def hashes(files):
    import hashlib

    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def test_everything_goes_onto_an_empty_board_the_entry_points_and_the_version_last(rheo, device):
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 0, answer.out
    assert device.copied == ["lib/rheo_board.py", "lib/rheocore/a.py", "boot.py", "main.py", "lib/rheo_build.py"]
    assert answer.json["data"] == {"files": device.copied, "hash": HASH, "from": HASH, "to": HASH}
    assert device.resets == 1


def test_only_what_changed_is_copied_and_what_is_no_longer_ours_is_removed(rheo, device):
    build = firmware_files.build_module("RHEO_PICO", "files", HASH).encode()
    device.there = hashes({**FILES, "main.py": b"old", "lib/rheocore/gone.py": b"", "lib/rheo_build.py": build})
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert device.copied == ["main.py"] and device.removed == ["lib/rheocore/gone.py"]
    assert answer.json["data"]["files"] == ["main.py", "lib/rheocore/gone.py"]


def test_a_board_that_is_up_to_date_is_left_alone(rheo, device):
    build = firmware_files.build_module("RHEO_PICO", "files", HASH).encode()
    device.there = hashes({**FILES, "lib/rheo_build.py": build})
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port)
    assert "nothing to do" in answer.out and not device.copied and not device.resets


def test_a_dry_run_says_what_it_would_do_and_copies_nothing(rheo, device):
    with board_with() as board:
        answer = rheo("deploy", "--dry-run", "-p", board.port)
    assert "5 files would be copied" in answer.out and "  main.py" in answer.out
    assert not device.copied and not device.removed and not device.resets


def test_output_is_stopped_and_confirmed_before_mpremote_is_called(rheo, device, monkeypatch):
    with board_with() as board:
        started(board).close()
        states = []
        evaluate = device.evaluate
        monkeypatch.setattr(mpremote, "evaluate", lambda *a, **k: (states.append(board.session.state), evaluate(*a))[1])
        rheo("deploy", "-p", board.port)
    assert set(states) == {"done"}


@pytest.mark.parametrize("answers", [True, False], ids=["greeted", "silent"])
def test_frozen_firmware_is_refused_with_flash_instead(rheo, device, answers):
    """By the board's own word, or, when its firmware does not answer, by what is frozen in its image."""
    device.frozen = "frozen"
    with FakeBoard(firmware=False) if not answers else board_with("frozen") as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 4 and answer.error["code"] == "frozen" and "flash instead" in answer.error["message"]
    assert not device.copied


def test_a_board_that_does_not_start_afterwards_is_an_error(rheo, device, monkeypatch):
    monkeypatch.setattr(deploy, "RESET_S", 0.1)
    with FakeBoard(firmware=False) as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 8 and answer.error["code"] == "not_started"


def test_a_board_that_runs_something_else_afterwards_is_an_error(rheo, device):
    with board_with(digest="0123456789abcdef") as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 4 and answer.error["code"] == "not_taken"


def test_deploy_without_a_port_takes_the_one_board_even_if_it_has_no_firmware(rheo, device, monkeypatch):
    with FakeBoard(firmware=False) as board:
        monkeypatch.setattr("rheobase.discovery._usb_ports", lambda: [(board.port, False, "X")])
        answer = rheo("deploy", "--dry-run", "--json")
    assert answer.code == 0 and answer.json["data"]["from"] is None


# -- mpremote itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said, kind, code",
    [
        ("mpremote: failed to access /dev/x (it may be in use by another program)", DeviceLost, "lost"),
        ("No module named mpremote", HostError, "no_mpremote"),
        ("OSError: [Errno 28] ENOSPC", HostError, "mpremote_failed"),
        ("", HostError, "mpremote_failed"),
    ],
)
def test_a_failure_of_mpremote_is_a_sentence_with_its_last_words(monkeypatch, said, kind, code):
    def failed(command, **options):
        assert command[:3] == [sys.executable, "-m", "mpremote"]
        return subprocess.CompletedProcess(command, 1, "", said)

    monkeypatch.setattr(subprocess, "run", failed)
    with pytest.raises(kind) as error:
        mpremote.run("/dev/x", "exec", "1")
    assert error.value.code == code and (said.split(" (")[0] in error.value.message or code == "no_mpremote")


def test_mpremote_that_hangs_is_a_lost_board(monkeypatch):
    def hang(command, timeout, **options):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(DeviceLost, match="no answer"):
        mpremote.run("/dev/x", "exec", "1")


def test_an_answer_that_is_no_literal_is_an_error(monkeypatch):
    monkeypatch.setattr(mpremote, "run", lambda *_, **__: "MemoryError\n")
    with pytest.raises(HostError):
        mpremote.evaluate("/dev/x", "print(1)")
