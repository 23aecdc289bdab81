"""A release: of what is committed, whole or not at all, with sums that hold, and the same bytes twice."""

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import releasing
from rheobase import boards, flash, image

ROOT = Path(__file__).resolve().parents[1]


def test_sums_are_of_every_file_and_hold(dist):
    done = subprocess.run(["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=dist, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(": OK") == len(list(dist.iterdir())) - 1 == len(boards.names()) + 3


def test_the_boards_file_is_its_image_and_named_for_it(dist):
    found = image.ensure("RHEO_PICO")
    (path,) = dist.glob("*-RHEO_PICO-*.uf2")
    assert path.name == f"rheobase-{version()}-RHEO_PICO-micropython-{found.micropython}.uf2"
    assert path.read_bytes() == found.path.read_bytes()
    assert flash.check(path).compared == "as SHA256SUMS beside it says"


def version():
    import rheobase

    return rheobase.__version__


def test_what_git_ignores_is_in_no_package_and_the_times_are_the_commits(dist):
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        assert archive.getinfo(names[0]).date_time == (2026, 1, 2, 3, 4, 6)
    with tarfile.open(sdist) as archive:
        names += archive.getnames()
    assert not [name for name in names if "left" in name or "__pycache__" in name]


def test_a_tree_that_differs_from_its_commit_is_refused_and_the_last_release_stays(dist, checkout):
    (checkout / "host" / "new.py").write_text("")
    done = releasing.release(checkout)
    (checkout / "host" / "new.py").unlink()
    assert done.returncode == 8
    assert "host/new.py" in done.stderr and "Commit them" in done.stderr
    assert (dist / "SHA256SUMS").exists()


def test_a_version_that_the_changelog_does_not_know_is_refused(tmp_path):
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [0.0.9]\n")
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for words in (["init", "-q"], ["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    done = releasing.release(tmp_path)
    assert done.returncode == 8
    assert f"[{version()}]" in done.stderr and "what users will notice" in done.stderr


def test_a_folder_that_is_no_checkout_is_refused(tmp_path):
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    done = releasing.release(tmp_path)
    assert done.returncode == 8 and "git checkout" in done.stderr
