"""A host that is killed loses nothing that it has shown: real sessions at a real pty, killed over a hundred times.

Killed by SIGKILL: half of them from outside at a random moment, half in the middle of writing the record, at a random
byte of it. (A power cut is another thing: telemetry since the last event may be lost, events may not.) Wall: 6 s.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rheobase import dose, record, report
from rheobase.record import RecordReader

TIMES = 110

# One process, so that the imports are paid for once, forks a host a time: the fake board at its pty, the real link,
# the real session, the real record; what the session shows its view goes to a pipe, unbuffered, as to a terminal.
HOSTS = """
import json, os, random, signal, sys, time
sys.path[:0] = sys.argv[3].split(os.pathsep)
from host.calling import SHORT
from host.fake_board import FakeBoard
from rheobase import discovery, order
from rheobase.session import Session, View

folder, times = sys.argv[1], int(sys.argv[2])
WORKERS = 5  # a session mostly waits: several at a time
short = os.path.join(folder, "short.toml")
open(short, "w").write(SHORT)
real_write = os.write

class Shown(View):
    def __init__(self, pipe):
        self.pipe = pipe
    def event(self, kind, detail, channel=None):
        real_write(self.pipe, json.dumps(["event", kind, detail]).encode() + b"\\n")
    def telemetry(self, item, channels):
        real_write(self.pipe, json.dumps(["telemetry", item["seq"], item["dev_us"], channels]).encode() + b"\\n")

def die_at(byte):
    written = 0
    def write(fd, raw):
        nonlocal written
        if raw.startswith(b'{"n":'):
            if written + len(raw) > byte:
                real_write(fd, raw[:byte - written])
                os.kill(os.getpid(), signal.SIGKILL)
            written += len(raw)
        return real_write(fd, raw)
    os.write = write

def host(log_dir, pipe, byte):
    if byte is not None:
        die_at(byte)
    with FakeBoard(speed=20) as fake, discovery.connect(fake.port, lambda text: None) as board:
        wanted = order.make(short, [1, 2, 3], ["2mA", "1mA", "3mA"], [], "4s", None, None, [], yes=True, reason="test")
        Session(board, wanted, log_dir, Shown(pipe)).run()

def kill(number):
    rng = random.Random(number)
    byte = rng.randrange(15_000) if number % 2 else None
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            host(os.path.join(folder, str(number)), write, byte)
        finally:
            os._exit(0)
    os.close(write)
    shown = b""
    if byte is None:
        shown = os.read(read, 65536)  # it has begun
        time.sleep(rng.uniform(0, 0.15))
        os.kill(pid, signal.SIGKILL)
    while more := os.read(read, 65536):
        shown += more
    os.waitpid(pid, 0)
    os.close(read)
    with open(os.path.join(folder, f"{number}.json"), "w") as told:
        json.dump([byte, shown.decode().splitlines()], told)

for worker in range(WORKERS):
    if not os.fork():
        for number in range(worker, times, WORKERS):
            kill(number)
        os._exit(0)
for worker in range(WORKERS):
    assert os.wait()[1] == 0
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """[(byte or None, [what was shown], RecordReader)] of more than a hundred killed hosts."""
    folder = tmp_path_factory.mktemp("killed")
    paths = os.pathsep.join([*sys.path, str(Path(__file__).resolve().parents[1])])
    env = {**os.environ, "RHEO_DATA": str(folder / "data"), "RHEO_RUNTIME": str(folder / "run")}
    words = [sys.executable, "-c", HOSTS, str(folder), str(TIMES), paths]
    run = subprocess.run(words, capture_output=True, text=True, timeout=120, env=env)
    assert run.returncode == 0, run.stderr
    found = []
    for number in range(TIMES):
        byte, shown = json.loads((folder / f"{number}.json").read_text())
        [path] = record.sessions_dir(folder / str(number)).glob("*/record.jsonl")
        found.append((byte, [json.loads(text) for text in shown], RecordReader(path)))
    return found


@pytest.mark.req("REQ-110")
def test_nothing_that_was_shown_is_missing_from_the_record(killed):
    telemetry = events = 0
    for _, shown, reader in killed:
        kept = [["telemetry", x["seq"], x["dev_us"], x["channels"]] for x in reader.of("telemetry")]
        told = [["event", x["event"], x["detail"]] for x in reader.of("event")]
        for item in shown:
            assert item in (kept if item[0] == "telemetry" else told)
        telemetry += sum(item[0] == "telemetry" for item in shown)
        events += sum(item[0] == "event" for item in shown)
        assert [item for item in shown if item[0] == "event"] == told[: sum(item[0] == "event" for item in shown)]
    assert telemetry > 500 and events > 100  # that many were shown, so there was something to lose


def test_what_is_left_is_whole_lines_without_a_gap_and_at_most_one_torn(killed):
    killed_at_work = 0
    for byte, _, reader in killed:
        size = reader.path.stat().st_size
        assert byte is None or size == byte or reader.state == "complete"
        assert reader.damaged == 0 and reader.missing() == []
        assert [line["n"] for line in reader.lines] == list(range(1, len(reader.lines) + 1))
        killed_at_work += reader.state == "crashed"
    assert killed_at_work >= 100  # a few were too quick


def test_a_report_and_a_dose_can_be_made_of_any(killed, monkeypatch):
    monkeypatch.setattr("rheobase.report.pictures.picture", lambda *a, **k: "data:,")  # drawing is tested elsewhere
    for _, shown, reader in killed[::4]:
        page, figures = report.page(reader), dose.of_record(reader)
        assert ("The record breaks off" in page) == (reader.state == "crashed")
        last = [item for item in shown if item[0] == "telemetry"][-1:]
        for _, _, _, channels in last:
            for n, row in channels.items():
                assert figures[n]["pulses"] >= row["pulses"]
