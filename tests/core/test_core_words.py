"""The tables of words: reasons and faults are the contract's, every error has a sentence that its parameters fill."""

import string

import pytest
from rheocore import config, faults, messages
from rheocore.session import HARD

CONTRACT = [
    "time_over",
    "stop_command",
    "operator_key",
    "operator_interrupt",
    "host_lost",
    "host_break",
    "interlock_open",
    "electrode_open",
    "electrode_short",
    "amplitude_error",
    "limit",
    "auto_disarm",
    "host_error",
    "terminal_lost",
    "terminated",
    "starved",
    "cutoff",
    "watchdog",
    "reset",
    "supply_low",
    "clock",
    "self_test",
    "underrun",
    "internal",
]


def test_reasons_and_faults_are_the_contracts_list():
    assert sorted([*faults.ENDS, *faults.FAULTS]) == sorted(CONTRACT)
    assert not set(faults.ENDS) & set(faults.FAULTS)
    assert set(messages.STOP_REASONS) < set(faults.ENDS)
    assert set(HARD) < set(faults.FAULTS)


@pytest.mark.req("REQ-104")
@pytest.mark.parametrize("name", CONTRACT)
def test_every_reason_has_a_sentence_and_every_fault_a_remedy(name):
    assert faults.sentence(name).endswith(".")
    assert bool(faults.remedy(name)) == (name in faults.FAULTS)


def test_a_word_nobody_knows_is_its_own_sentence():
    assert (faults.sentence("odd"), faults.remedy("odd")) == ("odd", "")


def test_error_codes_are_distinct_and_in_json_rpcs_range():
    codes = [code for code, _, _ in messages.ERRORS.values()]
    assert len(set(codes)) == len(codes)
    assert all(-32768 <= code <= -32000 for code in codes)


@pytest.mark.parametrize("name", sorted(messages.ERRORS))
def test_every_error_says_what_and_what_to_do_in_ascii(name):
    _, sentence, remedy = messages.ERRORS[name]
    assert sentence.endswith(".") and remedy.endswith(".") and (sentence + remedy).isascii()
    assert all(field is None or field.isidentifier() for _, field, _, _ in string.Formatter().parse(sentence))


def test_live_states_are_states_and_methods_name_types():
    assert set(messages.LIVE) < set(messages.STATES)
    assert set(messages.ALWAYS) < set(messages.METHODS)
    for wanted in messages.METHODS.values():
        for kind in wanted.values():
            assert (kind[0] if isinstance(kind, tuple) else kind) in (int, str, list, dict)


def test_the_contracts_times():
    assert (messages.KEEPALIVE_MS, messages.ARM_MS, messages.PAUSE_MS) == (1_000, 60_000, 300_000)
    assert messages.CUTOFF_MARGIN_MS == 250


def test_the_schemas_ranges_are_the_contracts():
    assert config.FIELDS["width_us"][:2] == (1, 1023)
    assert config.FIELDS["gap_us"][:2] == (3, 255)
    assert config.FIELDS["period_us"][:2] == (2_500, 1_000_000)  # 400 Hz .. 1 Hz
    assert config.FIELDS["ramp_up_ms"][0] == config.FIELDS["ramp_down_ms"][0] == 500
