"""The plan: what is asked for, to the microsecond, to the end; bursts, dwells, duty as the contract has them.

`contract_starts` below is written from the contract, without looking at plan.py, and with no arithmetic of its own in
common: it lists when every pulse must begin.
"""

from fractions import Fraction

import pytest
from core.draw import ALTERNATING, BASE, BURST, EACH_KIND, MODULATED, PROPERTY, THOROUGH, durations, play_out, trains
from hypothesis import given
from rheocore import config, items
from rheocore.plan import Plan

RATES_HZ = (1, 2, 4, 15, 50, 100, 250, 400)
DURATIONS_US = durations()


def pulses(made):
    """[(at_us, width_us)]"""
    return [(at_us, word & 0x3FF) for at_us, word, _, pulse in made if pulse]


def starts(made):
    return [at_us for at_us, _ in pulses(made)]


def nearest_periods(segment_us, period_us):
    """Whole number of periods nearest to the segment, half up, one at least."""
    return max(1, int(Fraction(segment_us, period_us) + Fraction(1, 2)))


def contract_starts(cfg, duration_us):
    """When each pulse must begin (all kinds but modulated): the train anew in each on-time, each item whole in it."""
    least_us = items.min_period_us(cfg["width_us"], cfg["gap_us"])
    cycle_us = (cfg["on_ms"] + cfg["off_ms"]) * 1000 if "on_ms" in cfg else duration_us
    on_us = cfg["on_ms"] * 1000 if "on_ms" in cfg else duration_us
    out = []
    for cycle_at in range(0, duration_us, cycle_us):
        for at in train(cfg):
            if at + least_us > on_us or cycle_at + at + least_us > duration_us:
                break
            out.append(cycle_at + at)
    return out


def train(cfg):
    """Starts of the train's pulses for ever, from 0."""
    if cfg["kind"] == "continuous":
        at = 0
        while True:
            yield at
            at += cfg["period_us"]
    if cfg["kind"] == "burst":
        burst = 0
        while True:
            for k in range(cfg["burst_pulses"]):
                yield burst + k * cfg["period_us"]
            burst += cfg["burst_period_us"]
    at = 0
    while True:
        for period_us in (cfg["period_us"], cfg["alt_period_us"]):
            for _ in range(nearest_periods(cfg["dwell_ms"] * 1000, period_us)):
                yield at
                at += period_us


STEADY = ("continuous", "burst", "alternating")


@pytest.mark.req("REQ-005")
@PROPERTY
@given(trains(), DURATIONS_US)
def test_items_add_up_to_the_duration_exactly(cfg, duration_us):
    made = play_out(Plan(cfg, duration_us))
    assert sum(dur_us for _, _, dur_us, _ in made) == duration_us
    elapsed = 0
    for at_us, _, dur_us, _ in made:
        assert at_us == elapsed
        elapsed += dur_us


@pytest.mark.parametrize("beyond_us", range(-9, 10))
@pytest.mark.parametrize("period_us", [10_000, 16_000, 31_999, 66_667])
def test_a_duration_within_a_few_us_of_whole_periods_is_still_exact(period_us, beyond_us):
    """A rest shorter than 8 us has no encoding: the item before it takes it over."""
    made = play_out(Plan(dict(BASE, period_us=period_us), 5 * period_us + beyond_us))
    assert sum(dur_us for _, _, dur_us, _ in made) == 5 * period_us + beyond_us
    assert starts(made) == [k * period_us for k in range(5)]


@pytest.mark.parametrize("beyond_us", range(-9, 10))
@pytest.mark.parametrize("items_long", [1, 2, 3])
def test_a_period_within_a_few_us_of_whole_items_is_still_exact(items_long, beyond_us):
    period_us = items_long * items.ITEM_MAX_US + beyond_us
    made = play_out(Plan(dict(BASE, period_us=period_us), 4 * period_us))
    assert starts(made) == [k * period_us for k in range(4)]
    assert all(0 <= word < 1 << 32 and items.duration_us(word) == dur_us for _, word, dur_us, _ in made)


@pytest.mark.req("REQ-065")
@pytest.mark.parametrize("duration_us", range(8))
def test_less_than_the_shortest_item_makes_none(duration_us):
    """The one way in which the sum may miss the duration: by less than 8 us."""
    assert play_out(Plan(BASE, duration_us)) == []


@PROPERTY
@given(trains(), DURATIONS_US)
def test_each_item_is_at_most_16_ms_and_decodes_to_what_was_asked(cfg, duration_us):
    widths = [cfg[name] for name in ("width_us", "lo_width_us", "hi_width_us") if name in cfg]
    for _, word, dur_us, pulse in play_out(Plan(cfg, duration_us)):
        assert 0 <= word < 1 << 32
        assert dur_us == items.duration_us(word) <= items.ITEM_MAX_US == 16_000
        width_us, gap_field, _ = items.decode(word)
        if pulse:
            assert min(widths) <= width_us <= max(widths)
            assert gap_field + items.GAP_MIN_US == cfg["gap_us"]
        else:
            assert width_us == gap_field == 0


@pytest.mark.req("REQ-005")
@PROPERTY
@given(trains(), DURATIONS_US)
def test_each_pulse_ends_within_the_train(cfg, duration_us):
    for at_us, word, _, pulse in play_out(Plan(cfg, duration_us)):
        if pulse:
            assert at_us + items.LEAD_US + 2 * (word & 0x3FF) + cfg["gap_us"] <= duration_us


@pytest.mark.req("REQ-005")
@THOROUGH
@given(trains(STEADY), DURATIONS_US)
def test_every_pulse_begins_when_the_contract_says(cfg, duration_us):
    made = play_out(Plan(cfg, duration_us))
    assert starts(made) == contract_starts(cfg, duration_us)
    assert {width for _, width in pulses(made)} <= {cfg["width_us"]}


@pytest.mark.parametrize("hz", RATES_HZ)
def test_periods_are_exact_and_never_accumulate_an_error(hz):
    cfg = dict(BASE, period_us=config.period_us(hz * 1000))
    cfg["duration_ms"] = 60_000
    at = starts(play_out(Plan(cfg)))
    assert at == [k * cfg["period_us"] for k in range(len(at))]
    assert len(at) == -(-60_000_000 // cfg["period_us"])


def test_an_hour_at_66667_us_is_exact_to_the_last_item():
    cfg = dict(BASE, period_us=66_667, duration_ms=3_600_000)
    made = play_out(Plan(cfg), most=10**6)
    assert starts(made) == list(range(0, 3_600_000_000, 66_667))
    assert made[-1][0] + made[-1][2] == 3_600_000_000


def test_burst_is_counted_pulses_then_a_pause_to_the_next_burst():
    at = starts(play_out(Plan(BURST, 1_000_000)))
    assert at == [k * 10_000 for k in range(8)] + [500_000 + k * 10_000 for k in range(8)]


def test_a_dwell_is_the_nearest_whole_number_of_periods_half_up():
    cfg = dict(ALTERNATING, period_us=40_000, alt_period_us=66_667, dwell_ms=100)  # 2.5 -> 3; 1.49999 -> 1
    at = starts(play_out(Plan(cfg, 400_000)))
    assert at == [0, 40_000, 80_000, 120_000, 186_667, 226_667, 266_667, 306_667, 373_334]


def test_a_dwell_shorter_than_half_a_period_still_has_one():
    cfg = dict(ALTERNATING, period_us=1_000_000, alt_period_us=50_000, dwell_ms=100)
    assert starts(play_out(Plan(cfg, 2_200_000))) == [0, 1_000_000, 1_050_000, 1_100_000, 2_100_000, 2_150_000]


@pytest.mark.req("REQ-005")
@pytest.mark.parametrize("off_ms", [0, 1, 2, 3, 1000])
def test_an_on_time_begins_the_train_anew_and_no_pulse_stands_across_its_end(off_ms):
    """333.333 ms periods in 1 s of on-time: the fourth pulse would begin 1 us before its end, and is not made."""
    cfg = dict(BASE, period_us=333_333, on_ms=1_000, off_ms=off_ms, ramp_up_ms=500, ramp_down_ms=500)
    cycle_us = 1_000_000 + off_ms * 1000
    at = starts(play_out(Plan(cfg, 4 * cycle_us)))
    assert at == [cycle * cycle_us + k * 333_333 for cycle in range(4) for k in range(3)]


def exact_modulation(cfg, phase_ms):
    """(rate in mHz, width in us) at a time in the cycle: the linear triangle, exact."""
    half = Fraction(cfg["cycle_ms"], 2)
    up = 1 - abs(phase_ms - half) / half
    rate = cfg["lo_millihz"] + (cfg["hi_millihz"] - cfg["lo_millihz"]) * up
    return rate, cfg["lo_width_us"] + (cfg["hi_width_us"] - cfg["lo_width_us"]) * up


@PROPERTY
@given(trains(("modulated",), duty=False), durations(1_000_000, 12_000_000))
def test_a_modulated_pulse_takes_rate_and_width_at_its_start(cfg, duration_us):
    """Within the steps the plan is allowed: time in whole ms, rate in whole mHz, width and period in whole us."""
    made = pulses(play_out(Plan(cfg, duration_us)))
    pairs = list(zip(made, made[1:], strict=False))
    for (at_us, width_us), (next_us, _) in pairs[:: max(1, len(pairs) // 40)]:
        corners = [Fraction(at_us, 1000) % cfg["cycle_ms"], Fraction(at_us // 1000 % cfg["cycle_ms"])]
        rates, widths = zip(*(exact_modulation(cfg, phase_ms) for phase_ms in corners), strict=True)
        assert min(widths) - 1 <= width_us <= max(widths) + 1
        slow_us, fast_us = (Fraction(10**9) / max(rate, 1000) for rate in (min(rates) - 1, max(rates) + 1))
        assert fast_us - 1 <= next_us - at_us <= slow_us + 1


def test_modulation_reaches_both_ends_and_is_periodic():
    made = pulses(play_out(Plan(dict(MODULATED, cycle_ms=4_000), 12_000_000)))
    widths = [width for _, width in made]
    assert (max(widths), min(widths)) == (200, 100)
    intervals = [b - a for (a, _), (b, _) in zip(made, made[1:], strict=False)]
    assert max(intervals[:-1]) == 500_000 and 10_000 <= min(intervals) <= 10_100


@pytest.mark.parametrize("kind", config.KINDS)
def test_after_a_pause_the_plan_starts_its_cycle_anew_and_replays_nothing(kind):
    """Of a session cut after any item: what was played and what the second plan plays are together the duration."""
    cfg = EACH_KIND[kind]
    whole = play_out(Plan(cfg))
    for cut in range(1, len(whole), max(1, len(whole) // 23)):
        played_us = sum(dur_us for _, _, dur_us, _ in whole[:cut])
        left_us = cfg["duration_ms"] * 1000 - played_us
        again = play_out(Plan(cfg, left_us))
        assert sum(dur_us for _, _, dur_us, _ in again) == left_us
        same = min(len(again), len(whole)) - 3  # the first items are the train's first; the end has its own shape
        assert [item[1:] for item in again[: max(0, same)]] == [item[1:] for item in whole[: max(0, same)]]


@pytest.mark.req("REQ-022")
@pytest.mark.parametrize("kind", config.KINDS)
def test_a_finished_plan_stays_finished(kind):
    plan = Plan(EACH_KIND[kind], 50_000)
    play_out(plan)
    assert plan.next() is False and plan.next() is False


# -- item by item: docs/safety/mutants.md ----------------------------------------------------------------------------


def parts(cfg, duration_us):
    """[(dur_us, pulse)]"""
    return [(dur_us, pulse) for _, _, dur_us, pulse in play_out(Plan(cfg, duration_us))]


@pytest.mark.parametrize(
    ("period_us", "items_of_one"),
    [
        (10_000, [(10_000, 1)]),
        (16_000, [(16_000, 1)]),
        (16_001, [(15_992, 1), (9, 0)]),
        (16_007, [(15_992, 1), (15, 0)]),
        (16_008, [(16_000, 1), (8, 0)]),
        (32_000, [(16_000, 1), (16_000, 0)]),
        (32_001, [(16_000, 1), (15_992, 0), (9, 0)]),
        (32_007, [(16_000, 1), (15_992, 0), (15, 0)]),
        (32_008, [(16_000, 1), (16_000, 0), (8, 0)]),
    ],
)
def test_a_period_is_as_few_items_as_hold_it_none_above_16_ms_and_no_rest_below_8_us(period_us, items_of_one):
    assert parts(dict(BASE, period_us=period_us), 3 * period_us) == 3 * items_of_one


@pytest.mark.parametrize(
    ("duration_us", "made"),
    [
        (7, []),
        (8, [(8, 0)]),
        (1_624, [(1_624, 0)]),
        (1_625, [(1_625, 1)]),  # 2 * 100 + 50 - 3 + 1378: the least that holds the pulse
        (10_000, [(10_000, 1)]),
        (10_007, [(10_007, 1)]),  # no rest is so short: the pulse has it
        (10_008, [(10_000, 1), (8, 0)]),
        (11_624, [(10_000, 1), (1_624, 0)]),
        (11_625, [(10_000, 1), (1_625, 1)]),
    ],
)
def test_the_end_of_a_train_is_a_whole_pulse_or_a_rest_and_ends_on_its_microsecond(duration_us, made):
    assert parts(BASE, duration_us) == made


@pytest.mark.parametrize("gap_us", [3, 50, 66, 67, 131, 255])
@pytest.mark.parametrize("width_us", [1, 101, 1_023])
def test_the_word_of_a_pulse_holds_width_gap_and_the_rest_of_its_period(width_us, gap_us):
    [(_, word, dur_us, pulse)] = play_out(Plan(dict(BASE, width_us=width_us, gap_us=gap_us), 10_000))
    assert items.decode(word)[:2] == (width_us, gap_us - items.GAP_MIN_US)
    assert (items.duration_us(word), dur_us, pulse) == (10_000, 10_000, 1)


def test_a_pulse_that_ends_with_the_on_time_is_made():
    """245 periods of 4075 us and the 1625 us that the widest pulse needs are 1 s."""
    cfg = dict(BASE, period_us=4_075, on_ms=1_000, off_ms=1_000, ramp_up_ms=500, ramp_down_ms=500)
    assert [at for at in starts(play_out(Plan(cfg, 3_000_000))) if at < 1_000_000][-1] == 998_375
    later = [at for at in starts(play_out(Plan(dict(cfg, gap_us=51), 3_000_000))) if at < 1_000_000]
    assert later[-1] == 998_375 - 4_075


MODULATED_DUTY = dict(MODULATED, lo_millihz=50_000, lo_width_us=1_000, hi_width_us=100, on_ms=1_003, off_ms=1_000)


@pytest.mark.parametrize(
    "cfg",
    [
        dict(MODULATED, cycle_ms=4_001),
        MODULATED_DUTY,
        dict(MODULATED_DUTY, lo_width_us=100, hi_width_us=1_000, cycle_ms=1_700, on_ms=2_000, off_ms=300),
    ],
)
def test_each_modulated_pulse_is_the_triangle_at_the_whole_millisecond_of_its_start_in_its_own_on_time(cfg):
    """Rounded down in width and rate; a new on-time begins the modulation anew; the widest pulse ends within it."""
    cycle_us = (cfg["on_ms"] + cfg["off_ms"]) * 1000 if "on_ms" in cfg else 20_000_000
    on_us = cfg["on_ms"] * 1000 if "on_ms" in cfg else cycle_us
    widest_us = items.min_period_us(max(cfg["lo_width_us"], cfg["hi_width_us"]), cfg["gap_us"])
    made = pulses(play_out(Plan(dict(cfg, ramp_up_ms=500, ramp_down_ms=500), 20_000_000)))
    assert len(made) > 500
    for (at_us, width_us), (next_us, _) in zip(made, made[1:-1], strict=False):
        in_us = at_us % cycle_us
        rate, width = exact_modulation(cfg, in_us // 1000 % cfg["cycle_ms"])
        assert width_us == int(width // 1)
        period_us = config.period_us(int(rate // 1))
        if in_us + period_us + widest_us <= on_us:
            assert next_us - at_us == period_us
        else:
            assert next_us == (at_us // cycle_us + 1) * cycle_us


@pytest.mark.parametrize("ends_us", [(1_000, 100), (100, 1_000)])
def test_room_is_kept_for_the_widest_pulse_of_a_modulation_at_the_end_of_an_on_time(ends_us):
    """On-times of 1 s to 1.02 s: in some of them a pulse of the other end of the modulation would have fitted."""
    cfg = dict(MODULATED_DUTY, lo_width_us=ends_us[0], hi_width_us=ends_us[1], ramp_up_ms=500, ramp_down_ms=500)
    widest_us = items.min_period_us(1_000, cfg["gap_us"])
    for on_ms in range(1_000, 1_021):
        made = starts(play_out(Plan(dict(cfg, on_ms=on_ms), 4_000_000)))
        assert max(at % (on_ms * 1000 + 1_000_000) for at in made) + widest_us <= on_ms * 1000
