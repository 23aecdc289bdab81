"""Nothing that a plan computes leaves MicroPython's 31-bit small integers while its times are below 2**30 us.

On the board a larger integer is a heap object, and so is all that is computed from it, however small. `Narrow` is an
integer that refuses to grow; a configuration made of such integers carries it through the whole plan.
"""

from array import array
from random import Random

import pytest
from core.draw import BASE, EACH_KIND, PROPERTY, train
from hypothesis import given
from hypothesis import strategies as st
from rheobase import library
from rheocore import config
from rheocore.compact import compact
from rheocore.envelope import Envelope
from rheocore.feeder import Feeder
from rheocore.plan import Plan

LIMIT = 1 << 30
DYADIC = ["add", "sub", "mul", "floordiv", "mod", "and", "or", "xor", "lshift", "rshift"]


class TooWide(Exception):
    """An intermediate value that the board would have to allocate."""


class Narrow(int):
    """An int whose arithmetic stays within [-2**30, 2**30), and stays Narrow."""


def _checked(name):
    plain = getattr(int, name)

    def method(self, *others):
        value = plain(self, *others)
        if value is NotImplemented or isinstance(value, bool):
            return value
        if not all(-LIMIT <= number < LIMIT for number in (value, *others)):
            raise TooWide(f"{self:d} {name} {others} = {value:d}")
        return Narrow(value)

    return method


for _name in DYADIC:
    setattr(Narrow, f"__{_name}__", _checked(f"__{_name}__"))
    setattr(Narrow, f"__r{_name}__", _checked(f"__r{_name}__"))
Narrow.__neg__ = _checked("__neg__")


def compute(plan):
    """Play a plan out; its time must stay Narrow (a plain int would have escaped the check)."""
    plan.at_us, plan.cycle_start_us = Narrow(0), Narrow(0)
    while plan.next():
        assert type(plan.at_us) is Narrow
    assert plan.at_us == plan.end_us


def narrow(cfg):
    return {name: Narrow(value) if type(value) is int else value for name, value in cfg.items()}


def test_a_narrow_integer_refuses_to_grow():
    assert type(1 + Narrow(2) * 3) is Narrow
    for grow in (lambda n: n * 2, lambda n: 2 * n, lambda n: n + n, lambda n: 1 << n // (1 << 24), lambda n: -4 * n):
        with pytest.raises(TooWide):
            grow(Narrow(LIMIT // 2))


@pytest.mark.parametrize("kind", config.KINDS)
def test_a_plan_computes_in_small_integers(kind):
    cfg = narrow(dict(EACH_KIND[kind], on_ms=3_000, off_ms=1_000))
    compute(Plan(cfg, Narrow(20_000_000)))


@PROPERTY
@given(st.integers(0, 2**32 - 1))
def test_any_train_but_a_modulated_one_computes_in_small_integers(seed):
    compute(Plan(narrow(train(Random(seed), ("continuous", "burst", "alternating"))), Narrow(5_000_000)))


def test_charge_is_counted_in_small_integers_however_much_it_is():
    """100 mA in the widest phase at 270 Hz for 10 min: 16 C, and 16e12 pC would not fit."""
    feed = Feeder(array("H", bytes(512)))
    feed.begin(Plan(dict(BASE, period_us=3_700, width_us=1_023, duration_ms=600_000)))
    feed.charge_uc, feed.charge_pc = Narrow(0), Narrow(0)
    while not feed.done():
        feed.fill()
        feed.advance(feed.made & 127, 0, Narrow(100_000))
        assert type(feed.charge_pc) is type(feed.charge_uc) is Narrow
    assert feed.charge_uc == feed.pulses * 1_023 * 100_000 // 1_000_000 > 1 << 23


@pytest.mark.req("REQ-047")
@pytest.mark.parametrize("ident", library.shipped_ids())
def test_every_preset_computes_in_small_integers(ident):
    cfg = compact(library.load(ident), 0)
    compute(Plan(narrow(cfg), Narrow(30_000_000)))
    envelope = Envelope(narrow(dict(cfg, duration_ms=1_000_000)))
    assert all(envelope.level(Narrow(t_ms)) >= 0 for t_ms in range(0, 1_000_000, 997))


@pytest.mark.parametrize("millihz", [1_000, 1_001, 66_667, 399_999, 400_000])
def test_a_period_is_computed_in_small_integers(millihz):
    assert type(config.period_us(Narrow(millihz))) is Narrow
