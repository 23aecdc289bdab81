"""A release of this tree, made in a copy of it that is committed: for the tests of release and packages."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LEFT = ("firmware/lib/rheorp2/__pycache__/left.pyc", "boards/build/left.txt")  # git ignores both


def kept(root=ROOT):
    """Paths of the files that git keeps, or would once they are added; of an unpacked sdist all but what runs leave."""
    words = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode == 0:
        return sorted(name for name in done.stdout.split("\0") if name and (root / name).is_file())
    found = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return sorted(str(name) for name in found if not any(p == "__pycache__" or p[0] == "." for p in name.parts[:-1]))


def commit(root):
    """This tree, committed at `root` with files beside it that git ignores."""
    for name in kept():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t"]
    dates = {"GIT_COMMITTER_DATE": "2026-01-02T03:04:06Z", "GIT_AUTHOR_DATE": "2026-01-02T03:04:06Z"}
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *words], check=True, env={**os.environ, **dates})
    for name in _LEFT:
        (root / name).parent.mkdir()
        (root / name).write_bytes(b"x")


def release(root):
    """`make release` there; the finished process."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "host"), *sys.path])}
    command = [sys.executable, str(root / "tools" / "release.py")]
    return subprocess.run(command, capture_output=True, text=True, env=environment)
