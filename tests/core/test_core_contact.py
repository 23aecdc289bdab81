"""Contact: what is judged open, shorted or wrong, to the microampere; and what a reset leaves. On CPython."""

import pytest
from rheocore import messages
from rheocore.contact import BAD, LEAST_UA, STEADY, WRONG_LEAST_UA, Contact
from rheocore.remainder import after_reset

COMPLIANCE_MV = 60_000
GOOD = (5_000, 5_000)  # 5 mA into 1 kohm: uA, mV


def told(readings, set_ua=5_000, pulses=10):
    """What a contact says of each (uA, mV)."""
    contact = Contact(COMPLIANCE_MV)
    return [contact.judge(set_ua, ua, mv, pulses + k) for k, (ua, mv) in enumerate(readings)]


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        ((2_499, 54_000), "electrode_open"),  # less than half of the current at 90 % of the compliance
        ((5_000, 249), "electrode_short"),  # 49.8 ohm
        ((6_001, 6_001), "amplitude_error"),  # 20 %
        ((3_999, 3_999), "amplitude_error"),
    ],
)
def test_two_bad_readings_in_a_row_are_a_fault_and_one_is_none(bad, fault):
    assert BAD == 2
    steady = [GOOD] * (STEADY + 2)
    assert told([*steady, bad, bad]) == [None] * (STEADY + 3) + [fault]
    assert set(told([*steady, bad, GOOD, bad, GOOD])) == {None}


@pytest.mark.parametrize(
    ("good", "fault"),
    [
        ((2_500, 54_000), "electrode_open"),
        ((2_499, 53_999), "electrode_open"),
        ((5_000, 250), "electrode_short"),
        ((6_000, 6_000), "amplitude_error"),
        ((4_000, 4_000), "amplitude_error"),
    ],
)
def test_just_inside_a_threshold_is_not_its_fault(good, fault):
    assert fault not in told([GOOD] * (STEADY + 2) + [good] * 5)


def test_two_kinds_in_turn_are_two_first_readings():
    opened, shorted = (0, 60_000), (5_000, 100)
    assert set(told([opened, shorted] * 4)) == {None}


@pytest.mark.req("REQ-052")
def test_nothing_but_too_much_is_judged_below_the_least_current_and_nothing_before_two_pulses():
    assert set(told([(2 * LEAST_UA, 1_000)] * 5, set_ua=LEAST_UA)) == {None, "amplitude_error"}
    assert set(told([(2 * LEAST_UA - 1, 1_000)] * 5, set_ua=LEAST_UA - 1)) == {None}
    assert told([(2 * LEAST_UA, 1_000)] * 2, set_ua=LEAST_UA - 1) == [None, "amplitude_error"]
    assert set(told([(0, 60_000)] * 5, set_ua=LEAST_UA - 1)) == {None}
    contact = Contact(COMPLIANCE_MV)
    assert [contact.judge(5_000, 0, 60_000, pulses) for pulses in (0, 1, 1, 2, 3)] == [None] * 4 + ["electrode_open"]


def test_a_set_point_on_its_way_is_no_wrong_current():
    contact = Contact(COMPLIANCE_MV)
    assert {contact.judge(1_000 + 250 * k, 1_000, 1_000, 10 + k) for k in range(20)} == {None}
    held = [contact.judge(5_000, 1_000, 1_000, 40 + 10 * k) for k in range(STEADY + BAD)]
    assert held == [None] * (STEADY + BAD - 1) + ["amplitude_error"]


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize("pulses_a_pass", [1, 2, 8])
@pytest.mark.parametrize("step_ua", [1, 5, 250])
def test_too_much_current_is_found_at_the_second_reading_while_the_set_point_rises(step_ua, pulses_a_pass):
    """From 0 on: a set-point that moves excuses too little, never too much."""
    for begins in (3, 20):
        contact = Contact(COMPLIANCE_MV)
        for k in range(30):
            set_ua = step_ua * k
            wrong = max(set_ua * 6 // 5, set_ua + LEAST_UA) + 1
            found = contact.judge(set_ua, wrong if k >= begins else set_ua, 6_000, pulses_a_pass * k)
            assert found == ("amplitude_error" if k == begins + 1 else None), k
            if found:
                break


@pytest.mark.req("REQ-052")
@pytest.mark.parametrize("phase", range(5))
@pytest.mark.parametrize("passes_a_pulse", [1, 2, 5, 25])
def test_a_set_point_that_falls_leaves_a_reading_of_before_which_is_no_fault(passes_a_pulse, phase):
    """What is held is the last pulse's, the stage's filter lags by a pass of the loop, and the stage is 0.3 mA off: as
    much as a steady one may be. Steps of 0.5 mA: the largest board's."""
    ups = [500 * k for k in range(40)]
    peak = [0, 500, 1_000, 1_500, 2_000, 1_500, 1_000, 500]  # turned at once: the pulse's own pass is the highest
    sets = [0] * (5 + phase) + 3 * peak + ups + ups[::-1] + [0] * 20
    held, pulses = 0, 0
    contact = Contact(COMPLIANCE_MV)
    for k in range(2, len(sets)):
        if k % passes_a_pulse == 0:
            pulses += 1
            held = max(sets[k - 2 : k]) + WRONG_LEAST_UA
        assert contact.judge(sets[k], held, 6_000, pulses) is None, k


@pytest.mark.req("REQ-052")
def test_a_current_is_wrong_from_300_ua_on_and_only_two_pulses_after_the_set_point_has_come_to_rest():
    steady = [(1_000, 1_000)] * (STEADY + 2)
    assert set(told([*steady, *[(1_300, 1_000)] * 3, *[(700, 1_000)] * 3], set_ua=1_000)) == {None}
    assert told([*steady, *[(1_301, 1_000)] * 2], set_ua=1_000)[-1] == "amplitude_error"
    assert told([*steady, *[(699, 1_000)] * 2], set_ua=1_000)[-1] == "amplitude_error"
    contact = Contact(COMPLIANCE_MV)
    assert {contact.judge(5_000, 1_000, 1_000, pulses) for pulses in [10] * 20 + [11] * 20} == {None}
    assert [contact.judge(5_000, 1_000, 1_000, 12) for _ in range(BAD)] == [None, "amplitude_error"]


def test_a_stretch_that_begins_forgets_the_readings_before():
    contact = Contact(COMPLIANCE_MV)
    contact.judge(5_000, 0, 60_000, 10)
    contact.begin()
    assert contact.judge(5_000, 0, 60_000, 10) is None


@pytest.mark.req("REQ-018")
@pytest.mark.parametrize("state", messages.STATES)
@pytest.mark.parametrize("cause", ["watchdog", "software", "run_pin", "power"])
def test_a_reset_latches_what_it_interrupted_and_keeps_what_was_left(state, cause):
    fault, left_ms = after_reset((state, None, 5_000), cause)
    wanted = ("watchdog" if cause == "watchdog" else "reset") if state in messages.BUSY else None
    assert (fault, left_ms) == (wanted, 5_000)
    assert after_reset((state, "interlock_open", 0), cause) == ("interlock_open", None)
    assert after_reset(None, cause) == (None, None)
