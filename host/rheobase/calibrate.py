"""Calibrate one channel against a known load: play, fit, judge, store on the board, check. Asks and shows nothing.

The reference is the load's resistance with the board's own voltage sense: true current = voltage / resistance. What
corrects it is rheocore.calibration's; the file is written through mpremote while the app does not run, under another
name first, and read back.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from statistics import linear_regression

from rheocore import calibration
from rheocore.units import fmt_current, fmt_resistance

from rheobase import boards, mpremote, order
from rheobase.bench import levels
from rheobase.errors import EXIT_BENCH, EXIT_INTERRUPT, DeviceFault, HostError, RheoError, UsageError
from rheobase.halt import halt
from rheobase.link import greeting

LOAD_OHMS = (500, 5_000)  # below, a step of the voltage sense is more than 0.03 mA; above, 10 mA are out of reach
COUNT = 5  # set-points
LOOK_UA = 5_000  # a first, careful look
REACH_PER_CENT = 80  # of the compliance: a stage may give 10 % more than it is told, and at 90 % a load looks open
LOAD_PER_CENT = 15  # what impedance and load may differ by at the first look: the sense itself may be off by 10 %
ADC_STEPS = (512, 1536, 2560, 3584)  # codes of 4096 at which the RP2040's converter is not straight (erratum E11)
CLEAR_PER_CENT = 3  # of a set-point, from such a step
CODES = 2  # of current and voltage together: what a point may lie off the line
STRAIGHT_PER_MILLE = 5  # or this much of the highest point, if that is more
CHECK_PER_MILLE = 10  # what the check after storing may be off by, and CODES

# Write the line under another name, read it back, put it in the old one's place; False if it is not what was sent.
_STORE = """
import os
n, line = {name!r}, {line!r}
with open(n + ".new", "wb") as f:
    f.write(line)
with open(n + ".new", "rb") as f:
    same = f.read() == line
if same:
    os.rename(n + ".new", n)
os.sync()
print(repr(same))
"""
_REMOVE = """
import os
try:
    os.remove({name!r})
except OSError as e:
    if e.errno != 2:
        raise
os.sync()
print(repr(True))
"""


@dataclass(frozen=True)
class Line:
    """A fitted straight line y = gain * x + offset (uA), x being true uA. residual: uA of the point farthest off."""

    gain: float
    offset: float
    residual: float

    def as_dict(self):
        return {
            "gain": round(self.gain, 5),
            "offset": round(self.offset, 1) + 0.0,  # no -0.0
            "residual": round(self.residual, 1),
        }


class View:
    """Told what happens; shows nothing. Replace what is wanted."""

    def say(self, text):
        """Something begins."""

    def level(self, point):
        """A Level is measured."""


def check_load(load_ohms):
    """Raise UsageError for a load that this cannot be done with. Nothing is sent."""
    low, high = LOAD_OHMS
    if not low <= load_ohms <= high:
        message = f"A load of {fmt_resistance(load_ohms)} is not one to calibrate with."
        raise UsageError("bad_load", message, f"Take {fmt_resistance(low)} to {fmt_resistance(high)}; 1 kΩ is best.")


def set_points(table, load_ohms):
    """COUNT set-points in uA, falling, for a board's description and a load: within its voltage, off ADC steps."""
    top = min(table["max_ua"], table["compliance_mv"] * 10 * REACH_PER_CENT // load_ohms)
    fulls = (table["sense_current_full_ua"], table["sense_voltage_full_mv"] * 1000 // load_ohms)
    steps = [full * code // 4096 for full in fulls for code in ADC_STEPS]
    found = []
    for part in range(COUNT, 0, -1):
        ua = top * part // COUNT
        while any(abs(ua - step) * 100 < CLEAR_PER_CENT * ua for step in steps):
            ua = ua * 99 // 100
        found.append(ua)
    return found


def calibrate(board, n, load_ohms, view=None):
    """Calibrate channel n of a greeted Board into a load of load_ohms. Returns (data, greeted Board): it was restarted.

    data: the contract's, and more (docs/calibration.md). Raises UsageError (load, channel), Refused, DeviceFault (what
    the board latched), DeviceLost, HostError, RheoError with exit 7: not to be calibrated like this; nothing was stored
    then, or, with code check_failed, what was stored does not hold.
    """
    view = view or View()
    check_load(load_ohms)
    order.must_have([n], board.info)
    table = {**boards.load(board.info["board"]), **board.info["limits"]}
    if board.info["calibration"]["problem"]:
        view.say(f"The stored calibration cannot be used ({_why(board)}): it is removed first, for every channel.")
        board = _write(board, _REMOVE.format(name=calibration.FILE))
    wanted = set_points(table, load_ohms)
    view.say(f"First look at {fmt_current(min(LOOK_UA, wanted[-1]))} ...")
    _look(_play(board, n, [min(LOOK_UA, wanted[-1])], view)[0], load_ohms)
    view.say(f"{COUNT} set-points from {fmt_current(wanted[0])} down ...")
    found = _play(board, n, wanted, view)
    points = [_point(board, n, table, level, load_ohms) for level in found]
    stage, sense = _lines(points)
    row = _row(points, load_ohms)
    _judge(row, stage, sense, table, load_ohms)
    view.say("Storing it on the board, which restarts ...")
    board = _store(board, n, row)
    middle = wanted[COUNT // 2]
    view.say(f"Checking at {fmt_current(middle)} ...")
    try:
        check = _true_point(_play(board, n, [middle], view)[0], load_ohms)
    except RheoError as error:
        error.hint = f"The new calibration is stored and in force, and was not checked. {error.hint or ''}".rstrip()
        raise
    data = {
        "channel": n,
        **stage.as_dict(),
        "sense": sense.as_dict(),
        "load_ohms": load_ohms,
        "points": [asdict(level) | {"true_ua": round(_true_ua(level, load_ohms), 1)} for level in found],
        "check": check,
        "reach_ua": min(table["max_ua"], int(stage.gain * table["full_scale_ua"] + stage.offset)),
        "calibration": row,
    }
    _judge_check(check, table, load_ohms)
    return data, board


# -- measuring ---------------------------------------------------------------------------------------------------


def _play(board, n, wanted, view):
    try:
        return levels.play(board, n, wanted, view.level)
    except DeviceFault as fault:
        if fault.code == "amplitude_error":
            fault.hint = (
                "Set-point and sense differ by more than 20 %, beyond what a calibration may mend: mend the stage."
                " `rheo clear-fault` clears it."
            )
        raise


def _true_ua(level, load_ohms):
    return level.load_mv * 1000 / load_ohms


def _true_point(level, load_ohms):
    """What the check tells: set, true and measured uA."""
    return {"set_ua": level.set_ua, "true_ua": round(_true_ua(level, load_ohms), 1), "meas_ua": round(level.meas_ua, 1)}


def _look(level, load_ohms):
    """Raise RheoError if what is connected is not the load that was named."""
    ohms = level.load_mv * 1000 / level.meas_ua if level.meas_ua else 0
    if abs(ohms - load_ohms) * 100 > LOAD_PER_CENT * load_ohms:
        seen = fmt_resistance(round(ohms / 10) * 10)
        message = f"The board sees about {seen} and not the {fmt_resistance(load_ohms)} that was told."
        hint = "Measure the load with a meter and give that value; nothing else may be connected. Nothing was stored."
        raise RheoError("wrong_load", message, hint, EXIT_BENCH)


def _point(board, n, table, level, load_ohms):
    """(uA commanded, true uA, uA read), the first and last before any calibration that is in use."""
    used = calibration.Calibration({n: board.info["calibration"]["channels"].get(str(n)) or _NOMINAL_ROW})
    gain, offset = used.sense(n)
    commanded = min(calibration.corrected(level.set_ua, used.set(n)), table["full_scale_ua"])
    return commanded, _true_ua(level, load_ohms), (level.meas_ua - offset) / (1 + gain / calibration.ONE)


_NOMINAL_ROW = {"set": calibration.NOMINAL, "sense": calibration.NOMINAL}


def _lines(points):
    """(Line of what the stage delivers over commanded, Line of what the sense reads): as a person thinks of them."""
    commanded, true, read = zip(*points, strict=True)
    if len(set(true)) == 1 or len(set(read)) == 1:
        message = "What is measured is the same at every set-point."
        raise RheoError("not_straight", message, "A sense stands still: mend it. Nothing was stored.", EXIT_BENCH)
    slope, offset = linear_regression(true, commanded)
    residual = max(abs(true_ua - (ua - offset) / slope) for ua, true_ua, _ in points)
    stage = Line(1 / slope, -offset / slope, residual)
    slope, offset = linear_regression(true, read)
    residual = max(abs(ua - slope * true_ua - offset) for _, true_ua, ua in points)
    return stage, Line(slope, offset, residual)


def _row(points, load_ohms):
    """The channel's row of the file: corrections as rheocore applies them."""
    commanded, true, read = zip(*points, strict=True)
    pairs = {}
    for name, wanted, given in (("set", commanded, true), ("sense", true, read)):
        slope, offset = linear_regression(given, wanted)
        pairs[name] = [round((slope - 1) * calibration.ONE), round(offset)]
    return {**pairs, "load_ohms": load_ohms, "made": f"{datetime.now(UTC):%Y-%m-%d}"}


# -- judging -----------------------------------------------------------------------------------------------------


def _codes_ua(table, load_ohms):
    """uA of one step of the current sense and one of the voltage sense."""
    return (table["sense_current_full_ua"] + table["sense_voltage_full_mv"] * 1000 / load_ohms) / 4096


def _judge(row, stage, sense, table, load_ohms):
    """Raise RheoError, exit 7, unless the lines are straight and the board would take the row."""
    most_ua = max(CODES * _codes_ua(table, load_ohms), STRAIGHT_PER_MILLE * table["max_ua"] / 1000)
    for name, line in (("set-point", stage), ("sense", sense)):
        if line.residual > most_ua:
            message = f"The {name} is not a straight line: one point lies {line.residual:.0f} µA off it."
            hint = f"At most {most_ua:.0f} µA are taken. A loose lead, a load that warms, or a stage at its limit?"
            raise RheoError("not_straight", message, hint + " Nothing was stored.", EXIT_BENCH)
    bad = [name for name in ("set", "sense") if _is_beyond(row[name], table)]
    if not bad:
        return
    told = f"delivered / commanded is {_line_text(stage)}, read / true {_line_text(sense)}"
    bounds = f"gains within {calibration.GAIN_MAX / calibration.ONE:.0%}, offsets within"
    bounds += f" {fmt_current(calibration.offset_max_ua(table))} can be calibrated"
    hint = {
        ("set",): "The set-point path is wrong (filter, reference, sink), or the load's value.",
        ("sense",): "The current sense is wrong (its resistor, its gain), or the load's value.",
    }.get(tuple(bad), "Most likely the load's value is wrong: measure it with a meter.")
    raise RheoError("out_of_bounds", f"Out of bounds: {told}; {bounds}.", hint + " Nothing was stored.", EXIT_BENCH)


def _line_text(line):
    return f"{line.gain:.3f} {'-' if line.offset < 0 else '+'} {abs(line.offset):.0f} µA"


def _is_beyond(pair, table):
    return abs(pair[0]) > calibration.GAIN_MAX or abs(pair[1]) > calibration.offset_max_ua(table)


def _judge_check(check, table, load_ohms):
    """Raise RheoError, exit 7, unless the calibrated channel gives and reads what it should."""
    most_ua = CODES * _codes_ua(table, load_ohms) + check["set_ua"] * CHECK_PER_MILLE / 1000
    off_ua = max(abs(check["true_ua"] - check["set_ua"]), abs(check["meas_ua"] - check["true_ua"]))
    if off_ua > most_ua:
        message = f"The calibration is stored, but at {fmt_current(check['set_ua'])} it is {off_ua:.0f} µA off."
        hint = "Check leads and load, and calibrate again; until then this channel's currents are not to be trusted."
        raise RheoError("check_failed", message, hint, EXIT_BENCH)


# -- storing -----------------------------------------------------------------------------------------------------


def _why(board):
    return calibration.PROBLEMS.get(board.info["calibration"]["problem"], "unknown")


def _store(board, n, row):
    """The Board, restarted, with `row` in force on channel n and the other channels' rows as they were."""
    info = board.info
    rows = {int(name): there for name, there in info["calibration"]["channels"].items() if there}
    rows[n] = row
    line = calibration.encode(info["board"], info["serial"], rows)
    board = _write(board, _STORE.format(name=calibration.FILE, line=line))
    if board.info["calibration"]["problem"] or board.info["calibration"]["channels"].get(str(n)) != row:
        raise HostError("not_stored", "The board does not tell the calibration that was stored.", "Calibrate again.")
    return board


def _write(board, source):
    """Run `source` on the board while the app does not run; the Board, restarted and greeted again."""
    halt(board.client)
    board.close()
    try:
        written = mpremote.evaluate(board.port, source)
        again = greeting.open_board(board.port, board.emulated, patience_s=1.0)
    except KeyboardInterrupt:
        message = "Interrupted while it was stored; the output is off. The board holds the old calibration or the new."
        raise RheoError("interrupted", message, "`rheo info` tells which.", EXIT_INTERRUPT) from None
    if written is not True:
        again.close()
        raise HostError("not_stored", "What was stored does not read back: the old calibration stays.", "Try again.")
    return again
