"""`rheo calibrate` on a fake board whose stage is off: what is found, stored and refused; who is asked.

mpremote is a stand-in here that puts the line where the firmware would read it; tests/e2e/test_calibrate.py has the
real one.
"""

import ast
import os
import re
import signal

import pytest
from host.fake_board import CALIBRATED, FakeBoard
from rheobase import boards, calibrate, mpremote
from rheobase.bench import levels
from rheobase.errors import RheoError
from rheocore import calibration, messages

TABLE = boards.load()
CURRENT_CODE_UA = TABLE["sense_current_full_ua"] / 4096
NOMINAL = {"problem": None, "channels": dict.fromkeys("123")}


class Stage:
    """The output stage of one channel, its sense, and what calibration corrects; `off`: (gain, uA) of both."""

    def __init__(self, board, stage=(1.0, 0.0), sense=(1.0, 0.0), load_ohms=1000):
        self.board, self.stage, self.sense, self.load_ohms = board, stage, sense, load_ohms

    def flows_ua(self, n, set_ua):
        ua = min(calibration.corrected(set_ua, self.board.calibration.set(n)), TABLE["full_scale_ua"])
        gain, offset_ua = self.stage
        return max(0.0, ua * gain + offset_ua) if ua else 0.0

    def read(self, n, set_ua):
        """(uA, ohms) as the firmware makes them of the codes of a 12 bit converter."""
        true_ua = self.flows_ua(n, set_ua)
        gain, offset_ua = self.sense
        read_ua = int(round((true_ua * gain + offset_ua) / CURRENT_CODE_UA) * CURRENT_CODE_UA)
        code_mv = TABLE["sense_voltage_full_mv"] / 4096
        mv = int(round(true_ua * self.load_ohms / 1e3 / code_mv) * code_mv)
        ua = calibration.corrected(read_ua, self.board.calibration.sense(n))
        return ua, mv * 1000 // ua if ua >= 50 else None


class OffBoard(FakeBoard):
    """A FakeBoard with a Stage; `line`: the bytes on its file system."""

    def __init__(self, told=NOMINAL, **stage):
        self.line = None
        self.calibration = calibration.Calibration({int(n): row for n, row in told["channels"].items() if row})
        super().__init__(speed=20, info={"calibration": told})
        self.off = Stage(self, **stage)

    def _sense(self, n):
        channel = self.session.channels.get(n)
        return self.off.read(n, channel.set_ua) if channel and channel.running else None

    def restart(self):
        self.calibration = calibration.parse(self.line, self.board, self.serial)
        self.server.info["calibration"] = self.calibration.told(self.board)


@pytest.fixture
def make(monkeypatch):
    """make(**OffBoard options) -> the board, at which mpremote's stand-in writes."""
    made = []

    def begin(**options):
        board = OffBoard(**options).__enter__()
        made.append(board)

        def evaluate(port, source, **_):
            assert port == board.port and board.session.state not in messages.BUSY
            board.sources.append(source)
            found = re.search(r"^n, line = (.*)$", source, re.M)
            board.line = ast.literal_eval(found[1])[1] if found else None
            board.restart()
            return True

        board.sources = []
        monkeypatch.setattr(mpremote, "evaluate", evaluate)
        return board

    yield begin
    for board in made:
        board.__exit__()


def run(rheo, board, *words, n=1, load=1000):
    return rheo("calibrate", "--channel", n, "--load", load, "-p", board.port, "--json", "--yes", *words)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_errors_of_stage_and_sense_are_found_and_gone_afterwards(rheo, make, n):
    """Gains to 0.2 %, offsets to 2 codes of both senses together; afterwards within 0.5 % and one code of the set one.

    Set-points: those played and others, from 1 mA on.
    """
    board = make(stage=(1.04, 200.0), sense=(0.97, -30.0))
    answer = run(rheo, board, n=n)
    data = answer.json["data"]
    assert answer.code == 0, answer.out
    assert data["channel"] == n and data["gain"] == pytest.approx(1.04, abs=0.002)
    assert data["offset"] == pytest.approx(200, abs=60) and data["residual"] < 40
    assert data["sense"]["gain"] == pytest.approx(0.97, abs=0.002)
    for set_ua in (1_000, 5_000, 10_000, 25_000, 40_000, 48_000):
        flows_ua = board.off.flows_ua(n, set_ua)
        assert abs(flows_ua - set_ua) <= 0.005 * set_ua + TABLE["full_scale_ua"] / 4096
        assert abs(board.off.read(n, set_ua)[0] - flows_ua) <= 0.005 * set_ua + 2 * CURRENT_CODE_UA
    told = board.server.info["calibration"]
    assert told["problem"] is None and told["channels"][str(n)] == data["calibration"]
    assert sum(row is not None for row in told["channels"].values()) == 1


def test_calibrating_again_starts_from_what_is_in_force_and_leaves_other_channels_alone(rheo, make):
    """The second time finds the same errors of the same stage, from raw: within 0.2 % and 2 codes."""
    told = {"problem": None, "channels": {"1": None, "2": CALIBRATED, "3": None}}
    board = make(stage=(0.95, -100.0), sense=(1.05, 40.0), told=told)
    first = run(rheo, board).json["data"]
    second = run(rheo, board).json["data"]
    assert second["gain"] == pytest.approx(first["gain"], abs=0.002)
    assert second["offset"] == pytest.approx(first["offset"], abs=60)
    assert second["sense"]["gain"] == pytest.approx(first["sense"]["gain"], abs=0.002)
    assert board.server.info["calibration"]["channels"]["2"] == CALIBRATED


@pytest.mark.req("REQ-054")
@pytest.mark.parametrize(
    ("stage", "code", "words"),
    [
        ({"load_ohms": 1500}, "wrong_load", "1.5 kΩ"),
        ({"load_ohms": 2200}, "wrong_load", "not the 1 kΩ"),
        ({"load_ohms": 1140}, "out_of_bounds", "load's value is wrong"),
        ({"stage": (1.15, 0.0)}, "out_of_bounds", "set-point path"),
        ({"stage": (1.0, 700.0)}, "out_of_bounds", "set-point path"),
        ({"sense": (0.88, 0.0)}, "out_of_bounds", "current sense"),
    ],
)
def test_what_cannot_be_calibrated_is_exit_7_with_the_likely_cause_and_stores_nothing(rheo, make, stage, code, words):
    board = make(**stage)
    answer = run(rheo, board)
    assert answer.code == 7 and answer.error["code"] == code
    assert words in answer.error["message"] + answer.error["hint"] and "Nothing was stored" in answer.error["hint"]
    assert not board.sources and board.session.state == "loaded"


def test_a_line_that_is_not_straight_is_refused(rheo, make):
    board = make()
    plain = board.off.flows_ua
    board.off.flows_ua = lambda n, ua: plain(n, ua) - 1_000 * (ua > 40_000)
    answer = run(rheo, board)
    assert answer.code == 7 and answer.error["code"] == "not_straight" and not board.sources


@pytest.mark.parametrize("still", ["true", "read"])
def test_a_sense_that_stands_still_is_refused_and_is_no_error_of_ours(still):
    points = [(ua, 5000.0 if still == "true" else ua * 1.0, 5000.0 if still == "read" else ua * 1.0) for ua in (1, 2)]
    with pytest.raises(RheoError) as refused:
        calibrate._lines(points)
    assert refused.value.code == "not_straight" and "Nothing was stored" in refused.value.hint


def test_a_calibration_that_does_not_hold_is_exit_7_and_says_that_it_is_stored(rheo, make):
    board = make()
    restart = board.restart

    def drift():
        restart()
        board.off.stage = (1.08, 0.0)

    board.restart = drift
    answer = run(rheo, board)
    assert answer.code == 7 and answer.error["code"] == "check_failed" and "is stored" in answer.error["message"]


def test_a_fault_in_the_check_says_that_the_calibration_is_stored_and_unchecked(rheo, make):
    board = make()
    restart = board.restart

    def lead_off():
        restart()
        board.off.read = lambda n, ua: board.session.trip("electrode_open", board.now_ms(), n)

    board.restart = lead_off
    answer = run(rheo, board)
    assert answer.code == 6 and answer.error["code"] == "electrode_open" and board.line
    assert "is stored and in force, and was not checked" in answer.error["hint"]


def test_ctrl_c_while_it_is_stored_says_that_the_old_or_the_new_one_holds(rheo, make, monkeypatch):
    board = make()

    def interrupted(port, source, **_):
        raise KeyboardInterrupt

    monkeypatch.setattr(mpremote, "evaluate", interrupted)
    answer = run(rheo, board)
    assert answer.code == 130 and answer.error["code"] == "interrupted" and not board.session.output.playing
    assert "the old calibration or the new" in answer.error["message"] and "rheo info" in answer.error["hint"]


@pytest.mark.req("REQ-109")
def test_ctrl_c_in_the_middle_ends_output_and_leaves_no_remainder(rheo, make):
    board = make()
    read = board.off.read

    def interrupt(n, ua):
        if ua > 20_000:
            os.kill(os.getpid(), signal.SIGINT)
            board.off.read = read
        return read(n, ua)

    board.off.read = interrupt
    answer = run(rheo, board)
    assert answer.code == 130 and not board.sources and not board.session.output.playing
    assert board.session.remainder_ms is None


def test_a_board_that_forgets_what_was_stored_is_exit_8(rheo, make):
    board = make()
    board.restart = lambda: None
    answer = run(rheo, board)
    assert answer.code == 8 and answer.error["code"] == "not_stored"


@pytest.mark.parametrize("why", sorted(calibration.PROBLEMS))
def test_a_calibration_that_cannot_be_used_is_removed_first_and_said(rheo, make, why):
    board = make(told={**NOMINAL, "problem": why})
    answer = run(rheo, board)
    assert answer.code == 0 and calibration.PROBLEMS[why] in answer.err and "for every channel" in answer.err
    assert "os.remove" in board.sources[0] and "os.rename" in board.sources[1]
    assert board.server.info["calibration"]["problem"] is None


def test_a_fault_ends_it_with_the_fault_and_an_amplitude_error_says_that_calibration_cannot_mend_it(rheo, make):
    board = make(stage=(1.5, 0.0))
    read = board.off.read

    def latch(n, ua):
        board.session.trip("amplitude_error", board.now_ms(), n)
        return read(n, ua)

    board.off.read = latch
    answer = run(rheo, board)
    assert answer.code == 6 and answer.error["code"] == "amplitude_error"
    assert "mend the stage" in answer.error["hint"] and "clear-fault" in answer.error["hint"] and not board.sources


def test_nothing_of_it_is_left_over_for_a_later_session(rheo, make):
    """A calibration is no session that was cut off: no remainder."""
    board = make()
    assert run(rheo, board).code == 0
    assert board.session.remainder_ms is None and board.session.state == "loaded"


@pytest.mark.parametrize("load", ["499", "5001", "0"])
def test_a_load_that_this_cannot_be_done_with_is_a_usage_error(rheo, make, load):
    board = make()
    answer = run(rheo, board, load=load)
    assert answer.code == 2 and answer.error["code"] == "bad_load" and not board.seen


def test_a_channel_that_the_board_lacks_is_a_usage_error(rheo, make):
    board = make()
    answer = run(rheo, board, n=4)
    assert answer.code == 2 and answer.error["code"] == "no_channel" and "arm" not in board.seen


@pytest.mark.req("REQ-109")
def test_it_says_who_must_not_be_connected_and_asks_on_a_terminal_only(rheo, make, monkeypatch):
    board = make()
    asked = []
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.confirm", lambda question, **_: asked.append(question))  # answers None: no
    answer = rheo("calibrate", "--channel", "1", "--load", "1k", "-p", board.port)
    assert answer.code == 5 and "never with a person" in answer.err
    assert asked == ["Is 1 kΩ, and nothing and nobody else, connected to channel 1?"] and "arm" not in board.seen
    assert run(rheo, board).code == 0 and len(asked) == 1


@pytest.mark.req("REQ-109")
@pytest.mark.parametrize("words", [("--json",), ()])
def test_on_a_real_board_nothing_is_played_unless_somebody_says_that_nobody_is_connected(rheo, make, words):
    board = make()
    answer = rheo("calibrate", "--channel", "1", "--load", "1k", "-p", board.port, *words)  # no terminal here
    assert answer.code == 2 and "whether anybody is connected" in answer.out + answer.err
    assert "--yes" in answer.out + answer.err and not {"configure", "arm"} & set(board.seen)


def test_the_table_for_people_names_gain_offset_residual_and_what_cannot_be_reached(rheo, make):
    board = make(stage=(0.92, 0.0))
    answer = rheo("calibrate", "--channel", "2", "--load", "1000", "-p", board.port, "-q", "--yes")
    assert "set-point    0.92" in answer.out and "residual" in answer.out and "reach" in answer.out
    assert "reach" not in rheo("calibrate", "--channel", "2", "--load", "1000", "-p", make().port, "-q", "--yes").out
    info = rheo("info", "-p", board.port)
    assert re.search(r"calibration  channel 2 on \d{4}-\d\d-\d\d; 1, 3 uncalibrated", info.out)


# -- set-points ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load_ohms", [500, 1000, 1234, 2000, 5000])
def test_set_points_fall_stay_below_80_per_cent_of_the_voltage_and_off_the_adcs_steps(load_ohms):
    found = calibrate.set_points(TABLE, load_ohms)
    assert len(found) == calibrate.COUNT and found == sorted(found, reverse=True) and found[0] > 5 * 900
    assert found[0] * load_ohms <= TABLE["compliance_mv"] * 800 and found[0] <= TABLE["max_ua"]
    for ua in found:
        for code in (512, 1536, 2560, 3584):
            assert abs(ua - TABLE["sense_current_full_ua"] * code / 4096) > 0.029 * ua
            assert abs(ua - TABLE["sense_voltage_full_mv"] * 1e3 / load_ohms * code / 4096) > 0.029 * ua


@pytest.mark.parametrize("load_ohms", [500, 1000, 5000])
def test_the_limits_take_what_is_played(load_ohms):
    class Board:
        info = {"board": "RHEO_PICO", "limits": {}}

    wanted = calibrate.set_points(TABLE, load_ohms)
    assert levels.config(Board, wanted)["amplitude_ua"] == wanted[0]
