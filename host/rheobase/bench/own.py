"""The board times its own edges: arm its capture, play without current meanwhile, fetch it. Judges and records nothing.

Four wires at most, each looked at every two clocks of the board by a state machine that drives nothing
(firmware/lib/rheorp2/capture.py). What comes back is a Capture like any other, of the board's own clock. Every way out
of play() stops the board first and proves it: the end, Ctrl-C, a signal, an error of ours.
"""

import base64
import time

import numpy as np
from rheocore import messages
from rheocore.plan import Plan

from rheobase.bench import looks
from rheobase.bench.capture import INTERLOCK
from rheobase.errors import EXIT_INTERRUPT, DeviceLost, RheoError, UsageError
from rheobase.halt import halt
from rheobase.interrupt import Interrupts
from rheobase.link import words

EDGES = messages.CAPTURE_EDGES  # a leg, unless asked for otherwise
TRAIN = {  # what is played where nothing else is asked for: 100 pulses of 200, 50 and 200 us
    "kind": "continuous",
    "mode": "tens",
    "electrode": "skin",
    "bench": True,
    "period_us": 10_000,
    "width_us": 200,
    "gap_us": 50,
    "ramp_up_ms": 500,
    "ramp_down_ms": 500,
    "duration_ms": 1_000,
    "max_ua": 1_000,
    "amplitude_ua": 0,
}
SILENCE_S = 2.0  # then the board is asked whether it is still there; a stall lasts 1 s at most
POLL_S = 0.1
ENDED = ("done", "fault", "idle", "safe")


def wires(channels, interlock=False):
    """Names of the wires of `channels` (numbers), and INTERLOCK. Raises UsageError if they are more than fit."""
    names = [f"CH{n}_{leg}" for n in sorted(channels) for leg in "AB"] + ([INTERLOCK] if interlock else [])
    if not 0 < len(names) <= messages.CAPTURE_WIRES:
        raise UsageError(
            "too_many_wires",
            f"The board captures {messages.CAPTURE_WIRES} wires at once, not {len(names)}.",
            "That is two channels, or one and the interlock.",
        )
    return names


def room(cfg):
    """Edges on a leg that a device configuration makes, and some to spare: what arm() is to have room for."""
    plan, pulses = Plan(cfg), 0
    while plan.next():
        pulses += plan.pulse
    return 2 * pulses + 16


def arm(board, channels, interlock=False, edges=EDGES):
    """Begin a capture on a greeted Board that is in no session; it replaces the one before. Returns the wires' names.

    channels: numbers, two at most; with the interlock one. edges: room for so many on each leg (256 on the
    interlock). It runs until fetch(); it changes nothing on any pin. Raises UsageError (busy, unknown wire, more edges
    than there is memory).
    """
    names = wires(channels, interlock)
    board.call("capture", {"wires": names, "edges": edges}, timeout_s=3.0)
    return names


def fetch(board):
    """Stop the board's capture and bring it over, as a Capture from 0 (when it was armed) on.

    Raises UsageError (in a session, or none was armed), RheoError with exit 7 for one that cannot be trusted.
    """
    return _bring(board)[0]


def instrument(board, sample_ps):
    """What is known of the instrument, in words."""
    text = (
        f"the board's second PIO block: every wire looked at every {sample_ps / 1000:g} ns of the board's own clock,"
        " inside the chip; neither that clock nor anything outside the pads is seen"
    )
    if board.emulated:
        text += "; emulated: edges fall on the emulator's clock of 8 ns, and pads have no delay, slew or noise"
    return text


def _bring(board):
    """(Capture, when it began in the board's own time, in ms since its power-on)."""
    head = board.call("captured", timeout_s=3.0)
    stored = {name: _words(board, name, row["count"]) for name, row in head["wires"].items()}
    kind = "the emulated board" if board.emulated else "board"
    source = f"own capture of {kind} {board.info['board']} {board.info['serial']}"
    return looks.decode(head, stored, source, instrument(board, looks.period_ps(head))), head["began_ms"]


def _words(board, name, count):
    """The words of a wire as the board has them, in pieces."""
    data = b""
    while len(data) < 4 * count:
        piece = board.call("captured", {"wire": name, "from": len(data) // 4}, timeout_s=3.0)["words"]
        data += base64.b64decode(piece)
    return np.frombuffer(data, dtype="<u4")


class Player:
    """A train in play, for the callback of play(): what the board says of it, and what may be done to it.

    elapsed_ms: since the start, by the board's own clock, as of its last telemetry (every 100 ms). state: the board's.
    events: [{dev_us, kind, detail, channel}] so far.
    """

    def __init__(self, board):
        self.board = board
        self.client = board.client
        self.elapsed_ms = 0
        self.state = "armed"
        self.events = []
        self.over = False
        self._began_us = None

    def stop(self):
        """End the output softly: the pulse in play completes. Returns the board's confirmation."""
        return self.board.call("stop")

    def pause(self):
        """Output to zero until resume()."""
        return self.board.call("pause")

    def resume(self):
        """Go on from zero, by the ramp."""
        return self.board.call("resume", {"token": self.client.token}, timeout_s=3.0)

    def stall(self, ms):
        """Let the board's main loop stand still for so long, 1 s at most (bench protocols only); event `stall`."""
        return self.board.call("stall", {"token": self.client.token, "ms": ms})

    def take(self):
        """Take what the board has said."""
        client = self.client
        while client.events:
            event = client.events.popleft()
            self.events.append(event)
            if event["kind"] == "state":
                self.state = event["detail"]
                if self._began_us is None and self.state in messages.LIVE:
                    self._began_us = event["dev_us"]
            self.over = self.over or event["kind"] in ("end", "fault")
        while client.telemetry:
            item = client.telemetry.popleft()
            self.state = item["state"]
            if self._began_us is not None:
                self.elapsed_ms = max(0, (item["dev_us"] - self._began_us) // 1000)
                self.over = self.over or self.state in ENDED


def play(board, configs, channels=None, interlock=False, edges=EDGES, cutoff_ms=None, during=None):
    """Play `configs` at 0 mA to the end. Returns (Capture, result).

    board: link.greeting.Board, in no session. configs: {channel: device configuration}; the amplitude in them is
    ignored: it is 0. channels: those to capture (None: all of them); interlock, edges: as for arm(). cutoff_ms:
    bring the hardware's own end of output so near; bench protocols only. during(player): called about every 100 ms.
    result: messages.RESULT with `events` (each with `t_ms` in the capture's time, to 1 ms). A fault of the board is no
    error here: it is in the result, and is left latched. Raises RheoError: refusals, a lost board, exit 130 if stopped.
    """
    configs = {str(n): {**cfg, "amplitude_ua": 0} for n, cfg in configs.items()}
    numbers = sorted(int(n) for n in configs) if channels is None else channels
    wires(numbers, interlock)
    must_be_free(board)
    client = board.client
    player = Player(board)
    with Interrupts() as signals:
        signals.emergency_fd = client.transport.fileno()
        client.also = [signals.fd]
        try:
            board.call("configure", {"channels": configs, "new": 1})
            arm(board, numbers, interlock, edges)
            bench = {"bench": 1} if all(cfg.get("bench") for cfg in configs.values()) else {}
            client.token = board.call("arm", bench, timeout_s=3.0)["token"]
            client.events.clear()
            client.telemetry.clear()
            sooner = {} if cutoff_ms is None else {"cutoff_ms": cutoff_ms}
            unless_stopped(signals)
            board.call("start", {"token": client.token, **sooner})
            _to_the_end(player, signals, during)
            signals.emergency_fd = None  # output is off: Ctrl-C to the board would only throw the capture away
            client.also = ()
            result = board.call("result")
            capture, began_ms = _bring(board)
            unless_stopped(signals)
        except BaseException as error:
            make_safe(board, error)
            raise
        finally:
            client.also = ()
            client.token = None
    capture.trains = {n: configs[str(n)] for n in numbers}
    events = [{**event, "t_ms": event["dev_us"] // 1000 - began_ms} for event in player.events]
    return capture, {**result, "events": events}


def must_be_free(board):
    """Raise DeviceFault or DeviceLost unless a session can begin on a greeted Board."""
    status = board.status()
    if status["state"] == "fault":
        raise words.fault_error(status["fault"], status["fault_channel"])
    if status["state"] in messages.BUSY:
        raise DeviceLost("in_session", f"A session is on the board (state {status['state']}).", "Stop it: `rheo stop`.")


def _to_the_end(player, signals, during):
    client = player.client
    shown_s = 0.0
    while not player.over:
        client.wait(POLL_S)
        unless_stopped(signals)
        player.take()
        if during is not None and not player.over and time.monotonic() - shown_s >= POLL_S:
            shown_s = time.monotonic()
            during(player)
        if time.monotonic() - client.heard_s > SILENCE_S * client.scale:
            player.board.status()


def unless_stopped(signals):
    """Raise RheoError, exit 130, once a signal has come."""
    if signals.take():
        raise RheoError(signals.cause, "Stopped. The output is off.", None, EXIT_INTERRUPT)


def make_safe(board, error):
    """Stop the board; what could not be proved is what is raised."""
    board.client.also = ()
    if isinstance(error, DeviceLost) and error.code == "lost":
        error.hint = "Its output ends by itself within 1.2 s of the loss. Check the cable, then `rheo clear-fault`."
        return
    halt(board.client)
