"""What the tests of requirements did in the last run of this tree: build/safety/last-run.json. Judges nothing.

A test says which requirements it shows: @pytest.mark.req("REQ-001"). Runs of parts, and of other boards, add up as long
as the tree stays the same; a run of another tree begins anew. tools/safety reads it.
"""

import hashlib
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "build" / "safety" / "last-run.json"
EVIDENCE = ROOT / "docs" / "safety" / "evidence.json"
SOURCES = ("firmware", "boards", "host", "tests")
PROPERTY = "requirements"
LAYERS = ("unit", "PIO cycle-exact", "real image", "hardware")
EMULATED = "/dev/pts/"  # ports of emulated boards: what passes there is no proof of the hardware
IMAGES = {"board_image", "stock_image"}  # fixtures: who asks for one boots it
WORST = ("passed", "skipped", "failed")


def tree():
    """Digest of all that a run depends on."""
    digest = hashlib.sha256()
    for path in sorted(p for folder in SOURCES for p in (ROOT / folder).rglob("*") if p.is_file()):
        if "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def layer(item):
    """What a test of pytest's runs on: one of LAYERS."""
    if item.get_closest_marker("hardware") and not os.environ.get("RHEO_PORT", "").startswith(EMULATED):
        return "hardware"
    if IMAGES & set(item.fixturenames) or item.get_closest_marker("hardware"):
        return "real image"
    return "PIO cycle-exact" if item.nodeid.startswith("tests/pio/") else "unit"


def note(item):
    """Let a test's report tell what it shows, and where; also across processes."""
    shown = sorted({name for mark in item.iter_markers("req") for name in mark.args})
    if shown:
        item.user_properties.append((PROPERTY, [layer(item), *shown]))


def last_run():
    """{"tree": digest, "boards": {board: {nodeid: {"outcome", "layer", "requirements"}}}}; empty if there is none."""
    try:
        return json.loads(FILE.read_text())
    except (OSError, ValueError):
        return {"tree": None, "boards": {}}


def made(table):
    """Note that a table of docs/ was measured just now with this tree's firmware. table: "faults", …"""
    noted = evidence()
    noted[table] = firmware()
    EVIDENCE.write_text(json.dumps(noted, indent=2, sort_keys=True) + "\n")


def evidence():
    """{table: hash of the firmware that it was measured with}."""
    return json.loads(EVIDENCE.read_text()) if EVIDENCE.exists() else {}


def firmware():
    """Hash of the reference board's firmware as this tree has it."""
    from rheobase.image.firmware_files import firmware_hash

    return firmware_hash("RHEO_PICO")


class Ledger:
    """Plug-in of the process that collects reports. board: what --board named."""

    def __init__(self, board):
        self.board = board
        self.tree = tree()
        self.tests = {}

    def pytest_runtest_logreport(self, report):
        shown = dict(report.user_properties).get(PROPERTY)
        if shown:
            test = {"outcome": "passed", "layer": shown[0], "requirements": shown[1:]}
            test = self.tests.setdefault(report.nodeid, test)
            test["outcome"] = max(test["outcome"], report.outcome, key=WORST.index)

    def pytest_sessionfinish(self):
        if not self.tests or tree() != self.tree:  # somebody edits while it runs: then nothing is known
            return
        known = last_run()
        if known["tree"] != self.tree:
            known = {"tree": self.tree, "boards": {}}
        known["boards"].setdefault(self.board, {}).update(self.tests)
        FILE.parent.mkdir(parents=True, exist_ok=True)
        FILE.write_text(json.dumps(known, indent=0, sort_keys=True))
