"""Find the Debian mirror this machine is set up with, from its apt configuration. Reads only.

Knows one-line .list files and deb822 .sources files (sources.list(5)).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rheobase.errors import HostError

ETC_APT = Path("/etc/apt")
MIRROR_VARIABLE = "RHEO_DEBIAN_MIRROR"  # for machines that are not Debian but have its keyring
_SUITES = {
    "stable", "oldstable", "testing", "unstable", "sid",
    "bullseye", "bookworm", "trixie", "forky", "duke",
}  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One archive of the configuration: a URI with a suite."""

    uri: str
    suite: str
    components: tuple[str, ...]
    signed_by: str = ""


def parse_list(text: str) -> list[Entry]:
    """Entries of a one-line style file: `deb [option=value ...] uri suite component...`; comments are skipped."""
    entries = []
    for line in text.splitlines():
        match = re.match(r"deb(?:-src)?\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)", line.split("#")[0].strip())
        if match:
            options, uri, suite, components = match.groups()
            signed = re.search(r"signed-by=(\S+)", options or "", re.IGNORECASE)
            entries.append(Entry(uri, suite, tuple(components.split()), signed.group(1) if signed else ""))
    return entries


def parse_sources(text: str) -> list[Entry]:
    """Entries of a deb822 file: stanzas of `Field: value`, continued lines indented, `Enabled: no` respected."""
    entries = []
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + "\n" + line.strip()
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        if fields.get("enabled", "yes").lower() in ("no", "false", "0", "off"):
            continue
        for uri in fields.get("uris", "").split():
            for suite in fields.get("suites", "").split():
                entries.append(
                    Entry(uri, suite, tuple(fields.get("components", "").split()), fields.get("signed-by", ""))
                )
    return entries


def entries(etc: Path = ETC_APT) -> list[Entry]:
    """Everything the machine's apt is set up with, in apt's order."""
    found = []
    files = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    for path in files:
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        if path.suffix == ".list":
            found += parse_list(text)
        elif path.suffix == ".sources":
            found += parse_sources(text)
    return found


def debian_mirror(etc: Path = ETC_APT) -> str:
    """URI of the Debian archive in the configuration under `etc` (RHEO_DEBIAN_MIRROR overrides), or HostError.

    Others also call a suite "bookworm" or "stable" with a component "main": an archive that ends in /debian or is
    signed with Debian's own keyring goes first, one with a key of its own never counts. (A wrong choice could not
    pass unseen: what comes from it must carry Debian's signature.)
    """
    given = os.environ.get(MIRROR_VARIABLE)
    if given:
        return given
    best = None
    for entry in entries(etc):
        if entry.suite not in _SUITES or "main" not in entry.components or entry.uri.startswith("cdrom:"):
            continue
        signed_by_debian = "debian-archive" in entry.signed_by
        if entry.signed_by and not signed_by_debian:
            continue
        named_so = urlsplit(entry.uri.replace("mirror+", "")).path.rstrip("/").endswith("/debian")
        rank = (named_so, signed_by_debian)
        if best is None or rank > best[0]:
            best = (rank, entry.uri)
    if best is None:
        raise HostError(
            "no_debian_mirror",
            f"No Debian archive is configured under {etc}.",
            "Build from a MicroPython checkout (rheo image build --micropython DIR) or take the official image "
            "(rheo image fetch).",
        )
    return best[1]
