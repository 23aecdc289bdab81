"""`python flash_journal.py JOURNAL ...`: the emulated board (`python -m rheobase.emulator ...`) with every erase and
every page that its flash chip obeys written down. Changes nothing about them.

A line of the journal: ["erase", address, bytes] or ["program", address, hex]. Addresses count from the flash's start.
"""

import json
import subprocess
import sys

ERASES = {0x20: 4096, 0xD8: 65536}
PROGRAM = 0x02


def keep(path):
    """From here on in this process: all that emulated flash chips obey goes to `path`."""
    from rp2040py.peripherals.ssi import RPSSI

    journal = open(path, "w")  # noqa: SIM115 - as long as the process
    stock = RPSSI._apply_command

    def apply(ssi):
        words = bytes(ssi._tx_buffer)
        if len(words) >= 4 and ssi._write_enabled:
            address = int.from_bytes(words[1:4], "big")
            if words[0] in ERASES:
                print(json.dumps(["erase", address, ERASES[words[0]]]), file=journal, flush=True)
            elif words[0] == PROGRAM:
                print(json.dumps(["program", address, words[4:].hex()]), file=journal, flush=True)
        stock(ssi)

    RPSSI._apply_command = apply


class Journalled:
    """An emulated board in a process of its own, with its journal: `.pty`, `.operations()`, `.stop()`."""

    def __init__(self, image, flash, journal):
        self.journal = journal
        command = [sys.executable, __file__, journal, "--image", image, "--flash", flash]
        self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.pty = json.loads(self.process.stdout.readline())["pty"]

    def operations(self):
        """[(name, address, size or bytes)] so far."""
        lines = map(json.loads, self.journal.read_text().splitlines())
        return [(name, at, bytes.fromhex(what) if name == "program" else what) for name, at, what in lines]

    def stop(self):
        self.process.communicate(timeout=60)


if __name__ == "__main__":
    keep(sys.argv[1])
    from rheobase.emulator.__main__ import main

    sys.exit(main(sys.argv[2:]))
