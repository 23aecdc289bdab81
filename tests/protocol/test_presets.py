"""The shipped presets: the clinical table's numbers, a tagged source for each number, and a plan for each preset."""

import pytest
from rheobase import boards, figures, library
from rheocore import config, limits
from rheocore.compact import compact
from rheocore.plan import Plan

# The table of published parameters: (rates in Hz, width in us, minutes) of each preset. None: see below.
TABLE = {
    "edn_2hz_neck": ([2], [250], 20),
    "edn_2hz_foot": ([2], [250], 20),
    "edn_2hz_knee": ([2], [250], 20),
    "edn_2hz_elbow": ([2], [250], 20),
    "edn_2hz_shoulder": ([2], [250], 15),
    "pens_2hz_120us": ([2], [120], 15),
    "pens_120hz_200us": ([120], [200], 15),
    "pens_15_30hz": ([15, 30], [250], 30),
    "pens_4hz": ([4], [250], 30),
    "pens_3hz": ([3], [250], 15),
    "ea_2hz": ([2], [300], 20),
    "ea_100hz": ([100], [200], 20),
    "ea_2_100hz": ([2, 100], [200], 30),
    "ea_2_15hz": ([2, 15], [250], 20),
    "ea_wrist_4pair": ([2], [250], 20),
    "tens_conventional": ([100], [100], 30),
    "tens_acupuncture": ([2], [200], 30),
    "tens_burst": ([100], [180], 30),
    "tens_brief_intense": ([125], [200], 15),
    "tens_modulated": ([2, 125], [200, 100], 30),
    "nmes_quadriceps": ([50], [300], 15),
    "nmes_quadriceps_tka": ([50], [250], 15),
}
FINDS = {  # the contract's table, letter by letter
    "muscle_pain": "ea_2hz tens_conventional",
    "carpal_tunnel": "ea_wrist_4pair",
    "plantar_fasciitis": "edn_2hz_foot",
    "tennis_elbow": "edn_2hz_elbow ea_2_15hz",
    "golfers_elbow": "edn_2hz_elbow ea_2_15hz",
    "tendonitis": "edn_2hz_shoulder edn_2hz_elbow",
    "achilles": "edn_2hz_shoulder",
    "rotator_cuff": "edn_2hz_shoulder",
    "shoulder_pain": "edn_2hz_shoulder",
    "sciatica": "pens_3hz pens_4hz ea_2_100hz",
    "headache": "edn_2hz_neck",
    "back_pain": "pens_15_30hz pens_4hz",
    "neck_pain": "edn_2hz_neck pens_2hz_120us pens_120hz_200us",
    "knee_pain": "edn_2hz_knee nmes_quadriceps_tka",
    "hip_pain": "pens_4hz tens_conventional",
}
PRESETS = sorted(TABLE)


def test_the_shipped_presets_are_those_of_the_table():
    assert library.shipped_ids() == PRESETS


@pytest.mark.req("REQ-068")
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_carries_the_numbers_of_the_table(name):
    preset = library.load(name)
    train = preset["train"]
    rates = train["frequency_hz"] if isinstance(train["frequency_hz"], list) else [train["frequency_hz"]]
    if "alt_frequency_hz" in train:
        rates = [*rates, train["alt_frequency_hz"]]
        assert train["dwell_s"] == 3
    widths = train["width_us"] if isinstance(train["width_us"], list) else [train["width_us"]]
    assert (rates, widths, preset["session"]["duration_s"] / 60) == TABLE[name]


def test_the_presets_with_more_numbers_carry_them():
    burst = library.load("tens_burst")["train"]
    assert (burst["burst_hz"], burst["burst_pulses"]) == (2, 8)
    assert library.load("tens_modulated")["train"]["cycle_s"] == 12
    quadriceps = library.load("nmes_quadriceps")["envelope"]
    assert quadriceps == {"ramp_up_s": 2, "ramp_down_s": 2, "on_s": 10, "off_s": 50, "contractions": 15}
    tka = library.load("nmes_quadriceps_tka")["envelope"]
    assert tka == {"ramp_up_s": 3, "ramp_down_s": 3, "on_s": 15, "off_s": 45, "contractions": 15}


@pytest.mark.req("REQ-068")
@pytest.mark.parametrize("name", PRESETS)
def test_every_number_of_a_preset_has_a_tagged_source(name):
    preset = library.load(name)
    cited = {key for source in preset["source"] for key in source["for"]}
    numbers = {"max_ma", "pairs", *preset["train"], *preset["envelope"]} - {"kind"}
    if "contractions" not in preset["envelope"]:
        numbers.add("duration_s")
    if preset["conditions"]:
        numbers.add("conditions")
    assert numbers - cited == set()


@pytest.mark.req("REQ-068")
@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_stays_under_its_electrodes_cap_and_time(name):
    preset = library.load(name)
    train = preset["train"]
    needle = preset["electrode"] == "needle"
    assert preset["limits"]["max_ma"] <= (10 if needle else {"tens": 60, "nmes": 100}[preset["mode"]])
    if needle:  # wider than 250 us: no more charge than 10 mA x 250 us
        assert preset["limits"]["max_ma"] * train["width_us"] <= 10 * 250
    assert preset["bench"] is False


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_compiles_into_a_plan_that_lasts_exactly_its_session(name):
    preset, board = library.load(name), boards.load()
    cfg = compact(preset, figures.limits_of(preset, board)["amplitude_max_ua"])
    assert config.check(cfg) is cfg
    assert limits.judge(cfg, board) == []  # its own maximum is allowed
    plan, total_us, pulses = Plan(cfg), 0, 0
    while plan.next():
        total_us += plan.dur_us
        pulses += plan.pulse
    assert total_us == cfg["duration_ms"] * 1000
    assert pulses == figures.derived(preset, board)["pulses"] > 0


@pytest.mark.parametrize("slug", sorted(FINDS))
def test_a_condition_finds_the_presets_of_the_contract(slug):
    found, problems = library.catalogue(condition=slug)
    assert {p["id"] for p in found} == set(FINDS[slug].split())
    assert problems == []


def test_no_preset_carries_a_condition_beyond_the_contract():
    carried = {c for name in PRESETS for c in library.load(name)["conditions"]}
    assert carried == set(FINDS)
