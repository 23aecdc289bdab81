"""Forked cases: results, exceptions and hangs come back, and nothing a case does reaches the next."""

import os
import time

import pytest
from rheobase.emulator.snapshot import ChildFailed, ChildTimeout, in_child

state = []


def add(item):
    state.append(item)
    return list(state)


def fail(text):
    raise ValueError(text)


def hang():
    time.sleep(60)


def die():
    os._exit(3)


def unpicklable():
    return lambda: 0


def big():
    return b"x" * 3_000_000


def test_the_result_comes_back_and_the_state_does_not():
    assert in_child(add, 1) == [1]
    assert in_child(add, 2) == [2]
    assert state == []


def test_an_exception_comes_back_with_its_traceback():
    with pytest.raises(ChildFailed, match="in fail\n    raise ValueError.text.\nValueError: no such thing") as caught:
        in_child(fail, "no such thing")
    assert isinstance(caught.value.original, ValueError)


def test_a_case_that_hangs_is_ended():
    start = time.monotonic()
    with pytest.raises(ChildTimeout, match="hang took more than 0.3 s"):
        in_child(hang, timeout_s=0.3)
    assert time.monotonic() - start < 5


def test_a_case_whose_process_dies_is_told():
    with pytest.raises(ChildTimeout, match="status"):
        in_child(die)


def test_a_result_that_cannot_travel_is_told():
    with pytest.raises(ChildFailed, match="cannot be pickled"):
        in_child(unpicklable)


def test_a_large_result_comes_back():
    assert len(in_child(big)) == 3_000_000


class Proud(ValueError):
    """An exception that pickles and does not come back: its arguments are not those of its constructor."""

    def __init__(self, first, second):
        super().__init__(first)


def fail_proudly():
    raise Proud("one", "two")


def test_an_exception_that_cannot_come_back_is_told_with_its_traceback():
    with pytest.raises(ChildFailed, match="in fail_proudly"):
        in_child(fail_proudly)
