"""Checks of what is installed: Python, packages, emulator, toolchain, image. Installs and builds nothing."""

import platform
import tomllib
from importlib import metadata

from rheobase import boards, needs, paths
from rheobase.doctor.finding import fail, ok, warn
from rheobase.errors import RheoError

PACKAGE = needs.PACKAGE


def python(_):
    """The interpreter against `requires-python`."""
    from packaging.specifiers import SpecifierSet

    wanted, found = _requires_python(), platform.python_version()
    if SpecifierSet(wanted).contains(found, prereleases=True):
        return ok(f"Python {found} ({wanted} is asked for).")
    return fail(f"Python {found} is too old: {wanted} is asked for.", "Install a newer Python, and rheo under it.")


def packages(_):
    """Every package that `rheo` needs, in a version that fits."""
    names, wrong = _unmet("")
    if wrong:
        said = ", ".join(f"{requirement} ({found or 'not there'})" for requirement, found in wrong)
        return fail(f"These packages are missing or do not fit: {said}.", _pip(wrong))
    return ok(f"{len(names)} packages, in versions that fit: {', '.join(names)}.")


def emulator(_):
    """The extra that emulated boards need."""
    names, wrong = _unmet("emulator")
    if wrong:
        requirement, found = wrong[0]
        return warn(f"No emulated boards: {requirement} is asked for, {found or 'nothing'} is there.", _pip(wrong))
    return ok(f"Emulated boards can be used: {', '.join(f'{n} {metadata.version(n)}' for n in names)}.")


def toolchain(_):
    """What building an image needs."""
    from rheobase.image import debian
    from rheobase.image import toolchain as tools

    possible = debian.possible()
    missing = tools.missing(possible)
    if missing:
        return warn(f"Images cannot be built here; missing: {', '.join(missing)}.", tools.apt_line(missing))
    return ok("Images can be built here" + ("." if possible else " from a MicroPython checkout."))


def image(_):
    """The image that commands would use (of the board that RHEO_BOARD names, or the reference board)."""
    from rheobase.image import which

    try:
        found = which(boards.chosen())
    except RheoError as error:
        return warn(error.message, error.hint)
    if not found.frozen:
        return warn(f"The image in use is stock MicroPython {found.micropython}.", "Build ours: `rheo image build`.")
    return ok(f"MicroPython {found.micropython} with firmware {found.firmware_hash}, that of this rheo.")


def _pyproject():
    """Table [project] of the checkout that we run from; None as installed. What an installation says may be older."""
    try:
        project = tomllib.loads((paths.firmware_dir().parent / "pyproject.toml").read_text())["project"]
        return project if project["name"] == PACKAGE else None
    except (OSError, ValueError, KeyError):
        return None


def _requires_python():
    project = _pyproject()
    return project["requires-python"] if project else metadata.metadata(PACKAGE)["Requires-Python"]


def _requirements(extra):
    """Requirements of `rheo` without extras (extra ""), or of one extra."""
    from packaging.requirements import Requirement

    project = _pyproject()
    if project:
        texts = project["optional-dependencies"][extra] if extra else project["dependencies"]
        found = [Requirement(text) for text in texts]
    else:  # as installed, those of the extras stand among the others, marked
        found = [Requirement(text) for text in metadata.requires(PACKAGE) or []]
        found = [r for r in found if ("extra" in str(r.marker)) == bool(extra)]
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": extra})]


def _unmet(extra):
    """(names, [(requirement, version found or None)] that are not met) of what `rheo` needs, or one extra of it."""
    names, wrong = [], []
    for requirement in _requirements(extra):
        requirement.marker = None
        names.append(requirement.name)
        try:
            found = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            found = None
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            wrong.append((str(requirement), found))
    return names, wrong


def _pip(wrong):
    return needs.fix(*(requirement for requirement, _ in wrong))
