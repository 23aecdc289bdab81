"""The protocol document: every refusal names the key, the value, the bound and the fix; what passes can be played."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rheobase import library
from rheocore import config
from rheocore.plan import Plan
from rheocore.protocol import ProtocolError, compact, nearest, validate

GOOD = {
    "schema": 1,
    "id": "mine",
    "title": "Mine",
    "mode": "dnes",
    "electrode": "needle",
    "train": {"kind": "continuous", "frequency_hz": 2, "width_us": 250, "gap_us": 50},
    "envelope": {"ramp_up_s": 3, "ramp_down_s": 2},
    "session": {"duration_s": 1200},
    "limits": {"max_ma": 10},
}
DUTY = {"on_s": 10, "off_s": 50, "contractions": 15}
MODULATED = {"kind": "modulated", "frequency_hz": [2, 125], "width_us": [200, 100], "cycle_s": 12}
ALTERNATING = {"kind": "alternating", "alt_frequency_hz": 100, "dwell_s": 3}
BURST = {"kind": "burst", "frequency_hz": 100, "burst_hz": 2, "burst_pulses": 8}
GONE = object()


def doc(**changes):
    """GOOD with changes: a dict changes a section's keys, GONE removes."""
    out = copy.deepcopy(GOOD)
    for key, value in changes.items():
        if value is GONE:
            del out[key]
        elif isinstance(value, dict) and isinstance(out.get(key), dict):
            out[key].update(value)
            out[key] = {k: v for k, v in out[key].items() if v is not GONE}
        else:
            out[key] = value
    return out


def refusal(**changes):
    with pytest.raises(ProtocolError) as caught:
        validate(doc(**changes))
    return caught.value


def test_defaults_are_filled_in_and_whole_numbers_are_integers():
    checked = validate(doc(limits={"max_ma": 10.0}))
    assert (checked["pairs"], checked["bench"], checked["conditions"], checked["source"]) == (1, False, [], [])
    assert checked["limits"] == {"max_ma": 10}
    assert isinstance(checked["limits"]["max_ma"], int)
    assert validate(checked) == checked  # a checked protocol is a document


@pytest.mark.parametrize(
    ("changes", "path", "value", "bound", "hint"),
    [
        ({"train": {"width_us": 2000}}, "train.width_us", "2000", "1023 us", "1 to 1023 us"),
        ({"train": {"width_us": 0}}, "train.width_us", "0", "1 us", "1 to 1023 us"),
        ({"train": {"width_us": 20.5}}, "train.width_us", "20.5", "whole number", "1 to 1023 us"),
        ({"train": {"width_us": "200us"}}, "train.width_us", '"200us"', "not a number", "in the key's name"),
        ({"train": {"width_us": True}}, "train.width_us", "true", "not a number", "1 to 1023 us"),
        ({"train": {"gap_us": 2}}, "train.gap_us", "2", "3 us", "3 to 255 us"),
        ({"train": {"gap_us": 256}}, "train.gap_us", "256", "255 us", "3 to 255 us"),
        ({"train": {"frequency_hz": 0.9}}, "train.frequency_hz", "0.9", "1 Hz", "1 to 400 Hz"),
        ({"train": {"frequency_hz": 401}}, "train.frequency_hz", "401", "400 Hz", "1 to 400 Hz"),
        ({"train": {"frequency_hz": -3}}, "train.frequency_hz", "-3", "below 1 Hz", "1 to 400 Hz"),
        ({"train": {"frequency_hz": float("nan")}}, "train.frequency_hz", "nan", "finite", "1 to 400 Hz"),
        ({"train": {"frequency_hz": float("inf")}}, "train.frequency_hz", "inf", "finite", "1 to 400 Hz"),
        ({"envelope": {"ramp_up_s": 0.4}}, "envelope.ramp_up_s", "0.4", "0.5 s", "0.5 to 60 s"),
        ({"limits": {"max_ma": 101}}, "limits.max_ma", "101", "100 mA", "0 to 100 mA"),
        ({"session": {"duration_s": 1801}}, "session.duration_s", "1801", "1800 s", "1800 s or less"),
        ({"pairs": 7}, "pairs", "7", "6", "1 to 6"),
        ({"mode": "dens"}, "mode", '"dens"', "dnes, tens, nmes", '"dnes"'),
        ({"electrode": 3}, "electrode", "3", "needle, skin", "needle"),
        ({"train": {"kind": "continous"}}, "train.kind", '"continous"', "continuous", '"continuous"'),
        ({"schema": 2}, "schema", "2", "1", "newer rheo"),
        ({"id": "Mine!"}, "id", '"Mine!"', "not a name", "ea_2hz"),
        ({"title": ""}, "title", '""', "not a text", "72"),
        ({"bench": 1}, "bench", "1", "true or false", "bench = false"),
        ({"conditions": "sciatica"}, "conditions", "conditions", "not a list", '["sciatica"]'),
    ],
)
def test_a_value_out_of_bounds_is_named_with_its_bound_and_the_fix(changes, path, value, bound, hint):
    error = refusal(**changes)
    assert error.path == path
    assert error.message.startswith(path)
    assert value in error.message and bound in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("changes", "path", "near"),
    [
        ({"titel": "x"}, "titel", "title"),
        ({"train": {"widht_us": 3}}, "train.widht_us", "width_us"),
        ({"train": {"width": 3}}, "train.width", "width_us"),
        ({"envelope": {"ramp_s": 3}}, "envelope.ramp_s", "ramp_up_s"),
        ({"session": {"duration": 3}}, "session.duration", "duration_s"),
        ({"limits": {"max_a": 3}}, "limits.max_a", "max_ma"),
        ({"sources": []}, "sources", "source"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(changes, path, near):
    error = refusal(**changes)
    assert (error.code, error.path) == ("unknown_key", path)
    assert near in error.hint


def test_a_key_like_no_other_is_refused_with_all_known_ones():
    assert "frequency_hz, width_us" in refusal(train={"zzz": 1}).hint


@pytest.mark.parametrize(
    "path",
    [
        *("schema", "id", "title", "mode", "electrode", "train", "envelope", "limits", "session.duration_s"),
        *("train.kind", "train.frequency_hz", "train.width_us", "train.gap_us", "limits.max_ma"),
        *("envelope.ramp_up_s", "envelope.ramp_down_s"),
    ],
)
def test_a_missing_key_is_named_with_an_example(path):
    section, _, key = path.partition(".")
    error = refusal(**{section: {key: GONE} if key else GONE})
    assert (error.code, error.path) == ("missing_key", path)
    assert "for example" in error.hint


def test_a_key_of_another_kind_is_refused_not_ignored():
    error = refusal(train={"burst_hz": 2})
    assert error.path == "train.burst_hz"
    assert "belongs to kind burst" in error.message
    for kind, keys in (
        (BURST, "burst_hz burst_pulses"),
        (ALTERNATING, "alt_frequency_hz dwell_s"),
        (MODULATED, "cycle_s"),
    ):
        for key in keys.split():
            assert refusal(train={**kind, key: GONE}).code == "missing_key"


def test_modulated_trains_take_pairs_and_others_do_not():
    assert "is a list" in refusal(train={"frequency_hz": [2, 100]}).message
    assert "not a pair" in refusal(train={**MODULATED, "frequency_hz": 2}).message
    assert "not a pair" in refusal(train={**MODULATED, "width_us": [1, 2, 3]}).message
    assert "falls" in refusal(train={**MODULATED, "frequency_hz": [125, 2]}).message


def test_what_fits_key_by_key_but_not_together_is_refused():
    error = refusal(train={"frequency_hz": 400, "width_us": 600})
    assert "2500 us" in error.message and "2625 us" in error.message
    assert "50 at most" in refusal(train={**BURST, "burst_pulses": 255}).message
    assert "5 s together" in refusal(session={"duration_s": 4}).message
    assert "5 s together" in refusal(envelope={"on_s": 4, "off_s": 50}).message


def test_contractions_give_the_session_its_length():
    checked = validate(doc(envelope=DUTY, session=GONE))
    assert checked["session"]["duration_s"] == 15 * 60
    assert validate(doc(envelope=DUTY, session={"duration_s": 120}))["session"]["duration_s"] == 120


def test_a_session_longer_than_its_contractions_is_refused_naming_both():
    error = refusal(envelope=DUTY, session={"duration_s": 1000})
    assert "session.duration_s = 1000" in error.message
    assert "envelope.contractions = 15" in error.message and "900 s" in error.message


def test_on_off_and_contractions_need_each_other():
    assert refusal(envelope={"on_s": 10}).path == "envelope.off_s"
    assert refusal(envelope={"off_s": 10}).path == "envelope.on_s"
    assert refusal(envelope={"contractions": 10}).path == "envelope.on_s"


def test_sources_are_checked_and_named_by_their_place():
    good = {"tag": "V", "for": ["width_us"], "cite": "A paper"}
    assert validate(doc(source=[good]))["source"] == [good]
    assert refusal(source=[good, {**good, "tag": "X"}]).path == "source[2].tag"
    assert "width_us" in refusal(source=[{**good, "for": ["widht_us"]}]).hint
    assert refusal(source=[{"tag": "V", "cite": "x"}]).path == "source[1].for"
    assert refusal(source=[{**good, "page": 3}]).path == "source[1].page"


@pytest.mark.parametrize(
    ("hertz", "period_us"), [(2.5, 400_000), (3, 333_333), (7, 142_857), (15, 66_667), (400, 2_500)]
)
def test_the_period_is_the_whole_us_nearest_to_the_rate(hertz, period_us):
    assert compact(validate(doc(train={"frequency_hz": hertz})), 0)["period_us"] == period_us


def test_the_compact_form_of_every_kind_is_what_the_device_takes():
    assert compact(validate(doc()), 2000) == {
        "kind": "continuous",
        "mode": "dnes",
        "electrode": "needle",
        "bench": False,
        "period_us": 500_000,
        "width_us": 250,
        "gap_us": 50,
        "ramp_up_ms": 3000,
        "ramp_down_ms": 2000,
        "duration_ms": 1_200_000,
        "max_ua": 10_000,
        "amplitude_ua": 2000,
    }
    burst = compact(validate(doc(train=BURST)), 0)
    assert (burst["period_us"], burst["burst_period_us"], burst["burst_pulses"]) == (10_000, 500_000, 8)
    alternating = compact(validate(doc(train=ALTERNATING)), 0)
    assert (alternating["period_us"], alternating["alt_period_us"], alternating["dwell_ms"]) == (500_000, 10_000, 3000)
    modulated = compact(validate(doc(train=MODULATED)), 0)
    assert (modulated["lo_millihz"], modulated["hi_millihz"], modulated["cycle_ms"]) == (2000, 125_000, 12_000)
    assert (modulated["lo_width_us"], modulated["hi_width_us"]) == (200, 100)
    duty = compact(validate(doc(envelope=DUTY, session=GONE)), 0)
    assert (duty["on_ms"], duty["off_ms"], duty["duration_ms"]) == (10_000, 50_000, 900_000)


def test_a_session_may_be_shortened_but_not_lengthened_and_an_amplitude_is_the_limits_to_judge():
    checked = validate(doc())
    assert compact(checked, 10_000, 10_000)["duration_ms"] == 10_000
    with pytest.raises(ProtocolError) as caught:
        compact(checked, 0, 1_200_001)
    assert caught.value.code == "limit_duration" and "1200 s" in caught.value.message
    assert compact(checked, 10_001)["amplitude_ua"] == 10_001


numbers = st.one_of(
    st.integers(-10, 2000),
    st.floats(0, 500),
    st.sampled_from([0.5, 1, 2.5, 400, 1023, float("inf"), float("nan"), "2", None]),
)
trains = st.fixed_dictionaries(
    {"kind": st.sampled_from([*config.KINDS, "x"])},
    optional={
        "frequency_hz": st.one_of(numbers, st.lists(numbers, max_size=3)),
        "width_us": st.one_of(numbers, st.lists(st.integers(0, 1100), max_size=3)),
        "gap_us": numbers,
        "burst_hz": numbers,
        "burst_pulses": numbers,
        "alt_frequency_hz": numbers,
        "dwell_s": numbers,
        "cycle_s": numbers,
    },
)
envelopes = st.dictionaries(
    st.sampled_from(["ramp_up_s", "ramp_down_s", "on_s", "off_s", "contractions", "x"]), numbers
)


@settings(max_examples=300, deadline=None)
@given(trains, envelopes, st.dictionaries(st.sampled_from(["duration_s", "x"]), numbers))
def test_any_document_is_played_or_refused_with_a_sentence(train, envelope, session):
    try:
        checked = validate({**GOOD, "train": train, "envelope": envelope, "session": session})
    except ProtocolError as error:
        assert error.path and error.message and error.hint
        return
    cfg = compact(checked, 0)
    config.check(cfg)
    assert Plan(cfg).next()


def test_any_shape_at_all_is_refused_with_a_sentence():
    for junk in (None, 3, [], "x", {}, {"schema": 1, "id": []}, {1: 2}):
        with pytest.raises(ProtocolError):
            validate(junk)
    for key in GOOD:
        for junk in (None, 3, [3], "x", {"x": 1}, [[]]):
            if (key in ("id", "title") and junk == "x") or junk == GOOD[key]:
                continue
            with pytest.raises(ProtocolError):
                validate({**GOOD, key: junk})


@pytest.mark.parametrize("evil", ["\x1b]0;owned\x07", "\x1b[2J", "a\nb", "a\tb", "\x7f", "\x9b31m", "\x00"])
def test_no_text_of_a_protocol_holds_what_a_terminal_obeys(evil):
    """Refused with the key's name, and no refusal repeats it."""
    source = {"tag": "G", "for": ["width_us"], "cite": "A, " + evil}
    for path, changes in (
        ("title", {"title": "T" + evil}),
        ("source[1].cite", {"source": [source]}),
        ("id", {"id": "t" + evil}),
        ("conditions", {"conditions": ["c" + evil]}),
        ("mode", {"mode": evil}),
        ("train.kind", {"train": {"kind": evil}}),
        ("limits.max_ma", {"limits": {"max_ma": evil}}),
        ("source[1].tag", {"source": [{**source, "tag": evil}]}),
        ("source[1].for", {"source": [{**source, "for": [evil]}]}),
    ):
        error = refusal(**changes)
        assert error.path == path and path in error.message
        assert all(c.isprintable() for c in error.message + error.hint)
    error = refusal(**{"k" + evil: 1})
    assert all(c.isprintable() for c in error.path + error.message + error.hint)


def test_the_nearest_word_is_the_one_with_fewest_edits_or_none():
    known = ("width_us", "gap_us", "frequency_hz")
    assert nearest("freqency_hz", known) == "frequency_hz"
    assert nearest("Width_us", known) == "width_us"
    assert nearest("amplitude", known) is None


def test_ramps_fit_into_a_shortened_session_and_only_there():
    """Both are shortened alike, never below 0.5 s; the protocol's own length never changes them."""
    preset = library.load("tens_conventional")
    own = compact(preset, 1000)
    for duration_ms, ramps_ms in (
        (10_000, (4000, 4000)),
        (8_000, (4000, 4000)),
        (2_000, (1000, 1000)),
        (1_000, (500, 500)),
    ):
        cfg = compact(preset, 1000, duration_ms)
        assert (cfg["ramp_up_ms"], cfg["ramp_down_ms"]) == ramps_ms
    assert (own["ramp_up_ms"], own["ramp_down_ms"]) == (4000, 4000)
    uneven = dict(preset, envelope={"ramp_up_s": 5, "ramp_down_s": 0.5})
    cfg = compact(uneven, 1000, 2_000)
    assert (cfg["ramp_up_ms"], cfg["ramp_down_ms"]) == (1500, 500)
