"""Play a train without current and let the board capture itself meanwhile: a small driver with no record, no screening.

Every way out stops the board first and proves it: the end, Ctrl-C, a signal, an error of ours.
"""

import time

from rheocore import messages

from rheobase.bench import own
from rheobase.errors import EXIT_INTERRUPT, DeviceLost, RheoError
from rheobase.halt import halt
from rheobase.interrupt import Interrupts

SILENCE_S = 2.0  # then the board is asked whether it is still there; a stall lasts 1 s at most
POLL_S = 0.1
ENDED = ("done", "fault", "idle", "safe")


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


def play(board, configs, channels=None, interlock=False, edges=own.EDGES, cutoff_ms=None, during=None):
    """Play `configs` at 0 mA to the end. Returns (Capture, result).

    board: link.greeting.Board, in no session. configs: {channel: device configuration}; the amplitude in them is
    ignored: it is 0. channels: those to capture (None: all of them); interlock, edges: as for own.arm(). cutoff_ms:
    bring the hardware's own end of output so near; bench protocols only. during(player): called about every 100 ms.
    result: messages.RESULT with `events` (each with `t_ms` in the capture's time, to 1 ms). A fault of the board is no
    error here: it is in the result, and is left latched. Raises RheoError: refusals, a lost board, exit 130 if stopped.
    """
    configs = {str(n): {**cfg, "amplitude_ua": 0} for n, cfg in configs.items()}
    numbers = sorted(int(n) for n in configs) if channels is None else channels
    own.wires(numbers, interlock)
    client = board.client
    player = Player(board)
    with Interrupts() as signals:
        signals.emergency_fd = client.transport.fileno()
        client.also = [signals.fd]
        try:
            board.call("configure", {"channels": configs, "new": 1})
            own.arm(board, numbers, interlock, edges)
            bench = {"bench": 1} if all(cfg.get("bench") for cfg in configs.values()) else {}
            client.token = board.call("arm", bench, timeout_s=3.0)["token"]
            client.events.clear()
            client.telemetry.clear()
            sooner = {} if cutoff_ms is None else {"cutoff_ms": cutoff_ms}
            _unless_stopped(signals)
            board.call("start", {"token": client.token, **sooner})
            _to_the_end(player, signals, during)
        except BaseException as error:
            _make_safe(board, error)
            raise
        finally:
            client.also = ()
            client.token = None
    result = board.call("result")
    capture, began_ms = own.read(board)
    events = [{**event, "t_ms": event["dev_us"] // 1000 - began_ms} for event in player.events]
    return capture, {**result, "events": events}


def _to_the_end(player, signals, during):
    client = player.client
    shown_s = 0.0
    while not player.over:
        client.wait(POLL_S)
        _unless_stopped(signals)
        player.take()
        if during is not None and not player.over and time.monotonic() - shown_s >= POLL_S:
            shown_s = time.monotonic()
            during(player)
        if time.monotonic() - client.heard_s > SILENCE_S * client.scale:
            player.board.status()


def _unless_stopped(signals):
    if signals.take():
        raise RheoError(signals.cause, "Stopped. The output is off.", None, EXIT_INTERRUPT)


def _make_safe(board, error):
    """Stop the board; what could not be proved is what is raised."""
    board.client.also = ()
    if isinstance(error, DeviceLost) and error.code == "lost":
        error.hint = "Its output ends by itself within 1.2 s of the loss. Check the cable, then `rheo clear-fault`."
        return
    halt(board.client)
