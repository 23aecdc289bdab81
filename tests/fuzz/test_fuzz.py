"""A part of the fuzz runs, small enough for every run of the suite; `make fuzz` has the million. The seeds are fixed.

Each run holds more claims than can be read here: device.py, host.py and board.py say what must hold after a line.
"""

import pytest
from fuzz import runs
from fuzz.mutate import Mutator, corpus
from rheocore import frames, messages


@pytest.mark.req("REQ-080")
def test_20000_mutants_at_the_devices_parser_crash_nothing_and_execute_nothing_twice():
    counts = runs.device(20_000, 1)
    assert counts["live"] > 3_000 and counts["executed"] > 3_000, "it never got anywhere: this run is blind"


def test_20000_mutants_at_the_hosts_parser_bring_nothing_but_its_own_errors():
    counts = runs.host(20_000, 1)
    assert min(counts.values()) > 500, "it never got anywhere: this run is blind"


@pytest.mark.skipif(runs.micropython_path() is None, reason="the MicroPython Unix VM is not installed")
def test_10000_mutants_at_the_devices_parser_under_micropython_and_it_keeps_no_memory_of_them():
    counts = runs.micropython(10_000, 1)
    assert counts["live"] > 1_500 and counts["bytes_kept"] < 20_000


@pytest.mark.req("REQ-080")
def test_some_mutants_at_the_real_image_and_then_a_session_of_three_channels_to_its_end():
    counts = runs.image(40, 7)
    assert counts["answers"] > 25


def test_the_corpus_has_every_method_every_answer_and_every_notification():
    sent = [frames.decode(line)[0] for line in corpus("to_device")]
    assert {message["method"] for message in sent if message} >= {*messages.METHODS, "ack"}
    heard = [frames.decode(line)[0] for line in corpus("to_host")]
    assert {message.get("method") for message in heard} == {None, "tel", "event"}
    refused = {message["error"]["message"] for message in heard if "error" in message}
    assert refused >= {"parse_error", "bad_crc", "stale_id", "hello_first", "refused", "bad_token", "fault"}
    results = [message["result"] for message in heard if "result" in message]
    for names in (messages.INFO, messages.STATUS, messages.RESULT, messages.CAPTURED, messages.INSPECT):
        assert any(set(names) == set(result) for result in results)


def test_half_of_the_mutants_have_the_right_crc_and_the_same_seed_makes_the_same_ones():
    made = [Mutator(corpus("to_device"), 5) for _ in range(2)]
    first, second = ([mutator.mutant() for _ in range(2_000)] for mutator in made)
    assert first == second
    errors = [frames.decode(line)[1] for line in first]
    sealed = [line[-9:-8] == b" " and error != frames.BAD_CRC for line, error in zip(first, errors, strict=True)]
    assert sum(sealed) > 1_000
    assert {None, frames.PARSE, frames.BAD_CRC} == set(errors)
