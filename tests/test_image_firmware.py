"""Device files: one list for freezing and deploying, a hash that says what they are, pins written once."""

import os
import subprocess
import sys

import pytest
from rheobase import boards, paths
from rheobase.errors import HostError, UsageError
from rheobase.image import firmware_files as ff


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small firmware of our own, so that the real one may be edited meanwhile."""
    root = tmp_path / "firmware"
    for name in ("boot.py", "main.py", "lib/rheocore/__init__.py", "lib/rheocore/a.py", "lib/rheorp2/app.py"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"# {name}\n")
    monkeypatch.setattr(paths, "firmware_dir", lambda: root)
    return root


def test_the_list_is_what_the_device_runs_and_nothing_else(tree):
    (tree / "lib/rheocore/__pycache__").mkdir()
    (tree / "lib/rheocore/__pycache__/a.cpython-311.py").write_text("")
    (tree / "lib/rheocore/.a.py.swp.py").write_text("")
    (tree / "lib/rheocore/notes.md").write_text("")
    assert [name for name, _ in ff.firmware_files("RHEO_PICO")] == [
        "boot.py",
        "lib/rheo_board.py",
        "lib/rheocore/__init__.py",
        "lib/rheocore/a.py",
        "lib/rheorp2/app.py",
        "main.py",
    ]


def test_stock_has_no_files_and_no_hash():
    assert ff.firmware_files("RPI_PICO") == []
    assert ff.firmware_hash("RPI_PICO") is None


def test_an_unknown_board_is_a_usage_error_that_lists_the_known():
    with pytest.raises(UsageError) as caught:
        ff.firmware_files("PICO_9")
    assert "RHEO_PICO" in caught.value.hint and "RPI_PICO" in caught.value.hint


@pytest.mark.parametrize("name", ["boot.py", "main.py", "lib/rheorp2/app.py"])
def test_a_missing_part_is_refused_by_name(tree, name):
    (tree / name).unlink()
    with pytest.raises(HostError) as caught:
        ff.firmware_files("RHEO_PICO")
    assert caught.value.exit_code == 8
    assert os.path.dirname(name) in caught.value.message


def test_the_hash_does_not_depend_on_order_times_or_place(tree):
    files = ff.read_files("RHEO_PICO")
    digest = ff.firmware_hash("RHEO_PICO")
    os.utime(tree / "main.py", (1, 1))
    assert ff.hash_of(dict(reversed(files.items()))) == digest == ff.firmware_hash("RHEO_PICO")
    assert len(digest) == 16 and int(digest, 16) >= 0


def test_the_hash_is_this_one():
    """A change of the algorithm would make every host refuse every board: it must be on purpose."""
    assert ff.hash_of({"main.py": b"x", "lib/a.py": b""}) == "10e316ca0607560a"


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "main.py").write_text("# other\n"),
        lambda root: (root / "lib/rheocore/b.py").write_text(""),
        lambda root: (root / "lib/rheocore/a.py").rename(root / "lib/rheocore/b.py"),
    ],
)
def test_any_change_of_a_file_changes_the_hash(tree, change):
    before = ff.firmware_hash("RHEO_PICO")
    change(tree)
    assert ff.firmware_hash("RHEO_PICO") != before


def test_content_cannot_move_between_files_unnoticed():
    assert ff.hash_of({"a": b"xy", "b": b""}) != ff.hash_of({"a": b"x", "b": b"y"})


@pytest.mark.parametrize("origin", ["frozen", "files"])
def test_the_build_module_says_what_was_built(tree, origin):
    names = {}
    exec(ff.build_module("RHEO_PICO", origin), names)
    assert names["HASH"] == ff.firmware_hash("RHEO_PICO")
    assert (names["ORIGIN"], names["BOARD"]) == (origin, "RHEO_PICO")
    import rheobase

    assert names["VERSION"] == rheobase.__version__


def test_staging_touches_only_what_changed(tree, tmp_path):
    out = tmp_path / "out"
    ff.stage("RHEO_PICO", out)
    for path in out.rglob("*.py"):
        os.utime(path, (1, 1))
    (tree / "main.py").write_text("# other\n")
    (tree / "lib/rheocore/a.py").unlink()
    digest = ff.stage("RHEO_PICO", out)
    touched = {p.relative_to(out).as_posix() for p in out.rglob("*.py") if p.stat().st_mtime > 1}
    assert touched == {"main.py", "rheo_build.py"}
    assert not (out / "rheocore/a.py").exists()
    assert digest in (out / "rheo_build.py").read_text()


def test_a_plain_micropython_build_freezes_the_same_files(tmp_path):
    script = paths.boards_dir() / "common" / "stage_firmware.py"
    command = [sys.executable, "-I", str(script), "RHEO_PICO", str(tmp_path / "a"), str(tmp_path / "pins.h")]
    subprocess.run(command, check=True)
    ff.stage("RHEO_PICO", tmp_path / "b")
    assert (tmp_path / "pins.h").read_text() == boards.pins_header(boards.load("RHEO_PICO"))

    def laid_out(root):
        return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*.py")}

    assert laid_out(tmp_path / "a") == laid_out(tmp_path / "b")
