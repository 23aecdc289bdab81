"""A calibration corrects within its bounds, leaves zero alone, and is used whole and undamaged or not at all."""

import pytest
from core.draw import PROPERTY
from core.test_core_server import CFG, Host
from core.test_core_small_ints import Narrow
from hypothesis import given
from hypothesis import strategies as st
from rheobase import boards
from rheocore import calibration, frames
from rheocore.calibration import GAIN_MAX, ONE, corrected
from rheorp2.stored import read_calibration

BOARD = boards.load()
FULL_UA = BOARD["full_scale_ua"]
OFFSET_MAX = calibration.offset_max_ua(BOARD)
SERIAL = "E600000000000001"
ROW = {"set": [-3846, -192], "sense": [3093, -7], "load_ohms": 1000, "made": "2026-11-22"}
CODE_UA = FULL_UA / (BOARD["dac_top"] + 1)
CORRECTIONS = st.tuples(st.integers(-GAIN_MAX, GAIN_MAX), st.integers(-OFFSET_MAX, OFFSET_MAX))


def stored(rows=None, board="RHEO_PICO", serial=SERIAL):
    return calibration.encode(board, serial, {1: ROW, 3: ROW} if rows is None else rows)


def problem(line):
    read = calibration.parse(line, BOARD, SERIAL)
    assert read.problem is None or not read.rows, "half of it would be used"
    return read.problem


def duty(ua, correction):
    """As rheorp2.dac makes it."""
    return min(corrected(ua, correction), FULL_UA) * (BOARD["dac_top"] + 1) // FULL_UA


# -- what a correction does ------------------------------------------------------------------------------------


def test_the_bounds_are_10_per_cent_and_1_per_cent_of_full_scale_and_the_step_10_ppm():
    assert (GAIN_MAX / ONE, OFFSET_MAX, 1 / ONE) == (0.1, 500, 1e-5)
    assert corrected(50_000, (-3_847, -192)) == 47_884  # 50 mA less 3.847 % less 192 uA: 47884.5, rounded down


@pytest.mark.req("REQ-054")
@given(CORRECTIONS)
def test_zero_stays_zero_whatever_the_offset(correction):
    assert corrected(0, correction) == duty(0, correction) == 0


@pytest.mark.req("REQ-054")
@PROPERTY
@given(CORRECTIONS, st.integers(1, FULL_UA))
def test_a_set_point_is_never_more_than_its_share_by_the_bounds_and_saturates_at_full_scale(correction, ua):
    share = duty(ua, correction)
    assert 0 <= share <= BOARD["dac_top"] + 1
    assert share * CODE_UA <= ua * (1 + GAIN_MAX / ONE) + OFFSET_MAX


@PROPERTY
@given(CORRECTIONS, st.integers(1, FULL_UA - 1))
def test_more_is_never_less(correction, ua):
    assert duty(ua, correction) <= duty(ua + 1, correction)


@PROPERTY
@given(CORRECTIONS, st.integers(1, FULL_UA))
def test_a_stage_that_is_off_by_just_the_correction_gives_what_is_set_and_never_more(correction, ua):
    """Exact by the line; below it by 1 uA, 1 DAC step and their gain at most, unless the stage cannot go there."""
    gain, offset_ua = correction[0] / ONE, correction[1]
    commanded = duty(ua, correction) * CODE_UA
    flows = (commanded - offset_ua) / (1 + gain)
    if 0 < commanded < FULL_UA:
        assert ua - (1 + CODE_UA) / (1 + gain) - 1e-6 <= flows <= ua + 1e-6


@given(st.integers(0, FULL_UA))
def test_nominal_changes_nothing(ua):
    assert corrected(ua, calibration.NOMINAL) == ua


@given(CORRECTIONS, st.integers(0, 2 * FULL_UA))
def test_a_correction_is_computed_in_small_integers(correction, ua):
    """Every pass of the loop computes one, and the board must not allocate: up to 100 mA."""
    assert corrected(Narrow(ua), tuple(map(Narrow, correction))) >= 0


# -- what is read ----------------------------------------------------------------------------------------------


def test_what_was_stored_is_read_and_told_for_every_channel():
    read = calibration.parse(stored(), BOARD, SERIAL)
    assert read.problem is None and read.set(1) == ROW["set"] and read.sense(3) == ROW["sense"]
    assert read.set(2) == calibration.NOMINAL
    assert read.told(BOARD) == {"problem": None, "channels": {"1": ROW, "2": None, "3": ROW}}


def test_no_file_is_nominal_and_no_problem():
    read = calibration.parse(None, BOARD, SERIAL)
    assert read.problem is None and read.told(BOARD)["channels"] == {"1": None, "2": None, "3": None}
    assert read.set(1) == read.sense(1) == calibration.NOMINAL


@pytest.mark.req("REQ-055")
def test_every_byte_changed_to_any_other_is_found():
    line = stored()
    for i in range(len(line)):
        for flip in range(1, 256):
            damaged = line[:i] + bytes([line[i] ^ flip]) + line[i + 1 :]
            assert problem(damaged) == "damaged", (i, flip)


def test_cut_short_grown_and_empty_files_are_damaged():
    line = stored()
    assert {problem(line[:n]) for n in range(len(line))} == {"damaged"}
    assert problem(line + b" ") == problem(line + b"\n") == problem(line * 2) == "damaged"
    assert problem(b"\xff" * 4096) == problem(b"\0" * 200) == "damaged"


@pytest.mark.req("REQ-055")
@pytest.mark.parametrize(("board", "serial"), [("RHEO_PICO", "E600000000000002"), ("OTHER", SERIAL)])
def test_a_file_from_another_board_is_refused(board, serial):
    assert problem(stored(board=board, serial=serial)) == "foreign"


WHOLE = {"schema": 1, "board": "RHEO_PICO", "serial": SERIAL}


def off(**changes):
    return stored({1: ROW, 2: {**ROW, **changes}})


@pytest.mark.req("REQ-055")
@pytest.mark.parametrize(
    ("line", "why"),
    [
        (off(set=[GAIN_MAX + 1, 0]), "bounds"),
        (off(set=[-GAIN_MAX - 1, 0]), "bounds"),
        (off(set=[0, OFFSET_MAX + 1]), "bounds"),
        (off(sense=[0, -OFFSET_MAX - 1]), "bounds"),
        (off(sense=[GAIN_MAX + 1, 0]), "bounds"),
        (off(set=[GAIN_MAX, OFFSET_MAX], sense=[-GAIN_MAX, -OFFSET_MAX]), None),
        (off(set=[0]), "bounds"),
        (off(set=[0, 0, 0]), "bounds"),
        (off(set=[0.5, 0]), "bounds"),
        (off(set=[True, 0]), "bounds"),
        (off(set=None), "bounds"),
        (off(load_ohms="1k"), "bounds"),
        (off(load_ohms=0), "bounds"),
        (off(load_ohms=-1_000), "bounds"),
        (off(made=1), "bounds"),
        (off(made="x" * 11), "bounds"),
        (off(more=1), "bounds"),
        (stored({4: ROW}), "bounds"),
        (stored({"x": ROW}), "bounds"),
        (stored({1: {}}), "bounds"),
        (stored({1: 5}), "bounds"),
        (stored({1: {**{name: ROW[name] for name in ROW if name != "made"}, "mode": "x"}}), "bounds"),
        (frames.encode({"schema": 2, "board": "RHEO_PICO", "serial": SERIAL, "channels": {}}), "schema"),
        (frames.encode({"schema": 1, "board": "RHEO_PICO", "serial": SERIAL, "channels": [1]}), "bounds"),
        *((frames.encode({**WHOLE, "channels": odd}), "bounds") for odd in (None, 5, True, [], "1")),
        (frames.encode({}), "schema"),
        (frames.encode([1]), "damaged"),
        (frames.encode({"schema": 1, "fill": "x" * calibration.BYTES_MAX}), "damaged"),
    ],
)
def test_a_whole_file_with_a_value_that_must_not_be_is_refused(line, why):
    assert problem(line) == why


@given(st.dictionaries(st.text(max_size=3), st.recursive(st.integers() | st.text() | st.none(), st.lists), max_size=4))
def test_any_rows_with_a_good_checksum_are_taken_within_bounds_or_not_at_all(rows):
    line = frames.encode({"schema": 1, "board": "RHEO_PICO", "serial": SERIAL, "channels": rows})
    assert problem(line) in ("bounds", "damaged") or not rows


def test_a_file_of_six_channels_fits():
    six = {n: {**ROW, "set": [-10_000, -500], "sense": [-10_000, -500], "load_ohms": 5000} for n in range(1, 7)}
    assert len(calibration.encode("RHEO_PICO_SIX", SERIAL, six)) <= calibration.BYTES_MAX


# -- what the board does with it -------------------------------------------------------------------------------


@pytest.mark.req("REQ-055")
@pytest.mark.parametrize("why", sorted(calibration.PROBLEMS))
def test_a_board_with_a_calibration_that_it_cannot_use_does_not_arm_and_says_what_to_do(why):
    host = Host(calibration={"problem": why, "channels": {}})
    assert host.hello()["calibration"]["problem"] == why
    host.ask("configure", channels={"1": dict(CFG, bench=True)})
    for params in ({}, {"bench": 1}):
        assert host.ask("arm", **params) == "bad_calibration"
    assert host.ask("status")["state"] == "loaded" and not host.bench.output.calls


@pytest.fixture
def on_board(tmp_path, monkeypatch):
    """The path at which the board's own reading (rheorp2.stored, frozen or as a file the same) looks."""
    path = tmp_path / "rheo_calibration.txt"
    monkeypatch.setattr(calibration, "FILE", str(path))
    return path


def test_the_board_reads_its_file_or_none_and_takes_what_it_cannot_read_for_damaged(on_board):
    assert read_calibration(BOARD, SERIAL).problem is None and not read_calibration(BOARD, SERIAL).rows
    on_board.write_bytes(stored())
    assert read_calibration(BOARD, SERIAL).rows == {1: ROW, 3: ROW}
    on_board.write_bytes(stored() + b"x" * 10_000_000)
    assert read_calibration(BOARD, SERIAL).problem == "damaged"
    on_board.unlink()
    on_board.mkdir()
    assert read_calibration(BOARD, SERIAL).problem == "damaged"


def test_a_write_that_was_cut_off_before_the_new_file_took_its_place_leaves_the_old_one_in_force(on_board):
    on_board.write_bytes(stored())
    (on_board.parent / "rheo_calibration.txt.new").write_bytes(stored()[:40])
    assert read_calibration(BOARD, SERIAL).rows == {1: ROW, 3: ROW}
