"""Run a sweep on a greeted board: every session of the matrix, each judged and kept at once. Shows nothing itself.

What ends it, a cable, Ctrl-C, a full disk, leaves the progress in its folder, and the same command goes on there with
the session that was in play. A board that faults in a cell fails that cell; the fault is cleared and the sweep goes on.
"""

import contextlib
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import rheobase
from rheobase import boards
from rheobase.bench import cells, looks, matrix, own, results, sheet
from rheobase.errors import (
    EXIT_BENCH,
    EXIT_INTERRUPT,
    DeviceFault,
    DeviceLost,
    HostError,
    Refused,
    RheoError,
    UsageError,
)
from rheobase.interrupt import Interrupts
from rheobase.link import words

STALL_MS = 600  # longer than the lease of 100 ms and what is in the queue, so that it must run dry
CLOSE_S = 60.0  # for a person to close the interlock again
AGAIN_S = 0.2  # between two tries to clear a fault whose cause is still there


class View:
    """Told what happens; shows nothing. Replace what is wanted."""

    def begin(self, plan, done, emulated):
        """plan: the Matrix; done: how many of its cells an earlier call has judged."""

    def playing(self, play):
        """A session begins."""

    def judged(self, rows):
        """Its cells are judged and kept."""


class Hand:
    """Who opens the interlock. absent: why nobody can, or None."""

    absent: str | None = None

    def open(self):
        """Open it, or ask for it; output is on."""

    def close(self):
        """Close it, or ask for it: it is open, and output off."""


class EmulatedHand(Hand):
    """The interlock of the emulated board at `port`, opened in a phase: so it shows how fast the legs fall."""

    def __init__(self, port):
        self.port = port

    def open(self):
        from rheobase.emulator import switch

        switch.open_in_phase(self.port)

    def close(self):
        from rheobase.emulator import switch

        switch.set_interlock(self.port, True)


class Sweep:
    """One sweep. board: link.greeting.Board. plan: matrix.Matrix. folder: where its files go. named: label, operator,
    instrument, image_sha256 (each a text or None). play: own.play, or a stand-in of it.

    run() returns (result, paths of the files). Raises UsageError (another sweep in the folder), DeviceLost, HostError,
    RheoError of a board that cannot go on, exit 130 when it is stopped: the output is off then.
    """

    def __init__(self, board, plan, folder, named, hand=None, view=None, play=own.play):
        self.board = board
        self.plan = plan
        self.folder = Path(folder)
        self.hand = hand or Hand()
        self.view = view or View()
        self.play = play
        self.head = identity(board, plan, named)

    def run(self):
        self._must_be_free()
        with Interrupts() as self.signals, results.Progress(self.folder, self.head) as progress:
            begun = datetime.fromisoformat(progress.head["begun_utc"]).strftime("%Y%m%dT%H%M%SZ")
            serial = re.sub(r"[^\w-]", "_", progress.head["serial"])  # a board may say anything
            self.stem = f"{serial}-{begun}"  # of every file of this sweep
            wanted = [cell.id for cell in self.plan.cells]
            done = {row["cell"] for row in progress.rows}
            self.view.begin(self.plan, len(done), self.board.emulated)
            try:
                self._settle()
                for play in self.plan.plays:
                    left = [cell for cell in play.cells if cell.id not in done]
                    self._unless_stopped()
                    if left:
                        progress.append(*self._cells(play, left))
                        self.view.judged(progress.rows[-len(left) :])
            except RheoError as error:
                error.hint = _going_on(error, len(progress.rows), len(wanted), self.folder)
                raise
            rows = sorted(progress.rows, key=lambda row: wanted.index(row["cell"]))
            result = results.document(progress.head, rows, now(), {"resumed": progress.resumed, **self._how()})
            paths = self._write(result)
            progress.finish()
        return result, paths

    # -- one session ---------------------------------------------------------------------------------------------

    def _cells(self, play, wanted):
        """The rows of the cells of a session that are not judged yet."""
        self.view.playing(play)
        begun_utc, begun_s = now(), time.monotonic()
        absent = self.hand.absent if play.act == "interlock" else None
        if absent:
            judged = [cells.not_run(cell, absent) for cell in wanted]
        else:
            judged = self._judged(play, wanted)
        seconds = round((time.monotonic() - begun_s) / len(wanted), 3)
        for row in judged:
            row |= {"begun_utc": begun_utc, "seconds": seconds}
        return judged

    def _judged(self, play, wanted):
        act = Act(play, self.hand)
        capture, judged = None, []
        try:
            capture, result = self.play(
                self.board,
                play.configs,
                list(play.captured),
                interlock=play.act == "interlock",
                edges=matrix.WAIT_EDGES if play.act == "interlock" else own.EDGES,
                cutoff_ms=matrix.CUTOFF_MS if play.act == "cutoff" else None,
                during=act,
            )
            for cell in wanted:
                judged.append(cells.judge(play, cell, capture, result))
        except (DeviceFault, Refused, UsageError) as error:
            judged = [cells.failed(cell, error.message) for cell in wanted]
        except RheoError as error:
            if error.exit_code != EXIT_BENCH:
                act.give_up()
                raise
            judged = [cells.untold(cell, error.message) for cell in wanted]
        self._settle()
        for row in judged:
            row["capture"] = self._keep(capture, row) if row["verdict"] in ("fail", "cannot_tell") else None
        return judged

    def _unless_stopped(self):
        """Between two sessions a signal ends the sweep; within one own.play() takes it."""
        if self.signals.take():
            raise RheoError(self.signals.cause, "Stopped. The output is off.", None, EXIT_INTERRUPT)

    def _settle(self):
        """Bring the board back to where a session can begin. Raises what keeps it from there."""
        until, asked = time.monotonic() + CLOSE_S, False
        while True:
            status = self.board.status()
            fault, is_closed = status["fault"], status["interlock"]
            if is_closed and status["state"] != "fault":
                return
            if not is_closed and not asked:
                asked = True
                self.hand.close()
            given_up = time.monotonic() > until
            try:
                self.board.call("clear_fault")
            except DeviceFault:
                given_up = given_up or is_closed
            if given_up:
                raise words.fault_error(fault or "interlock_open", status["fault_channel"])
            self.board.client.wait(AGAIN_S)
            self._unless_stopped()

    def _must_be_free(self):
        """A fault is not cleared unseen, but for one that stands since a sweep in this folder broke off."""
        state = self.board.info["state"]
        if state == "fault" and not (self.folder / results.PROGRESS).exists():
            status = self.board.status()
            raise words.fault_error(status["fault"], status["fault_channel"])
        if state not in ("idle", "loaded", "done", "fault"):
            raise DeviceLost("in_session", f"A session is on the board (state {state}).", "Stop it: `rheo stop`.")

    def _how(self):
        """How sure the result is, and by which instrument."""
        sample_ps = looks.CLOCKS * 10**12 // boards.load(self.head["board"])["clk_sys_hz"]
        instrument = own.instrument(self.board, sample_ps)
        rules = cells.rules(instrument, self.head["instrument"])
        return {"tolerances": cells.tolerances(sample_ps), "judged_by": rules}

    # -- files -----------------------------------------------------------------------------------------------------

    def _keep(self, capture, row):
        """The name of the file that a bad cell's capture is kept in, None where there is none or it cannot be kept."""
        if capture is None:
            return None
        from rheobase.bench import files

        name = f"{self.stem}-{row['cell'].replace('/', '-ch')}.vcd"
        with contextlib.suppress(HostError, OSError):  # the verdict does not hang on it
            files.save(self.folder / name, capture)
            return name
        return None

    def _write(self, result):
        """Write JSON, JUnit and HTML; returns {form: path}."""
        texts = {"json": results.text(result), "xml": results.junit(result), "html": sheet.page(result).encode()}
        paths = {form: str(self.folder / f"{self.stem}.{form}") for form in texts}
        for form, data in texts.items():
            results.write_whole(paths[form], data)
        return paths


class Act:
    """What is done to a session while it plays, once, by the board's own clock: the callback of own.play()."""

    def __init__(self, play, hand):
        self.name = play.act
        self.hand = hand
        self.done = False
        self.opened = False
        self.paused_ms = None

    def __call__(self, player):
        if self.paused_ms is not None:
            self._resume(player)
        elif not self.done and player.elapsed_ms >= matrix.ACT_MS:
            self.done = True
            getattr(self, "_" + self.name, lambda player: None)(player)

    def _stop(self, player):
        player.stop()

    def _pause(self, player):
        player.pause()
        self.paused_ms = player.elapsed_ms

    def _resume(self, player):
        if player.state == "paused" and player.elapsed_ms - self.paused_ms >= matrix.PAUSE_MS:
            self.paused_ms = None
            player.resume()

    def _starvation(self, player):
        player.stall(STALL_MS)

    def _interlock(self, player):
        self.opened = True
        self.hand.open()

    def give_up(self):
        """The session broke off: leave no interlock open that we have opened."""
        if self.opened:
            self.hand.close()


def identity(board, plan, named):
    """The head of a sweep: what is tested, with what, by whom; what must be the same for it to go on."""
    from rheobase.image.firmware_files import firmware_hash, known_boards

    info = board.info
    firmware = info["firmware"]
    return {
        "serial": str(info["serial"]),
        "board": info["board"],
        "emulated": board.emulated,
        "firmware_version": firmware["version"],
        "firmware_hash": firmware["hash"],
        "firmware_origin": firmware["origin"],
        "library_hash": firmware_hash(info["board"]) if info["board"] in known_boards() else None,
        "micropython": info["micropython"],
        "image_sha256": named.get("image_sha256"),
        "rheo": rheobase.__version__,
        "matrix": plan.id,
        "quick": plan.quick,
        "sessions": len(plan.plays),
        "label": named.get("label"),
        "operator": named.get("operator"),
        "instrument": named.get("instrument"),
        "begun_utc": now(),
    }


def now():
    """UTC to the second, as ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _going_on(error, done, of, folder):
    """The hint of an error that ends a sweep: what is kept, and how to go on."""
    lead = f"{error.hint} " if error.hint else ""
    return f"{lead}{done} of {of} cells are kept in {folder / results.PROGRESS}; the same command goes on there."
