"""`make release`: images, wheel, sdist and list of parts with their hashes in dist/, from a clean commit; unpublished.

Same commit, same packages: same bytes. Wheel and sdist take their times from the commit and depend on hatchling's
version besides; images depend on MicroPython's sources and the compiler, the list on all that is installed
(SHA256SUMS shows it when they differ).
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import rheobase
import soup
from rheobase import boards, flash, image, paths
from rheobase.errors import HostError, RheoError

ROOT = Path(__file__).resolve().parents[1]


def git(root: Path, *words: str) -> bytes:
    """Output of a git command. Raises HostError if this is no checkout."""
    try:
        return subprocess.run(["git", "-C", os.fspath(root), *words], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        message = "A release is made from a git checkout, so that it can be made again."
        raise HostError("no_checkout", message, "Clone the repository, or: python -m build") from error


def require_clean(root: Path) -> None:
    """Raises HostError if a file differs from the commit, new ones included."""
    changed = git(root, "status", "--porcelain").decode().splitlines()
    if changed:
        listed = ", ".join(line[3:] for line in changed[:5]) + (", ..." if len(changed) > 5 else "")
        message = f"A release is made of what is committed, and these files differ: {listed}."
        raise HostError("not_clean", message, "Commit them, or put them away.")


def require_changelog(root: Path) -> None:
    """Raises HostError unless the version stands in the changelog: whoever gets it can read what is new."""
    if f"\n## [{rheobase.__version__}]" not in (root / "CHANGELOG.md").read_text():
        message = f"CHANGELOG.md has nothing under [{rheobase.__version__}]."
        raise HostError("no_changelog", message, "Say there what users will notice.")


def add_images(folder: Path, say) -> None:
    """The image of every board of ours, each checked as `rheo flash` would."""
    for board in boards.names():
        found = image.ensure(board, log=say)
        if not found.frozen or not found.path.is_file():
            raise HostError("bare_image", f"The image of {board} has no firmware inside.", "rheo image build")
        target = folder / f"rheobase-{rheobase.__version__}-{board}-micropython-{found.micropython}.uf2"
        shutil.copyfile(found.path, target)
        inside = flash.check(target).inside
        if (inside.board, inside.firmware_hash) != (board, found.firmware_hash):
            raise HostError("wrong_image", f"{found.path} is not the image of {board}.", "rheo image build")


def add_parts(folder: Path, say) -> None:
    """The third-party parts with the versions that are here: SOUP.md."""
    text, faults, notes = soup.exact()
    for note in notes:
        say(note)
    if faults:
        raise HostError("parts_not_explained", faults[0], "Explain it in docs/safety/soup.toml, then: make soup")
    (folder / "SOUP.md").write_text(text)


def add_packages(root: Path, folder: Path) -> None:
    """sdist, and the wheel that is built from that sdist; hatchling leaves out what git ignores."""
    epoch = git(root, "log", "-1", "--format=%ct").decode().strip()
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", os.fspath(folder), os.fspath(root)],
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise HostError("build_failed", f"The packages could not be built: {' '.join(last)}", "make setup")


def add_sums(folder: Path) -> str:
    """Write SHA256SUMS (as `sha256sum -c` reads it) of all files in `folder`; returns its text."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / flash.SUMS_FILE).write_text("".join(lines))
    return "".join(lines)


def release(root: Path, out: Path, say) -> str:
    """Replace `out` by a whole release or leave it as it was; returns the sums."""
    require_clean(root)
    require_changelog(root)
    if paths.firmware_dir().resolve() != root / "firmware":
        message = f"The firmware would come from {paths.firmware_dir()}, not from this checkout."
        raise HostError("other_firmware", message, "make setup")
    with tempfile.TemporaryDirectory(prefix=".dist-", dir=root) as scratch:
        new = Path(scratch) / "dist"
        new.mkdir()
        add_images(new, say)
        add_parts(new, say)
        add_packages(root, new)
        sums = add_sums(new)
        if out.exists():
            shutil.rmtree(out)
        os.replace(new, out)
    return sums


def main() -> int:
    """Returns the exit status."""
    try:
        sums = release(ROOT, ROOT / "dist", lambda text: print(text, file=sys.stderr))
    except RheoError as error:
        print(f"Error: {error.message}\n  {error.hint}", file=sys.stderr)
        return error.exit_code
    print(f"dist/\n{sums}", end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
