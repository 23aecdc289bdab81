"""What to type so that a Python package that is missing comes to where `rheo` is installed. Installs nothing.

`rheo` may live in an environment of pipx, of uv or in a plain one, and each is added to in its own way.
"""

import importlib.util
import re
import sys
from importlib import metadata
from pathlib import Path

from rheobase.errors import HostError

PACKAGE = "rheobase"
_DISTRIBUTIONS = {"serial": "pyserial"}  # modules that are not named as what brings them


def fix(*requirements: str) -> str:
    """The command that adds `requirements` ("numpy>=1.26") to the environment that `rheo` runs in."""
    words = " ".join(f"'{requirement}'" for requirement in requirements)
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return f"pipx inject {PACKAGE} {words}"
    if importlib.util.find_spec("pip") is None:  # uv leaves it out
        return f"uv pip install --python {sys.executable} {words}"
    return f"{sys.executable} -m pip install {words}"


def missing(module: str | None) -> HostError | None:
    """What to say where `import module` found nothing; None if no requirement of ours brings that module."""
    top = (module or "").partition(".")[0]
    wanted = _DISTRIBUTIONS.get(top, top).replace("_", "-")
    for text in _requirements():
        requirement, _, marker = (part.strip() for part in text.partition(";"))
        if re.split(r"[^\w.-]", requirement)[0].lower() == wanted.lower():
            extra = re.search(r"extra == ['\"](\w+)['\"]", marker)
            of = f" of the extra `{extra[1]}`" if extra else ""
            return HostError("no_package", f"The Python package {wanted}{of} is not installed.", fix(requirement))
    return None


def _requirements() -> list[str]:
    try:
        return metadata.requires(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
