"""A release: of what is committed, whole or not at all, with sums that hold, and the same bytes twice."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from rheobase import boards, flash, image

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("host", "firmware", "boards", "tests", "docs", "tools", "benchmarks")
FILES = ("Makefile", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", ".gitignore")
JUNK = shutil.ignore_patterns("__pycache__", "*.egg-info")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """This tree, committed somewhere else."""
    root = tmp_path_factory.mktemp("checkout")
    for part in PARTS:
        shutil.copytree(ROOT / part, root / part, ignore=JUNK)
    for name in FILES:
        shutil.copy(ROOT / name, root)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t"]
    dates = {"GIT_COMMITTER_DATE": "2026-01-02T03:04:06Z", "GIT_AUTHOR_DATE": "2026-01-02T03:04:06Z"}
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True, env={**os.environ, **dates})
    return root


def release(root):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "host"), *sys.path])}
    command = [sys.executable, str(root / "tools" / "release.py")]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def dist(board_image, checkout):
    """dist/ of a release, made twice over."""
    for place in ("firmware/lib/rheorp2/__pycache__/left.pyc", "boards/build/left.txt"):  # ignored by git
        (checkout / place).parent.mkdir()
        (checkout / place).write_bytes(b"x")
    made = []
    for _ in range(2):
        done = release(checkout)
        assert done.returncode == 0, done.stderr
        made.append({path.name: path.read_bytes() for path in (checkout / "dist").iterdir()})
    assert made[0] == made[1]
    return checkout / "dist"


def test_sums_are_of_every_file_and_hold(dist):
    done = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=dist, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK") == len(list(dist.iterdir())) - 1 == len(boards.names()) + 2


def test_the_boards_file_is_its_image_and_named_for_it(dist):
    found = image.ensure("RHEO_PICO")
    (path,) = dist.glob("*-RHEO_PICO-*.uf2")
    assert path.name == f"rheobase-{version()}-RHEO_PICO-micropython-{found.micropython}.uf2"
    assert path.read_bytes() == found.path.read_bytes()
    assert flash.check(path).compared == "as SHA256SUMS beside it says"


def version():
    import rheobase

    return rheobase.__version__


def test_the_packages_hold_what_was_committed_and_nothing_else(dist):
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.getinfo(names[0]).date_time == (2026, 1, 2, 3, 4, 6)  # the commit's
    assert {name.split("/")[0] for name in names} == {"rheobase", "rheocore", f"rheobase-{version()}.dist-info"}
    assert {"rheobase/_firmware/main.py", "rheobase/_boards/common/rheo_hook.c"} <= set(names)
    with tarfile.open(sdist) as archive:
        names += archive.getnames()
    assert not [name for name in names if "left" in name or "__pycache__" in name]


def test_a_tree_that_differs_from_its_commit_is_refused_and_the_last_release_stays(dist, checkout):
    (checkout / "host" / "new.py").write_text("")
    done = release(checkout)
    (checkout / "host" / "new.py").unlink()
    assert done.returncode == 8
    assert "host/new.py" in done.stderr and "Commit them" in done.stderr
    assert (dist / "SHA256SUMS").exists()


def test_a_version_that_the_changelog_does_not_know_is_refused(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [0.0.9]\n")
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    done = release(tmp_path)
    assert done.returncode == 8
    assert f"[{version()}]" in done.stderr and "what users will notice" in done.stderr


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    done = release(tmp_path)
    assert done.returncode == 8 and "git checkout" in done.stderr
