"""MicroPython's sources from Debian's packages: fetch, verify, unpack into one tree. Leaves the system's apt alone.

Debian splits what MicroPython's own tarball has together: the Pico SDK, TinyUSB and mbed TLS are packages of their
own and are laid into lib/. Its suite trixie has 1.25.0, our floor.
"""

import email.utils
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from rheobase import paths
from rheobase.errors import HostError
from rheobase.image import apt_mirror

SUITE = "trixie"
_KEYRINGS = ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg")
_SOURCES = ("micropython", "mbedtls")
_PACKAGES = ("pico-sdk-source", "tinyusb-source")
_FIELDS = {"kind", "suite", "micropython", "epoch", "packages"}
_ELSE = (
    "Build from a MicroPython checkout (rheo image build --micropython DIR) or take the official image "
    "(rheo image fetch)."
)


def is_debian() -> bool:
    """True on Debian itself; Ubuntu and other relatives have other archives and keys."""
    try:
        return platform.freedesktop_os_release().get("ID") == "debian"
    except OSError:
        return False


def possible() -> bool:
    """True if the sources are here or can be had here: on Debian, or with a mirror named in RHEO_DEBIAN_MIRROR."""
    return is_debian() or bool(os.environ.get(apt_mirror.MIRROR_VARIABLE)) or present() is not None


def folder() -> Path:
    """Where the sources lie once they are complete."""
    return paths.cache_dir() / "sources" / f"debian-{SUITE}"


def present() -> dict | None:
    """What is in folder() (kind, suite, micropython, epoch, packages), None if nothing complete is."""
    try:
        record = json.loads((folder() / "sources.json").read_text())
        whole = (folder() / "tree" / "ports" / "rp2").is_dir() and record.keys() >= _FIELDS
        return record if whole else None
    except (OSError, ValueError, AttributeError):
        return None


def ensure(log) -> dict:
    """The record of present(), after fetching the sources if they are not there. Call it with the image lock held."""
    record = present()
    if record:
        return record
    if not is_debian():
        raise HostError("not_debian", "Only Debian has the packages that images are built from.", _ELSE)
    mirror = apt_mirror.debian_mirror()
    log(f"Fetching MicroPython's sources from Debian {SUITE} ({mirror}) ...")
    parent = folder().parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
        for left_over in parent.glob(".new-*"):  # of an interrupted one; the lock says nobody is at it now
            shutil.rmtree(left_over, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=parent) as scratch:
            new = Path(scratch) / "sources"
            new.mkdir()
            _download(mirror, Path(scratch))
            record = _unpack(Path(scratch) / "downloads", new)
            (new / "sources.json").write_text(json.dumps(record, indent=1) + "\n")
            if folder().exists():
                shutil.rmtree(folder())
            os.replace(new, folder())
    except OSError as error:
        raise HostError(
            "cache_not_writable",
            f"The sources could not be stored in {parent}: {error.strerror or error}.",
            "Make room (about 300 MB) or set RHEO_CACHE to another folder.",
        ) from error
    return record


def keyring(where: Path = Path("/usr/share/keyrings")) -> Path:
    """Debian's own keyring: everything that is fetched must be signed with it."""
    for name in _KEYRINGS:
        if (where / name).is_file():
            return where / name
    raise HostError(
        "no_keyring",
        "Debian's keyring is not installed, so packages cannot be verified.",
        "Install the package debian-archive-keyring.",
    )


def private_config(mirror: str, where: Path, key: Path) -> Path:
    """An apt configuration with its own lists and cache under `where`, for `apt-get -c`; returns its path.

    What the system says about proxies and credentials still holds; its hooks are dropped, as some of them empty
    the system's package cache.
    """
    for name in ("lists/partial", "cache/archives/partial", "empty"):
        (where / name).mkdir(parents=True, exist_ok=True)
    stanza = f"URIs: {mirror}\nSuites: {SUITE}\nComponents: main\nSigned-By: {key}\n"
    (where / "private.sources").write_text(
        f"Types: deb\nTargets: Packages\n{stanza}\nTypes: deb-src\nTargets: Sources\n{stanza}"
    )
    config = where / "apt.conf"
    config.write_text(
        f'Dir::Etc::sourcelist "{where}/private.sources";\n'
        f'Dir::Etc::sourceparts "{where}/empty";\n'
        f'Dir::Etc::preferences "{where}/none";\n'
        f'Dir::Etc::preferencesparts "{where}/empty";\n'
        f'Dir::State::lists "{where}/lists";\n'
        f'Dir::Cache "{where}/cache";\n'
        f'Dir::Cache::archives "{where}/cache/archives";\n'
        'APT::Sandbox::User "";\n'
        "#clear APT::Update::Pre-Invoke;\n"
        "#clear APT::Update::Post-Invoke;\n"
        "#clear APT::Update::Post-Invoke-Success;\n"
        'Acquire::Languages { "none"; };\n'
        'Acquire::AllowInsecureRepositories "false";\n'
        'Acquire::AllowWeakRepositories "false";\n'
        'APT::Get::AllowUnauthenticated "false";\n'
        'Acquire::Retries "2";\n'
        'Acquire::http::Timeout "30";\n'
        'Acquire::https::Timeout "30";\n'
    )
    return config


def _download(mirror, scratch):
    config = private_config(mirror, scratch / "apt", keyring())
    downloads = scratch / "downloads"
    downloads.mkdir()
    for arguments in (
        ["update", "--error-on=any"],
        ["source", "--download-only", "--only-source", *_SOURCES],
        ["download", *_PACKAGES],
    ):
        _run(["apt-get", "-q", "-c", str(config), *arguments], downloads, "fetch_failed", "Debian's packages")


def _run(command, where, code, what):
    env = dict(os.environ, LC_ALL="C", DEBIAN_FRONTEND="noninteractive")
    env.pop("APT_CONFIG", None)
    try:
        done = subprocess.run(
            command,
            check=False,
            cwd=where,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except FileNotFoundError as error:
        raise HostError("no_toolchain", f"{command[0]} is not installed.", _ELSE) from error
    if done.returncode:
        said = [line for line in done.stdout.splitlines() if line.startswith(("E:", "W:", "Err:", "dpkg"))]
        reason = (said or done.stdout.splitlines() or ["no reason given"])[0]
        raise HostError(code, f"{what} could not be had: {reason.strip()}", f"Check the network, or: {_ELSE}")


def _unpack(downloads, new):
    tree = new / "tree"
    for name, target in (("micropython", tree), ("mbedtls", new / "mbedtls")):
        dsc = next(downloads.glob(f"{name}_*.dsc"))
        # apt has checked the hashes in the .dsc against the signed index already.
        _run(["dpkg-source", "--no-check", "-x", str(dsc), str(target)], new, "unpack_failed", str(dsc.name))
    for deb in sorted(downloads.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(deb), str(new / "deb")], new, "unpack_failed", deb.name)
    for library in ("pico-sdk", "tinyusb"):
        _replace(new / "deb" / "usr" / "src" / library, tree / "lib" / library)
    for part in ("include", "library", "3rdparty"):
        _replace(new / "mbedtls" / part, tree / "lib" / "mbedtls" / part)
    shutil.rmtree(new / "deb")
    shutil.rmtree(new / "mbedtls")
    return {
        "kind": "debian",
        "suite": SUITE,
        "micropython": version_of(tree),
        "epoch": _changed(tree),
        "packages": sorted(p.name for p in downloads.iterdir() if p.suffix in (".dsc", ".deb")),
    }


def _changed(tree):
    """When the package was last changed, in seconds since 1970; 0 if its changelog does not say."""
    match = re.search(r"^ -- .*>  (.+)$", (tree / "debian" / "changelog").read_text(errors="replace"), re.MULTILINE)
    try:
        return int(email.utils.parsedate_to_datetime(match.group(1)).timestamp()) if match else 0
    except ValueError:
        return 0


def _replace(source, target):
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)


def version_of(tree: Path) -> str:
    """MicroPython's version, from py/mpconfig.h of a source tree. Raises HostError if that is not one."""
    try:
        text = (tree / "py" / "mpconfig.h").read_text()
        numbers = [
            re.search(rf"#define MICROPY_VERSION_{part}\s+(\d+)", text).group(1)  # type: ignore[union-attr]
            for part in ("MAJOR", "MINOR", "MICRO", "PRERELEASE")
        ]
    except (OSError, AttributeError) as error:
        raise HostError(
            "no_micropython", f"{tree} is not a MicroPython source tree.", "Give the folder that holds py/ and ports/."
        ) from error
    return ".".join(numbers[:3]) + ("-preview" if numbers[3] != "0" else "")
