"""Records the fuzz corpus: every line of some sessions on the real image, both ways. Run by hand; judges nothing.

python tests/fuzz/record.py     # with host, firmware/lib, tests and tests/e2e on PYTHONPATH
"""

import contextlib
import tempfile
from pathlib import Path

from core.draw import EACH_KIND
from dut import BASE, Dut, Refusal
from rheobase import image
from rheobase.emulator import rawrepl
from rheocore import calibration, frames, messages

CORPUS = Path(__file__).parent / "corpus"
TELEMETRY_LINES = 40  # kept of each session: they are much alike
BENCH = {**BASE, "bench": True, "max_ua": 0, "amplitude_ua": 0}


class Tap(Dut):
    """A device under test whose wire is written down: sent and heard, lines without their newline."""

    def __init__(self, image_bin, **options):
        self.sent, self.heard = [], []
        super().__init__(image_bin, **options)
        send = self.board.send
        self.board.send = lambda data: (self.sent.extend(bytes(data).splitlines()), send(data))[1]

    def _take(self, t_ns, line):
        self.heard.append(bytes(line).rstrip(b"\r"))
        super()._take(t_ns, line)

    def try_call(self, method, **params):
        with contextlib.suppress(Refusal):
            return self.call(method, **params)


def therapy(dut):
    """A session with everything that a session has, on three channels."""
    dut.load({1: {"duration_ms": 6000}, 2: EACH_KIND["burst"], 3: {**BASE, "on_ms": 3000, "off_ms": 1000}})
    dut.start([1, 2])
    dut.run_ms(300)
    dut.start([3])
    dut.run_ms(700)
    dut.call("amplitude", token=dut.token, channel=1, ua=1500)
    dut.try_call("amplitude", token=dut.token, channel=1, ua=11_000)
    dut.call("pause")
    dut.run_ms(150)
    dut.call("resume", token=dut.token)
    dut.run_ms(400)
    dut.call("stop", reason="operator_key")
    dut.call("result")
    dut.call("status")
    for kind in ("alternating", "modulated"):
        dut.call("configure", channels={"2": {**EACH_KIND[kind], "area_cmm2": 250_000, "dense_ok": 1}}, new=1)
    dut.call("stop")


def refusals(dut):
    """A request for every error that a board can be made to answer."""
    dut.try_call("arm")
    dut.greet()
    dut.try_call("hello", wire=messages.WIRE + 1)
    dut.try_call("explode", when="now")
    dut.try_call("configure", channels={"9": {}})
    dut.try_call("configure", channels={"1": {**BASE, "width_us": 5000}})
    dut.try_call("configure", channels={"1": BASE}, new="yes")
    dut.try_call("start", token=1)
    dut.try_call("clear_fault")
    dut.try_call("captured")
    dut.try_call("inspect")
    dut.board.send(b"not a line\n")
    dut.board.send(frames.encode({"jsonrpc": "2.0", "id": 1, "method": "result"}))
    dut.board.send(frames.encode({"jsonrpc": "2.0", "id": 90, "method": "stop"}).replace(b"stop", b"stpp"))
    dut.run_ms(100)


def bench(dut):
    """The bench's methods, and a host that is lost."""
    dut.greet()
    dut.call("configure", channels={"1": BENCH}, new=1)
    dut.call("capture", wires=["CH1_A", "CH1_B"], edges=60)
    dut.token = dut.call("arm", bench=1)["token"]
    dut.call("start", token=dut.token, channels=[1], cutoff_ms=2000)
    dut.run_ms(300)
    dut.call("stall", token=dut.token, ms=5)
    dut.run_ms(100)
    dut.call("stop")
    dut.call("captured")
    dut.call("captured", wire="CH1_A", **{"from": 0})
    dut.call("configure", channels={"1": BENCH}, new=1)
    dut.token = dut.call("arm", bench=1)["token"]
    dut.call("start", token=dut.token)
    dut.run_ms(200)
    dut.alive = False
    dut.run_ms(1300)
    dut.try_call("arm")
    dut.call("result")
    dut.call("clear_fault")
    dut.run_ms(1200)


def calibrated(path, flash):
    """Leave one calibrated channel on the board with that flash, so that its INFO has something in it."""
    dut = Dut(path, flash=flash)
    row = {"set": [-3850, -183], "sense": [3093, 21], "load_ohms": 998, "made": "2026-11-22"}
    line = calibration.encode("RHEO_PICO", dut.greet()["serial"], {1: row})
    rawrepl.run(dut.board, f"f = open({calibration.FILE!r}, 'wb'); f.write({line!r}); f.close()")
    dut.board.close()


def few(lines):
    """The lines once each, only so much telemetry and so many acknowledgements."""
    kept, seen, alike = [], set(), {b'"tel"': 0, b'"ack"': 0}
    for line in lines:
        for word in alike:
            if word in line:
                alike[word] += 1
        if line in seen or any(word in line and count > TELEMETRY_LINES for word, count in alike.items()):
            continue
        seen.add(line)
        kept.append(line)
    return kept


def main():
    path = image.ensure("RHEO_PICO", log=print).bin_path
    sent, heard = [], []
    with tempfile.TemporaryDirectory() as folder:
        flash = Path(folder) / "flash.bin"
        calibrated(path, flash)
        for session in (therapy, refusals, bench):
            dut = Tap(path, flash=flash)
            session(dut)
            sent += dut.sent
            heard += dut.heard
            dut.board.close()
    (CORPUS / "to_device.txt").write_bytes(b"\n".join(few(sent)) + b"\n")
    (CORPUS / "to_host.txt").write_bytes(b"\n".join(few(heard)) + b"\n")


if __name__ == "__main__":
    main()
