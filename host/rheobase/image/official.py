"""Fetch MicroPython's official image for a stock Pico, by pinned name and SHA-256. Takes nothing unverified.

The firmware is not inside: it goes onto such a board as files (rheo deploy).
"""

import hashlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.request

from rheobase import paths
from rheobase.errors import HostError, UsageError
from rheobase.image import info, uf2

BOARD = "RPI_PICO"
DEFAULT = "1.25.0"
BASE_URL = "https://micropython.org/resources/firmware/"
# version -> (file name, SHA-256 of the file or None). A hash goes in only after somebody has fetched the file over
# HTTPS and compared it on a second connection; None means that nobody has, and that the user must bring the hash.
PINS: dict[str, tuple[str, str | None]] = {
    "1.25.0": ("RPI_PICO-20250415-v1.25.0.uf2", None),
    "1.26.1": ("RPI_PICO-20250911-v1.26.1.uf2", None),
}
HASH_VARIABLE = "RHEO_IMAGE_SHA256"
_TIMEOUT_S = 30
_LARGEST_BYTES = 4 * 1024 * 1024  # the flash of a Pico is 2 MB, and UF2 doubles it
_ELSE = "Or build one: rheo image build (Debian), rheo image build --micropython DIR."


def fetch(version=DEFAULT, log=None, base_url=BASE_URL, sha256=None) -> info.ImageInfo:
    """The official RPI_PICO image `version`, verified, in the cache; fetched only if it is not there already.

    sha256: expected hash where the table has none (default: the variable RHEO_IMAGE_SHA256). A file put by hand
    into the cache's downloads/ is taken instead of the network, after the same checks.
    Raises UsageError for a version that is not in the table, HostError (exit 8) for everything else.
    """
    log = log or (lambda text: print(text, file=sys.stderr))
    if version not in PINS:
        raise UsageError("unknown_version", f"MicroPython {version} is not pinned.", "Known: " + ", ".join(PINS))
    name, pinned = PINS[version]
    expected = (pinned or sha256 or os.environ.get(HASH_VARIABLE) or "").strip().lower()
    by_hand = paths.cache_dir() / "downloads" / name
    if not expected:
        raise HostError(
            "no_pin",
            f"No SHA-256 is on record for {name}, and an image that cannot be verified is not used.",
            f"Set {HASH_VARIABLE} to the SHA-256 of {BASE_URL}{name} from a source you trust. {_ELSE}",
        )
    if not re.fullmatch(r"[0-9a-f]{64}", expected):
        raise UsageError("bad_hash", f"{expected!r} is not a SHA-256.", "It has 64 hex digits.")
    folder = f"{BOARD}-{version}-official"
    found = info.load(info.images_dir() / folder)
    if found and found.sha256 == expected:
        found.why = "the official image, fetched before and verified"
        return found
    if by_hand.is_file():
        log(f"Taking {by_hand}.")
        data = by_hand.read_bytes()
    else:
        log(f"Fetching {base_url}{name} ...")
        data = _download(base_url + name, by_hand)
    actual = hashlib.sha256(data).hexdigest()
    if actual != expected:
        raise HostError(
            "wrong_hash",
            f"{name} has SHA-256 {actual}, expected {expected}; it was not used.",
            "Something on the way changed it, or the expected hash is wrong: try from another network. " + _ELSE,
        )
    try:
        image = uf2.to_bin(data, name)
    except UsageError as error:  # the hash was right, so the table is wrong
        raise HostError(error.code, error.message, error.hint) from error
    fetched = info.add(
        folder,
        data,
        image,
        {
            "board": BOARD,
            "micropython": version,
            "origin": f"official, {BASE_URL}{name}",
            "firmware_hash": None,
            "source": {"kind": info.OFFICIAL},
        },
    )
    fetched.why = "the official image, fetched just now and verified"
    return fetched


def _download(url, by_hand):
    """The bytes at `url`, whole or not at all."""
    hint = f"Or download it elsewhere and put it at {by_hand}; then: rheo image fetch. {_ELSE}"
    try:
        request = urllib.request.Request(url, headers={"User-Agent": "rheobase"})
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            promised = answer.headers.get("Content-Length")
            data = answer.read(_LARGEST_BYTES + 1)
    except urllib.error.HTTPError as error:
        raise HostError("fetch_failed", f"{url}: the server says {error.code} {error.reason}.", hint) from error
    except http.client.IncompleteRead as error:
        message = f"{url}: the connection ended before the file was whole."
        raise HostError("fetch_cut_short", message, "Try again. " + hint) from error
    except (TimeoutError, urllib.error.URLError, http.client.HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        raise HostError("no_network", f"{url} cannot be reached: {reason}.", f"Check the network. {hint}") from error
    if len(data) > _LARGEST_BYTES:
        raise HostError("fetch_too_long", f"{url} is longer than any image can be.", hint)
    if promised is not None and promised.isdigit() and len(data) != int(promised):
        message = f"{url}: the connection ended after {len(data)} of {promised} bytes."
        raise HostError("fetch_cut_short", message, "Try again. " + hint)
    return data
