"""Play one channel into a bench load at falling set-points; what the board measures at each. Judges no value.

One session, from the highest level down, since only a fall may be large once output is on. Every way out stops the
board first and proves it, as in own.py.
"""

import contextlib
import time
from dataclasses import dataclass
from statistics import fmean

from rheocore import envelope, limits

from rheobase import order
from rheobase.bench import own
from rheobase.errors import EXIT_BENCH, Refused, RheoError
from rheobase.halt import halt
from rheobase.interrupt import Interrupts
from rheobase.link import words

SETTLE = 2  # telemetry items at a new set-point that are passed over: it walks, and the filter follows (5 ms)
READINGS = 5  # items that count
PERIOD_US = 20_000  # a pulse for each look of the firmware at its sense
_SLACK_MS = 60_000  # it is ended by a stop; a host that has gone ends it within 1 s
_LEVEL_MS = 2_000


@dataclass(frozen=True)
class Level:
    """Means of what was read at one set-point: current as the board measures it, voltage at the load."""

    set_ua: int
    meas_ua: float
    load_mv: float


def config(board, levels):
    """The device configuration that plays levels (uA, falling) on a greeted Board. Raises Refused."""
    ratings = order.ratings(board.info)
    step_ua = envelope.max_step_ua(ratings["full_scale_ua"])
    ramp_ms = max(500, -(-levels[0] * limits.PASS_MS // step_ua))
    cfg = {
        **own.TRAIN,
        "period_us": PERIOD_US,
        "ramp_up_ms": ramp_ms,
        "ramp_down_ms": ramp_ms,
        "duration_ms": 2 * ramp_ms + len(levels) * _LEVEL_MS + _SLACK_MS,
        "max_ua": levels[0],
        "amplitude_ua": levels[0],
    }
    for code, field, value, bound in limits.judge(cfg, ratings):
        raise Refused("refused", words.refusal(code, field, value, bound), "Nothing was sent to the board.")
    return cfg


def play(board, n, levels, told=lambda level: None):
    """[Level] of channel n on a greeted Board in no session. levels: uA, falling. told(level): each as it is done.

    Raises Refused, DeviceFault (what the board latched), DeviceLost, RheoError: ended too early, exit 130.
    """
    cfg = config(board, levels)
    own.must_be_free(board)
    client = board.client
    with Interrupts() as signals:
        signals.emergency_fd = client.transport.fileno()
        client.also = [signals.fd]
        try:
            board.call("configure", {"channels": {str(n): cfg}, "new": 1})
            client.token = board.call("arm", {"bench": 1}, timeout_s=3.0)["token"]
            client.events.clear()
            client.telemetry.clear()
            own.unless_stopped(signals)
            board.call("start", {"token": client.token})
            found = []
            for level in levels:
                if level != levels[0]:
                    board.call("amplitude", {"token": client.token, "channel": n, "ua": level})
                found.append(_read(board, signals, level))
                told(found[-1])
            halt(client)
            _forget(board, n, cfg)
        except BaseException as error:  # Ctrl-C too: no way out of here without a stop
            own.make_safe(board, error)
            with contextlib.suppress(RheoError):  # a latched fault, a board that has gone
                _forget(board, n, cfg)
            raise
        finally:
            client.also = ()
            client.token = None
    return found


def _forget(board, n, cfg):
    """What is left of a stopped session is nobody's: no later one is to be taken for its remainder."""
    board.call("configure", {"channels": {str(n): {**cfg, "amplitude_ua": 0}}, "new": 1})


def _read(board, signals, level):
    """Level at the set-point `level`, once the board stands there."""
    client = board.client
    there = []
    while len(there) < SETTLE + READINGS:
        client.wait(own.POLL_S)
        own.unless_stopped(signals)
        while client.events:
            _unless_over(client.events.popleft())
        while client.telemetry:
            rows = client.telemetry.popleft()["channels"]
            set_ua, meas_ua, ohms = rows[0][:3] if rows else (None, None, None)
            if set_ua == level and meas_ua and ohms is not None:
                there.append((meas_ua, (ohms + 0.5) * meas_ua / 1000))  # ohms are rounded down by the board
        if time.monotonic() - client.heard_s > own.SILENCE_S * client.scale:
            board.status()
    uas, mvs = zip(*there[SETTLE:], strict=True)
    return Level(level, round(fmean(uas), 1), round(fmean(mvs), 1))


def _unless_over(event):
    if event["kind"] == "fault":
        raise words.fault_error(event["detail"], event["channel"])
    if event["kind"] == "end":
        message = "The session ended before every set-point was measured."
        raise RheoError("ended_early", message, "Again; if it returns, the link is too slow.", EXIT_BENCH)
