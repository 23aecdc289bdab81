"""Limits: every vector of the facts page, each cap by its own name, the lowest binds, what passes can be ramped."""

from array import array

import pytest
from core import formulas
from core.draw import BASE, EACH_KIND, JSON, MODULATED, PROPERTY, trains
from hypothesis import given
from hypothesis import strategies as st
from rheobase import boards
from rheocore import config, feeder, limits
from rheocore.channel import Channel
from rheocore.electrode import AREA_CMM2, ASSUMED_CMM2, area_cmm2, needle_cmm2
from rheocore.envelope import Envelope, max_step_ua, slew

BOARD = boards.load()
NEEDLE = dict(BASE, mode="dnes", electrode="needle")
NEEDLE_A = dict(NEEDLE, area_cmm2=2_356)  # 0.25 x 30 mm inserted: 0.236 cm2
STRONG = dict(BOARD, max_ua=200_000, full_scale_ua=2_000_000)  # a board that leaves the deciding to the formulas


def codes(cfg, board=BOARD):
    return [code for code, *_ in limits.judge(cfg, board)]


@pytest.mark.parametrize("kind", config.KINDS)
def test_ordinary_configurations_are_allowed(kind):
    assert limits.judge(EACH_KIND[kind], BOARD) == []


def test_a_configuration_that_cannot_be_played_is_refused_as_config_says():
    assert codes(dict(BASE, width_us=0)) == ["too_low"]
    assert codes(None) == ["wrong_type"]


SLOW = dict(BASE, ramp_up_ms=5_000, ramp_down_ms=5_000)


@pytest.mark.req("REQ-063")
@pytest.mark.parametrize(
    ("cfg", "binds", "cap_ua"),
    [
        (dict(SLOW, max_ua=5_000), "preset", 5_000),
        (dict(NEEDLE_A, max_ua=40_000, period_us=500_000), "electrode", limits.NEEDLE_MAX_UA),
        (dict(SLOW, max_ua=90_000), "board", BOARD["max_ua"]),
        (dict(SLOW, max_ua=90_000, mode="nmes"), "board", BOARD["max_ua"]),
        (dict(SLOW, max_ua=90_000, ramp_up_ms=800), "slew", 10_000),
        (dict(SLOW, max_ua=90_000, ramp_down_ms=500), "slew", 6_250),
    ],
)
def test_the_lowest_cap_binds_and_is_named(cfg, binds, cap_ua):
    assert limits.amplitude_max_ua(cfg, BOARD) == (binds, cap_ua)
    assert codes(dict(cfg, amplitude_ua=cap_ua)) == []
    assert codes(dict(cfg, amplitude_ua=cap_ua + 1)) == ["limit_" + binds]


@pytest.mark.req("REQ-063")
def test_a_stronger_board_leaves_the_electrodes_cap():
    assert limits.amplitude_max_ua(dict(SLOW, max_ua=100_000), STRONG) == ("electrode", 60_000)
    assert limits.amplitude_max_ua(dict(SLOW, max_ua=100_000, mode="nmes"), STRONG)[1] == 100_000


@pytest.mark.req("REQ-064")
@pytest.mark.parametrize(
    ("cfg", "longest_ms"),
    [
        (NEEDLE, 1_800_000),
        (BASE, 3_600_000),
        (dict(BASE, mode="nmes"), 1_800_000),
        (dict(BASE, mode="dnes"), 1_800_000),
    ],
)
def test_a_session_is_bounded_by_electrode_and_mode(cfg, longest_ms):
    assert codes(dict(cfg, duration_ms=longest_ms)) == []
    if longest_ms < config.DURATION_MAX_MS:
        assert codes(dict(cfg, duration_ms=longest_ms + 1)) == ["limit_duration"]


@pytest.mark.req("REQ-063")
def test_the_slew_cap_is_what_the_shorter_ramp_climbs_in_the_devices_steps():
    """250 uA (0.5 % of 50 mA) every 20 ms: 40 mA take 3.2 s."""
    cfg = dict(BASE, max_ua=50_000, amplitude_ua=40_000, duration_ms=20_000, ramp_up_ms=3_200, ramp_down_ms=3_200)
    assert codes(cfg) == []
    assert codes(dict(cfg, ramp_up_ms=3_199)) == ["limit_slew"]
    assert codes(dict(cfg, ramp_down_ms=3_199)) == ["limit_slew"]


@PROPERTY
@given(trains(), st.integers(0, 50_000), st.integers(500, 10_000))
def test_an_allowed_ramp_is_followed_by_the_device_within_one_step(cfg, amplitude_ua, ramp_ms):
    """In passes of 20 ms and steps of 0.5 % of full scale the set-point keeps up with the envelope and ends at zero."""
    cfg = dict(cfg, max_ua=50_000, amplitude_ua=amplitude_ua, ramp_up_ms=ramp_ms, ramp_down_ms=ramp_ms)
    cfg = {name: value for name, value in cfg.items() if name not in config.OPTIONAL} | {"duration_ms": 25_000}
    if limits.judge(cfg, BOARD):
        return
    envelope, step_ua = Envelope(cfg), max_step_ua(BOARD["full_scale_ua"])
    now_ua = 0
    for t_ms in range(0, 25_001, limits.PASS_MS):
        wanted_ua = amplitude_ua * envelope.level(t_ms) // 65536
        now_ua = slew(now_ua, wanted_ua, step_ua)
        # ramps have 1024 steps: two of them may fall into one pass where the slope is just the allowed one
        assert abs(now_ua - wanted_ua) <= amplitude_ua // 1024 + 1
    assert now_ua == 0


@PROPERTY
@given(JSON)
def test_garbage_is_refused_not_raised(garbage):
    assert limits.judge(garbage, BOARD)


# -- the facts page ------------------------------------------------------------------------------------------------


def caps(cfg, board=STRONG):
    return dict(limits.amplitude_caps_ua(cfg, board))


@pytest.mark.parametrize(
    ("diameter_um", "length_um", "cm2"),
    [(250, 30_000, 0.236), (250, 40_000, 0.314), (300, 50_000, 0.471), (160, 15_000, 0.075)],
)
def test_a_needles_area_is_its_inserted_surface(diameter_um, length_um, cm2):
    cmm2 = needle_cmm2(diameter_um, length_um)
    assert round(cmm2 / 10_000, 3) == cm2
    exact = formulas.pi * diameter_um * length_um / 10_000
    assert exact - 1 < cmm2 <= exact  # rounded down: a density is never under-stated


def test_every_needle_and_pad_that_can_be_typed_has_an_area_that_can_be_sent():
    low, high = AREA_CMM2["needle"]
    assert low <= needle_cmm2(100, 5_000) and needle_cmm2(1_000, 150_000) <= high  # units.parse_needle's ends
    assert AREA_CMM2["skin"] == (100 * 100, 40_000 * 100)  # order.electrodes' ends, in mm2


@pytest.mark.req("REQ-060")
def test_an_electrode_that_nobody_tells_is_the_worst_case():
    assert area_cmm2(NEEDLE) == ASSUMED_CMM2["needle"] == needle_cmm2(160, 15_000)
    assert area_cmm2(BASE) == 250_000
    assert area_cmm2(NEEDLE_A) == 2_356


@pytest.mark.req("REQ-060")
@pytest.mark.parametrize(("us", "ma"), [(100, 36.4), (250, 14.6), (600, 6.1)])
def test_the_k_caps_of_needle_a(us, ma):
    cfg = dict(NEEDLE_A, width_us=us, period_us=500_000)
    assert round(caps(cfg)["k"] / 1000, 1) == ma


def test_a_needle_at_2_hz_250_us_10_ma_passes():
    cfg = dict(NEEDLE_A, period_us=500_000, width_us=250, amplitude_ua=10_000, ramp_up_ms=3_000, ramp_down_ms=2_000)
    assert limits.judge(cfg, BOARD) == [] and limits.warnings(cfg, BOARD) == []


@pytest.mark.req("REQ-060")
def test_the_same_at_20_ma_is_beyond_k_charge_density_and_current_density():
    cfg = dict(NEEDLE_A, period_us=500_000, width_us=250, max_ua=20_000, amplitude_ua=20_000)
    found = caps(cfg)
    assert all(found[name] < 20_000 for name in ("k", "charge_density", "current_density"))
    assert min(found["rms"], found["energy"], found["power_density"]) > 20_000


@pytest.mark.req("REQ-062")
@pytest.mark.parametrize(
    "cfg",
    [
        dict(SLOW, area_cmm2=250_000, period_us=10_000, width_us=100, max_ua=40_000, amplitude_ua=40_000),
        dict(
            SLOW, area_cmm2=500_000, period_us=20_000, width_us=400, max_ua=100_000, amplitude_ua=100_000, mode="nmes"
        ),
    ],
)
def test_the_vectors_on_skin_pass_where_the_board_can(cfg):
    assert limits.judge(cfg, STRONG) == []


# cfg, the limit it is for, and the cap by hand: I in mA of 20 uC/cm2 * A / w, of 2 mA/cm2 * A / sqrt(2w/T) and so on
DENSE_PADS = dict(SLOW, mode="nmes", max_ua=100_000, period_us=3_681, width_us=1_023, gap_us=255)
EACH_FORMULA = [
    ("k", dict(NEEDLE_A, period_us=500_000, width_us=600), 10 ** (1.75 / 2) * 0.2356**0.5 / 0.6),
    ("charge_density", dict(NEEDLE, area_cmm2=754, period_us=500_000, width_us=250, dense_ok=1), 20 * 0.0754 / 0.25),
    ("rms", dict(DENSE_PADS, area_cmm2=2_500_000), 50 / (2 * 1_023 / 3_681) ** 0.5),
    ("energy", dict(NEEDLE_A, width_us=1_023, period_us=500_000), (300e9 / 1_000 / 1_023) ** 0.5),
    ("power_density", dict(DENSE_PADS, area_cmm2=10_000, dense_ok=1), (0.25 / 500) ** 0.5 * 1e3 / 0.55585**0.5),
    ("current_density", dict(NEEDLE_A, period_us=10_000, width_us=200), 2 * 0.2356 / 0.04**0.5),
]


@pytest.mark.req("REQ-062")
@pytest.mark.parametrize(("name", "cfg", "ma"), EACH_FORMULA, ids=[name for name, _, _ in EACH_FORMULA])
def test_each_formulas_cap_is_the_one_computed_by_hand(name, cfg, ma):
    cap_ua = caps(cfg)[name]
    assert cap_ua == pytest.approx(ma * 1000, rel=3e-5, abs=1)
    if name != "energy":  # never binds
        cfg = dict(cfg, max_ua=100_000)
        assert limits.amplitude_max_ua(cfg, STRONG) == (name, cap_ua)
        assert codes(dict(cfg, amplitude_ua=cap_ua), STRONG) == []
        assert limits.judge(dict(cfg, amplitude_ua=cap_ua + 1), STRONG) == [
            ("limit_" + name, "amplitude_ua", cap_ua + 1, cap_ua)
        ]


@pytest.mark.req("REQ-062")
def test_only_the_current_density_is_lifted_by_an_acknowledgement():
    cfg = dict(NEEDLE_A, period_us=10_000, width_us=200, max_ua=20_000, amplitude_ua=5_000)
    assert codes(cfg) == ["limit_current_density"]
    assert codes(dict(cfg, dense_ok=0)) == ["limit_current_density"]
    assert codes(dict(cfg, dense_ok=1)) == []
    assert caps(cfg).keys() - caps(dict(cfg, dense_ok=1)).keys() == {"current_density"}
    beyond = dict(
        cfg, amplitude_ua=11_000, ramp_up_ms=2_000, ramp_down_ms=2_000
    )  # a firm limit too: what passes is told
    assert limits.judge(beyond, BOARD) == [("limit_current_density", "amplitude_ua", 11_000, 2_356)]
    assert limits.judge(dict(beyond, dense_ok=1), BOARD) == [("limit_electrode", "amplitude_ua", 11_000, 10_000)]


@pytest.mark.parametrize("ua", [(1 << 30) - 2, 100_001, 50_001, 20_001])
@pytest.mark.parametrize("cfg", [NEEDLE_A, dict(BASE, max_ua=100_000), dict(BASE, electrode="needle", area_cmm2=100)])
def test_the_bound_of_a_refusal_passes_however_far_the_amplitude_is_beyond(cfg, ua):
    [(code, field, value, bound)] = limits.judge(dict(cfg, amplitude_ua=ua), BOARD)
    assert code.startswith("limit_") and (field, value) == ("amplitude_ua", ua)
    assert limits.judge(dict(cfg, amplitude_ua=bound), BOARD) == []
    assert codes(dict(cfg, amplitude_ua=bound + 1)) == [code]


def test_the_rate_that_counts_is_the_one_in_the_burst():
    burst = dict(EACH_KIND["burst"], electrode="needle", mode="dnes", max_ua=10_000)
    continuous = dict(BASE, electrode="needle", mode="dnes", width_us=burst["width_us"], period_us=burst["period_us"])
    assert caps(burst)["current_density"] == caps(continuous)["current_density"]


def test_a_modulation_is_judged_at_its_densest_pulse_not_at_its_ends():
    cfg = dict(MODULATED, hi_millihz=100_000, lo_width_us=1_000, hi_width_us=100)
    ends = [
        dict(BASE, period_us=500_000, width_us=1_000),
        dict(BASE, period_us=10_000, width_us=100),
    ]
    assert caps(cfg)["rms"] < 0.84 * min(caps(end)["rms"] for end in ends)  # duty 1.42 times that of either end


@pytest.mark.parametrize(("ua", "found"), [(7_929, []), (7_930, ["warn_k"])])
def test_k_between_1_5_and_1_75_is_a_warning(ua, found):
    """By hand: 10^0.75 * sqrt(0.157 cm2) / 0.281 ms = 7.9294 mA."""
    cfg = dict(NEEDLE, area_cmm2=1_570, width_us=281, period_us=500_000, ramp_up_ms=3_000, ramp_down_ms=3_000)
    assert (formulas.k(ua / 1000, 281, 0.157) > 1.5) == bool(found)
    assert codes(dict(cfg, amplitude_ua=ua)) == []
    assert [code for code, *_ in limits.warnings(dict(cfg, amplitude_ua=ua), BOARD)] == found


@pytest.mark.req("REQ-105")
def test_an_active_output_and_an_acknowledged_density_are_warnings():
    assert limits.warnings(dict(SLOW, max_ua=20_000, amplitude_ua=10_001), BOARD) == [
        ("output_active", "amplitude_ua", 10_001, 10_000)
    ]
    cfg = dict(NEEDLE_A, period_us=10_000, width_us=200, amplitude_ua=2_357, dense_ok=1)
    assert limits.warnings(cfg, BOARD) == [("limit_current_density", "amplitude_ua", 2_357, 2_356)]


@pytest.mark.req("REQ-060")
def test_an_area_fits_its_electrode_and_an_acknowledgement_is_yes_or_no():
    for cfg, low, high in ((NEEDLE, 100, 50_000), (BASE, 10_000, 4_000_000)):
        assert not set(codes(dict(cfg, area_cmm2=low))) & {"too_low", "too_high"}
        assert codes(dict(cfg, area_cmm2=low - 1)) == ["too_low"]
        assert codes(dict(cfg, area_cmm2=high + 1)) == ["too_high"]
    for name in ("area_cmm2", "dense_ok"):
        for wrong in (None, True, 1.5, "100"):
            assert codes(dict(NEEDLE, **{name: wrong})) == ["wrong_type"]
    assert codes(dict(NEEDLE, dense_ok=2)) == ["too_high"]


# -- all channels together -----------------------------------------------------------------------------------------


@pytest.mark.req("REQ-061")
def test_channels_that_pass_alone_are_refused_together_with_the_sum():
    cfg = dict(DENSE_PADS, area_cmm2=2_500_000, amplitude_ua=25_000)  # 18.64 mA RMS each
    assert limits.judge_all({1: cfg, 3: cfg}, STRONG) == []
    assert limits.judge_all({1: cfg, 2: cfg, 3: cfg}, STRONG) == [(None, "limit_rms_sum", "rms_ua", 55_917, 50_000)]
    assert formulas.rms_ma(25, 1_023, 1e6 / 3_681) == pytest.approx(18.639, abs=1e-3)


def test_a_channels_own_refusal_comes_with_its_number_and_before_the_sums():
    good = dict(DENSE_PADS, area_cmm2=2_500_000, amplitude_ua=25_000)
    configs = {2: dict(good, amplitude_ua=70_000), 1: good, 3: None}
    assert [(n, code) for n, code, *_ in limits.judge_all(configs, STRONG)] == [(2, "limit_rms"), (3, "wrong_type")]


def test_pulses_that_fall_together_reach_the_plain_sum_so_nothing_less_would_do():
    """RMS of the summed waveform, sampled each us, against the sum of the channels' RMS: equal when they coincide."""
    period_us, width_us = 4_000, 400
    waves = [[ma if us < 2 * width_us else 0 for us in range(period_us)] for ma in (10, 20, 30)]
    together = (sum(sum(each) ** 2 for each in zip(*waves, strict=True)) / period_us) ** 0.5
    assert together == pytest.approx(sum(formulas.rms_ma(ma, width_us, 250) for ma in (10, 20, 30)))


@pytest.mark.parametrize("name", boards.names())
def test_the_energy_of_all_channels_of_a_board_at_once_is_within_the_limit(name):
    """Which is why it needs no rule: the widest phase, every channel at its rating, into the same 500 ohm."""
    board = boards.load(name)
    ma = board["max_ua"] / 1000 * len(board["channels"])
    assert ma**2 * 500 * 2 * 1_023 * 1e-9 <= limits.ENERGY_MAX_MJ


@pytest.mark.parametrize(("ua", "passes_ua"), [(0, 67_064), (30_000, 37_064), (67_064, 0)])
def test_what_the_others_leave_bounds_a_channel(ua, passes_ua):
    shape = (3_681, 1_023)
    name, most_ua = limits.beside(("board", 90_000), shape, [(ua, shape)])
    assert name == "rms_sum" and abs(most_ua - passes_ua) <= 3
    assert limits.beside(("board", 0), shape, [(ua, shape)]) == ("board", 0)


# -- to the last digit: docs/safety/mutants.md ----------------------------------------------------------------------


def test_the_caps_in_q_times_d_are_the_powers_of_ten_rounded_down():
    """10^(8 + 1.75) to the fourth is 10^39, 10^(8 + 1.5) squared is 10^19."""
    assert limits.K_MAX_E8**4 <= 10**39 < (limits.K_MAX_E8 + 1) ** 4
    assert limits.K_WARN_E8**2 <= 10**19 < (limits.K_WARN_E8 + 1) ** 2


@pytest.mark.parametrize(("mode", "most_ua"), [("tens", 60_000), ("nmes", 100_000), ("dnes", 60_000)])
def test_the_electrodes_cap_on_skin_is_its_modes_and_on_needles_10_ma(mode, most_ua):
    assert caps(dict(SLOW, mode=mode))["electrode"] == most_ua
    assert caps(dict(SLOW, mode=mode, electrode="needle"))["electrode"] == 10_000


@pytest.mark.parametrize(("mode", "most_ms"), [("tens", 3_600_000), ("nmes", 1_800_000), ("dnes", 1_800_000)])
def test_the_longest_session_on_skin_is_its_modes_and_on_needles_30_min_whatever_the_mode(mode, most_ms):
    assert limits.duration_max_ms(dict(BASE, mode=mode)) == most_ms
    assert limits.duration_max_ms(dict(BASE, mode=mode, electrode="needle")) == 1_800_000


def test_a_session_too_long_is_refused_with_the_longest_that_passes():
    found = limits.judge(dict(NEEDLE, duration_ms=1_800_001), BOARD)
    assert found == [("limit_duration", "duration_ms", 1_800_001, 1_800_000)]


@pytest.mark.parametrize(("electrode", "step_ua"), [("needle", 200), ("skin", 1_000)])
def test_one_raise_adds_200_ua_on_needles_and_1_ma_on_skin_and_no_microampere_more(electrode, step_ua):
    cfg = dict(BASE, electrode=electrode, mode="dnes", area_cmm2=10_000)
    channel = Channel(1, cfg, (array("H", bytes(4 * feeder.SIZE)), 0), BOARD)
    assert channel.refuses(1_000 + step_ua, [channel], True) is None
    refusal = channel.refuses(1_001 + step_ua, [channel], True)
    assert (refusal["why"], refusal["bound"]) == ("limit_step", 1_000 + step_ua)


def test_the_energy_cap_is_exact_where_it_is_a_whole_number():
    """A phase of 3 us: 300 mJ are I^2 * 3e-12, so I = 1e7 uA."""
    assert caps(dict(SLOW, width_us=3))["energy"] == 10_000_000


def test_of_caps_alike_the_first_is_named():
    assert limits.lowest([("preset", 5), ("board", 5), ("slew", 5)]) == ("preset", 5)
    assert limits.lowest([("preset", 9), ("board", 5), ("slew", 7), ("rms", 5)]) == ("board", 5)


def test_what_the_others_leave_is_named_only_where_it_is_less_and_is_nothing_once_they_have_all():
    shape = (4_000, 500)  # RMS is half of the amplitude
    assert limits.beside(("board", 60_000), shape, [(40_000, shape)]) == ("board", 60_000)
    assert limits.beside(("board", 60_001), shape, [(40_000, shape)]) == ("rms_sum", 60_000)
    assert limits.beside(("board", 60_000), shape, [(100_004, shape)]) == ("rms_sum", 0)


def test_together_exactly_50_ma_rms_pass_and_the_next_step_does_not():
    cfg = dict(SLOW, mode="nmes", max_ua=100_000, width_us=500, period_us=4_000, area_cmm2=2_500_000)
    half = dict(cfg, amplitude_ua=50_000)  # 25 mA RMS
    assert limits.judge_all({1: half, 2: half}, STRONG) == []
    assert limits.judge_all({1: half, 2: dict(half, amplitude_ua=50_002)}, STRONG) == [
        (None, "limit_rms_sum", "rms_ua", 50_001, 50_000)
    ]


def test_refusals_of_several_channels_come_in_their_order():
    bad = dict(BASE, width_us=0)
    assert [found[0] for found in limits.judge_all({3: bad, 1: bad, 2: bad}, BOARD)] == [1, 2, 3]


def test_k_is_no_warning_on_skin_and_a_density_only_one_once_it_is_acknowledged():
    skin = dict(SLOW, width_us=1_000, amplitude_ua=30_000)
    assert formulas.k(30, 1_000, 25) > 1.5
    assert [code for code, *_ in limits.warnings(skin, BOARD)] == ["output_active"]
    dense = dict(NEEDLE_A, period_us=10_000, width_us=100, amplitude_ua=3_400)  # 2 * 0.2356 / 0.02^0.5 = 3.332
    assert limits.warnings(dense, BOARD) == []
    assert limits.warnings(dict(dense, dense_ok=1), BOARD) == [("limit_current_density", "amplitude_ua", 3_400, 3_331)]
