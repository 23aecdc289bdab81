"""Is everything there that building an image needs, and which packages bring it. Installs only when asked to.

`python3 -m rheobase.image.toolchain [--install]` says or does it from a shell.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from rheobase.errors import HostError
from rheobase.image import debian

# What is looked for -> the Debian package that brings it.
_PROGRAMS = {
    "arm-none-eabi-gcc": "gcc-arm-none-eabi",
    "arm-none-eabi-g++": "gcc-arm-none-eabi",
    "cmake": "cmake",
    "make": "make",
    "gcc": "gcc",
}
_DEBIAN_PROGRAMS = {"dpkg-source": "dpkg-dev", "dpkg-deb": "dpkg", "xz": "xz-utils", "bzip2": "bzip2"}
# Files that the cross compiler must find for itself.
_LIBRARIES = {"nosys.specs": "libnewlib-arm-none-eabi", "libstdc++.a": "libstdc++-arm-none-eabi-newlib"}
_C_LIBRARY = "libc6-dev"


def packages() -> list[str]:
    """Every Debian package that building an image from Debian's sources uses; docs/safety/soup.toml explains each."""
    return [*_PROGRAMS.values(), *_DEBIAN_PROGRAMS.values(), *_LIBRARIES.values(), _C_LIBRARY]


def missing(debian_sources: bool = True) -> list[str]:
    """Debian packages that are still needed, in a stable order; empty if a build can start.

    debian_sources: sources come from Debian's packages, so its unpacking tools are needed as well.
    """
    programs = dict(_PROGRAMS, **(_DEBIAN_PROGRAMS if debian_sources else {}))
    packages = [package for program, package in programs.items() if shutil.which(program) is None]
    if "gcc-arm-none-eabi" in packages:
        packages += _LIBRARIES.values()
    else:
        for name, package in _LIBRARIES.items():
            found = subprocess.run(
                ["arm-none-eabi-gcc", "-mcpu=cortex-m0plus", "-mthumb", f"-print-file-name={name}"],
                check=False,
                capture_output=True,
                text=True,
            ).stdout.strip()
            if not os.path.isabs(found) or not os.path.exists(found):
                packages.append(package)
    if "gcc" in packages or not (Path("/usr/include/stdio.h").exists() or sys.platform != "linux"):
        packages.append(_C_LIBRARY)
    return list(dict.fromkeys(packages))


def apt_line(packages: list[str]) -> str:
    """The shell line that installs `packages` on Debian and Ubuntu."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install -y --no-install-recommends {' '.join(packages)}"


def install(packages: list[str], log) -> None:
    """Install `packages` with apt-get, as root or through sudo. Raises HostError when that cannot be done."""
    line = apt_line(packages)
    if shutil.which("apt-get") is None:
        raise HostError("no_toolchain", f"These are missing: {', '.join(packages)}.", "Install them and try again.")
    if os.geteuid() != 0 and shutil.which("sudo") is None:
        raise HostError("no_toolchain", "Neither root nor sudo: packages cannot be installed.", f"As root: {line}")
    log(f"Installing the toolchain: {line}")
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"]
    for step in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        # apt's own words go to stderr: stdout may be a JSON object of ours.
        if subprocess.run([*sudo, *quiet, *step], check=False, stdout=sys.stderr).returncode:
            raise HostError("no_toolchain", "apt-get failed; its own words are above.", f"Try by hand: {line}")


def require(debian_sources: bool, log, install_tools: bool = False) -> None:
    """Return if a build can start; else install what is missing if asked to, or raise HostError with the apt line."""
    packages = missing(debian_sources)
    if packages and install_tools:
        install(packages, log)
        packages = missing(debian_sources)
    if packages:
        raise HostError(
            "no_toolchain",
            "Building an image needs packages that are not installed: " + ", ".join(packages) + ".",
            f"Run: {apt_line(packages)}   (or use a ready image: rheo image fetch)",
        )


def main(arguments: list[str]) -> int:
    """Say what is missing, or with --install bring it. Exit status 0 when a build can start."""
    if not debian.possible():
        print(
            "Images are built from Debian's packages, and this is not Debian: nothing to install. "
            "Use `rheo image fetch`, or `rheo image build --micropython DIR`.",
            file=sys.stderr,
        )
        return 0
    try:
        require(True, lambda text: print(text, file=sys.stderr), "--install" in arguments)
    except HostError as error:
        print(error.message, error.hint or "", sep="\n", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
