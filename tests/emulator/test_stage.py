"""The output stage's numbers: loads against integration in small steps, filter, multiplexer, sample-and-hold."""

import math

import pytest
from rheobase import boards
from rheobase.emulator import loads, rawrepl
from rheobase.emulator.stage import Filtered, OutputStage
from rheobase.errors import UsageError

BOARD = boards.load()


def integrated(load, amps, volts_max, seconds, steps=200_000):
    """Current and voltage at the end of a phase, by Euler steps."""
    dt, across = seconds / steps, 0.0
    for _ in range(steps):
        current = min(amps, (volts_max - across) / load.series_ohm)
        across += (current - across / load.parallel_ohm) / load.farad * dt
    return current, current * load.series_ohm + across


@pytest.mark.parametrize("load", [loads.NEEDLE, loads.SKIN])
@pytest.mark.parametrize(("amps", "volts_max", "seconds"), [(1e-3, 60, 1e-4), (0.05, 60, 1e-3), (0.05, 20, 2e-4)])
def test_tissue_models_match_integration(load, amps, volts_max, seconds):
    current, volts = load.end_of_phase(amps, volts_max, seconds)
    want_current, want_volts = integrated(load, amps, volts_max, seconds)
    assert current == pytest.approx(want_current, rel=1e-3)
    assert volts == pytest.approx(want_volts, rel=1e-3)


@pytest.mark.parametrize(
    ("spec", "amps", "current", "volts"),
    [
        ("ohms:1000", 0.01, 0.01, 10.0),
        ("2000", 0.05, 0.03, 60.0),  # out of voltage: 60 V / 2 kohm
        ("open", 0.01, 0.0, 60.0),
        ("open", 0.0, 0.0, 0.0),
        ("short", 0.01, 0.01, 0.0),
        ("ohms:0", 0.01, 0.01, 0.0),
    ],
)
def test_plain_loads(spec, amps, current, volts):
    assert loads.parse(spec).end_of_phase(amps, 60.0, 1e-4) == pytest.approx((current, volts))


@pytest.mark.parametrize("load", [loads.NEEDLE, loads.SKIN])
def test_tissue_models_show_about_1_kohm_at_200_us(load):
    current, volts = load.end_of_phase(1e-3, 60.0, 200e-6)
    assert volts / current == pytest.approx(1000, rel=0.05)


@pytest.mark.parametrize("spec", ["", "1kohm", "-5", "nan", "inf", "meedle", "9=open", "1=what"])
def test_a_bad_load_is_the_users_mistake(spec):
    with pytest.raises(UsageError):
        loads.parse_all(spec, [1, 2, 3])


def test_loads_by_channel():
    assert {n: load.name for n, load in loads.parse_all("2=open,3=needle", [1, 2, 3]).items()} == {
        1: "ohms:1000",
        2: "open",
        3: "needle",
    }


def test_the_filter_reaches_63_percent_after_tau():
    out = Filtered(5_000_000)
    out.step(1_000, 10_000.0)
    assert out.at(1_000) == 0.0
    assert out.at(1_000 + 5_000_000) == pytest.approx(10_000 * (1 - math.exp(-1)))
    out.step(1_000 + 5_000_000, 0.0)
    assert out.at(1_000 + 10_000_000) == pytest.approx(10_000 * (1 - math.exp(-1)) * math.exp(-1))


def test_hold_shows_the_end_of_leg_a_and_is_discharged_at_zero():
    stage = OutputStage(BOARD, "ohms:2000")
    entry = BOARD["channels"][1]
    stage.command(2, 0, 0.2)
    stage.channels[2].end_of_leg_a(100_000_000, 200_000)
    top = 4095
    assert stage.code(entry["mux_current"], 100_000_000) == round(10_000 / BOARD["sense_current_full_ua"] * top)
    assert stage.code(entry["mux_voltage"], 100_000_000) == round(20_000 / BOARD["sense_voltage_full_mv"] * top)
    assert stage.code(BOARD["channels"][0]["mux_current"], 100_000_000) == 0
    stage.command(2, 100_000_000, 0.0)
    assert stage.code(entry["mux_current"], 200_000_000) == 0


def test_gain_error_is_seen():
    stage = OutputStage(BOARD, "ohms:1000")
    stage.command(1, 0, 0.2)
    stage.channels[1].gain = 1.5
    stage.channels[1].end_of_leg_a(100_000_000, 200_000)
    assert stage.channels[1].held_ua == pytest.approx(15_000)


READ = """
from machine import Pin, PWM, ADC
import time
p = PWM(Pin(10), freq=30518, duty_u16=13107)
time.sleep_ms(60)
S = [Pin(g, Pin.OUT, value=0) for g in (18, 19, 20)]
a = ADC(26)
def scan():
    out = []
    for i in range(8):
        for n in range(3):
            S[n](i >> n & 1)
        out.append(a.read_u16() >> 4)
    return out
leg = Pin(2, Pin.OUT)
leg(1); time.sleep_us(200); leg(0)
print(scan())
"""


def scanned(board):
    return rawrepl.run(board, READ), board.setpoints


def test_the_image_reads_current_voltage_and_supply_through_the_multiplexer(stock):
    text, setpoints = stock(scanned)
    codes = [int(v) for v in text.strip(" []\r\n").split(",")]
    assert [n for n, code in enumerate(codes) if code] == [0, 1, 6]
    assert codes[0] == pytest.approx(10_000 / 60_000 * 4095, abs=2)
    assert codes[1] == pytest.approx(10_000 / 66_000 * 4095, abs=2)
    assert codes[6] == pytest.approx(9_000 / 16_500 * 4095, abs=1)
    assert [(name, round(ua, -1)) for _, name, ua in setpoints] == [("CH1_UA", 10_000)]
