"""Dose: time at amplitude, peak and mean impedance from telemetry, counts from the board; live as from a record."""

import pytest
from record.make_record import START_US, begin, channels, session, treatment
from rheobase import dose
from rheobase.dose import HELD_MAX_US, Dose
from rheobase.record import RecordReader

CFG = {"amplitude_ua": 10_000}


def row(set_ua, ohms=1000, pulses=0, charge_nc=0):
    return {"1": {"set_ua": set_ua, "meas_ua": set_ua, "ohms": ohms, "pulses": pulses, "charge_nc": charge_nc}}


def of(*samples, period_ms=100, targets=None):
    """Figures of channel 1 after rows of these set-points, one each period_ms. targets: {sample: new target}."""
    dosed = Dose({"1": CFG})
    for k, sample in enumerate(samples):
        if targets and k in targets:
            dosed.target(1, targets[k])
        dosed.take({"dev_us": k * period_ms * 1000}, sample if isinstance(sample, dict) else row(sample))
    return dosed.figures()["1"]


def test_time_at_amplitude_is_that_of_set_points_at_90_per_cent_of_the_target():
    assert of(0, 5000, 9000, 10_000, 9000, 8999, 0)["at_amplitude_ms"] == 300
    assert of(*[8999] * 10)["at_amplitude_ms"] == 0


def test_a_new_target_counts_from_then_on():
    assert of(5000, 5000, 5000, 5000, targets={2: 5500})["at_amplitude_ms"] == 100  # one interval seen against 5.5 mA
    assert of(0, 0, 0, targets={0: 0})["at_amplitude_ms"] == 0  # a target of zero is no amplitude


def test_what_no_telemetry_tells_is_not_counted():
    assert of(10_000, 10_000, period_ms=10_000)["at_amplitude_ms"] == HELD_MAX_US // 1000
    assert of(10_000, 10_000, period_ms=-100)["at_amplitude_ms"] == 0  # the board's clock went back


def test_peak_is_the_highest_set_point_and_impedance_the_mean_of_what_was_measured():
    figures = of(0, row(7000, None), row(9500, 1000), row(2000, 2001), row(0, None))
    assert (figures["peak_ua"], figures["mean_ohms"]) == (9500, 1334)  # of 1000, 1000, 2001
    assert of(row(0, None))["mean_ohms"] is None


DUTY = {"1": {**CFG, "on_ms": 300, "off_ms": 200, "duration_ms": 1500}}


def contractions(*samples):
    """Of (state, t_left_ms, set-point) ten times a second."""
    duty = Dose(DUTY)
    assert duty.contractions(1) == 0
    for k, sample in enumerate(samples):
        if sample == "paused":  # by an event alone: it was over before the next telemetry
            duty.state("paused")
            continue
        state, left_ms, ua = sample
        duty.take({"dev_us": k * 100_000, "state": state, "t_left_ms": left_ms}, row(ua))
    assert duty.contractions(1) == duty.figures()["1"]["contractions"]
    return duty.contractions(1)


def played(*uas, start_ms=1500):
    return [("run", start_ms - 100 * k, ua) for k, ua in enumerate(uas)]


def test_contractions_are_those_of_the_plans_cycle_in_which_current_flowed():
    assert contractions(("armed", 1500, 0), *played(0, 5000, 5000, 0, 0, 0, 0, 0, 0, 0, 0, 5000, 5000, 0, 0)) == 2
    assert of(0, 5000, 0, 5000)["contractions"] is None  # nothing is counted where there is no duty


def test_lowering_to_zero_and_raising_again_is_one_contraction():
    assert contractions(*played(200, 0, 200, 0, 0)) == 1
    assert contractions(*played(200, 0, 200, 0, 0, 200, 0, 200)) == 2


def test_a_resume_begins_a_contraction_anew():
    paused = [("paused", 1350, 0)] * 3
    again = played(0, 5000, 5000, 0, 0, 0, 5000, start_ms=1350)
    assert contractions(*played(0, 5000), *paused, *again) == 3
    assert contractions(*played(0, 0), *paused, *again) == 2  # before the pause nothing flowed
    assert contractions(*played(0, 5000), "paused", *again) == 3


def test_the_end_of_a_session_begins_no_contraction():
    assert contractions(*played(*[5000] * 15), ("ramp_down", 0, 300), ("done", 0, 0)) == 3


def test_counts_are_the_boards_result_and_without_it_the_last_telemetry():
    dosed = Dose({"1": CFG, "3": CFG})
    dosed.take({"dev_us": 0}, {**row(100, pulses=7, charge_nc=3), "3": {}})
    lost = dosed.figures()
    assert (lost["1"]["pulses"], lost["1"]["truncated"], lost["1"]["charge_nc"]) == (7, None, 3)
    assert lost["3"]["pulses"] is None
    told = dosed.figures({"channels": {"1": {"pulses": 9, "truncated": 1, "charge_nc": 4}}})
    assert (told["1"]["pulses"], told["1"]["truncated"], told["1"]["charge_nc"]) == (9, 1, 4)
    assert list(told["1"]) == list(dose.FIELDS)


def test_a_record_gives_the_dose_that_its_lines_add_up_to(tmp_path):
    figures = dose.of_record(RecordReader(treatment(tmp_path, ua=8000)))
    assert list(figures) == ["1", "2", "3"]
    one = figures["1"]
    assert one["pulses"] == 6000 and one["truncated"] == 0 and one["peak_ua"] == 8000
    assert one["at_amplitude_ms"] == pytest.approx(60_000 - 2 * 3_600, abs=200)  # but for 90 % of two ramps of 4 s
    assert one["charge_nc"] == pytest.approx(6000 * 800 * (56 / 60), rel=0.01)
    assert 1700 < one["mean_ohms"] < 2000


def test_a_crashed_record_gives_the_dose_so_far(tmp_path):
    figures = dose.of_record(RecordReader(session(tmp_path, close=False)))["1"]
    assert (figures["pulses"], figures["truncated"], figures["charge_nc"]) == (190, None, 380)
    assert figures["peak_ua"] == 19_000 and figures["at_amplitude_ms"] == 100  # 18 and 19 mA of 20 mA, one interval


def test_the_operators_targets_are_in_the_record(tmp_path):
    with begin(tmp_path) as writer:
        for k in range(20):
            if k == 10:
                writer.write("event", START_US, event="amplitude", channel=1, ua=1000)
            writer.write("telemetry", START_US + k * 100_000, state="run", channels=channels(k, 1000))
    assert dose.of_record(RecordReader(writer.path))["1"]["at_amplitude_ms"] == 900


@pytest.mark.parametrize(
    "opened", [{}, {"channels": None}, {"channels": {"1": 7}}, {"channels": {"1": {"config": []}}}]
)
def test_a_record_with_nothing_to_plan_by_still_gives_its_counts(tmp_path, opened):
    from rheobase.record import RecordWriter

    with RecordWriter.create("A", 1000, tmp_path) as writer:
        writer.write("open", None, **opened)
        writer.write("telemetry", 5, state="run", channels=channels(3))
        writer.write("telemetry", 6, state="run", channels={"1": "rubbish"})
    figures = dose.of_record(RecordReader(writer.path))
    assert figures["1"]["pulses"] == 30 and figures["1"]["at_amplitude_ms"] == 0
