"""docs/hardware.md says of pins, ratings and arithmetic what the board's description makes of them, and cites tests.

Its numbers for parts are the author's choice; what follows from the board's ratings and the chosen parts is computed
here again.
"""

import ast
import math
import re
import xml.etree.ElementTree as ET

import pytest
from rheobase import boards, paths
from rheobase.wording import WORDING

ROOT = paths.firmware_dir().parent
TEXT = (ROOT / "docs" / "hardware.md").read_text()
FLAT = TEXT.replace("**", "")
SVG = ROOT / "docs" / "img" / "output-stage.svg"
BOARD = boards.load("RHEO_PICO")
WIDTH_S, GAP_S, FIXED_S = 1023e-6, 3e-6, 1378e-6  # longest phase, least gap, the program's fixed part


def rows(pattern):
    """Cells of every table row whose first cell matches."""
    cells = ([c.strip() for c in line.strip("|").split("|")] for line in FLAT.splitlines() if line.startswith("|"))
    return {row[0]: row[1:] for row in cells if re.fullmatch(pattern, row[0])}


def pins(board):
    """{"GP2": "leg A of channel 1"} by the description."""
    found = {f"GP{board['interlock']}": "interlock", f"GP{board['sense_adc']}": "sense"}
    for channel in board["channels"]:
        n = channel["n"]
        found[f"GP{channel['leg_a']}"] = f"leg A of channel {n}"
        found[f"GP{channel['leg_b']}"] = f"leg B of channel {n}"
        found[f"GP{channel['dac']}"] = f"set-point of channel {n}"
    found |= {f"GP{pin}": f"multiplexer select {i}" for i, pin in enumerate(board["mux_select"])}
    return found | {f"GP{pin}": "spare" for pin in board["spare"]}


def test_every_pin_of_the_board_is_in_the_table_and_no_other():
    assert {pin: row[0] for pin, row in rows(r"GP\d+").items()} == pins(BOARD)


def test_the_multiplexers_inputs_and_scales_are_the_boards():
    scale = {
        "current": f"{BOARD['sense_current_full_ua'] / 1000:g} mA",
        "voltage": f"{BOARD['sense_voltage_full_mv'] / 1000:g} V",
        "supply": f"{BOARD['sense_supply_full_mv'] / 1000:g} V",
    }
    wanted = {str(BOARD["mux_supply"]): ["supply", scale["supply"]]}
    for channel in BOARD["channels"]:
        for what in ("current", "voltage"):
            wanted[str(channel["mux_" + what])] = [f"{what} of channel {channel['n']}", scale[what]]
    assert rows(r"\d") == wanted
    assert {name: row[0] for name, row in rows("current|voltage|supply").items()} == {
        name: f"{value} ↔ 3.3 V" for name, value in scale.items()
    }


def test_the_picture_is_whole_and_names_pins_of_channel_1_only_as_they_are():
    root = ET.parse(SVG).getroot()
    words = [" ".join(e.itertext()) for e in root.iter() if e.tag.endswith("}text")]
    named = {w for text in words for w in re.findall(r"GP\d+", text)}
    one = BOARD["channels"][0]
    numbers = (one["leg_a"], one["leg_b"], one["dac"], BOARD["interlock"], BOARD["sense_adc"], BOARD["mux_select"][0])
    assert named == {f"GP{n}" for n in numbers}
    assert not [e for e in root.iter() if e.tag.endswith(("}script", "}image", "}a"))]
    assert f"img/{SVG.name}" in TEXT


def says(*values):
    """Each value stands in the page, word for word."""
    return [v for v in values if v not in FLAT] == []


@pytest.mark.req("REQ-121")
def test_ratings_in_the_text_are_the_boards():
    assert BOARD["dac_top"] == 4095 and BOARD["clk_sys_hz"] == 125_000_000 and BOARD["isolated"]
    assert says("12 bit", "125 MHz / 4096 = 30.5 kHz", f"0 to {BOARD['full_scale_ua'] // 1000} mA")
    assert says(f"One pole, {BOARD['filter_tau_us'] // 1000} ms", f"may take: {BOARD['compliance_mv'] // 1000} V")
    assert says(f"{BOARD['supply_mv'] // 1000} V nominal", f"refuse below {BOARD['supply_min_mv'] // 1000} V")
    assert BOARD["max_ua"] == BOARD["full_scale_ua"]


@pytest.mark.req("REQ-121")
def test_charge_and_capacitor_follow_from_full_scale_and_the_longest_width():
    amps, volts = BOARD["full_scale_ua"] * 1e-6, BOARD["compliance_mv"] / 1000
    charge = amps * WIDTH_S
    assert says(f"{charge * 1e6 + 1e-9:.1f} µC / {volts / 10:.0f} V = {charge / volts * 1e7:.1f} µF")
    assert says(f"at −10 % 9.9 µF: {charge / 9.9e-6:.1f} V") and charge / 9.9e-6 < volts / 10
    rail = volts + 5.2 + 1.5 + 0.3 + 1.0
    assert says(f"= {rail:.0f} V, ±2 %", f"12.1 µF · {rail:.0f} V = {12.1 * rail:.0f} µC")
    assert says(f"in {12.1 * rail / amps / 1e6 * 1000:.0f} ms at full", f"4.4 MΩ = {rail / 4.4:.0f} µA")
    assert says(f"= {2 * charge * 1e6:.0f} µC; out of 100 µF that is {2 * charge / 100e-6:.1f} V")
    duty = 2 * WIDTH_S / (2 * WIDTH_S + GAP_S + FIXED_S)
    assert says(f"= {amps * duty * 1000:.1f} mA: {amps * duty * rail:.1f} W")
    most_w, (converter_w,) = amps * duty * rail + rail**2 / 100e3, re.findall(r"a DC/DC of (\d) W", FLAT)
    assert says(f"with the bleeder {most_w:.1f} W") and most_w < 0.8 * int(converter_w)
    assert f">{converter_w} W<" in SVG.read_text()
    all_w = 0.05 * math.sqrt(duty) * rail / 0.75 + 0.3 + 0.4
    assert says(f"low voltages, {all_w:.1f} W, {all_w / 7:.2f} A at 7 V")
    assert says(f"{50 * math.sqrt(duty):.1f} mA of mean current: {0.05 * math.sqrt(duty) * rail:.1f} W")
    rate = 1 / (2 * WIDTH_S + GAP_S + FIXED_S)
    joined = (FIXED_S - 3e-6 - 0.4e-3) * rate
    assert says(f"{rate:.0f} Hz, joined for {joined:.0%}".replace("%", " %"))
    assert says(f"/ {joined:.2f} = {0.01 * charge * rate * 5700 / joined:.1f} V", f"· 11 µF = {5.7 * 11:.0f} ms")


def test_ripple_and_settling_follow_from_filter_and_pwm():
    period, tau = (BOARD["dac_top"] + 1) / BOARD["clk_sys_hz"], BOARD["filter_tau_us"] * 1e-6
    ripple = BOARD["full_scale_ua"] * period / 4 / tau
    assert says(f"{ripple:.0f} µA peak to peak", f"/ 8 = {ripple * 1e-6 * period / 8 * 1e9:.2f} nC")
    assert says(f"ln 500 = {tau * math.log(500) * 1000:.0f} ms", f"{BOARD['full_scale_ua'] / 4096:.1f} µA")


@pytest.mark.req("REQ-121")
def test_the_interlocks_times_follow_from_its_parts():
    top, tau = 3.3 * 4.7 / (4.7 + 0.33), 5.7e3 * 10e-9
    early, late = tau * math.log(top / 2.0), tau * math.log(top / 0.8)
    assert says(f"= {top:.2f} V", f"in {early * 1e6:.0f} µs, to 0.8 V (low, surely) in {late * 1e6:.0f} µs")
    widths = [
        int(n)
        for path in (ROOT / "host" / "rheobase" / "presets").glob("*.toml")
        for line in re.findall(r"^width_us = (.*)$", path.read_text(), re.MULTILINE)
        for n in re.findall(r"\d+", line)
    ]
    assert 1.1 * late * 1e6 + 0.04 + 1 < min(widths)  # "less than the shortest phase of any shipped preset"
    assert says(f"below {0.9 * early * 1e6:.0f} µs are passed over, those above {1.1 * late * 1e6:.0f} µs are seen")


def test_the_fuse_is_told_for_what_it_does_and_is_not_in_what_the_sense_reads():
    """A fuse opens from 2.1 times its rating on; two of 40 ohm in the sense's path would hide a short of 50 ohm."""
    (rating_ma,) = re.findall(r"Fuse (\d+) mA", FLAT)
    assert says(f"{2.1 * int(rating_ma):.0f} mA, which takes sink and limiter failed")
    (most_ohm,) = re.findall(r"fuse has 10 to (\d+) Ω", FLAT)
    assert says(f"up to {2 * int(most_ohm) * BOARD['full_scale_ua'] / 1e6:.0f} V at 50 mA")
    boxes = [e for e in ET.parse(SVG).getroot() if e.tag.endswith("}text")]
    fuse, capacitor = (max(int(e.get("x")) for e in boxes if e.text == word) for word in ("fuse", "22 µF"))
    assert fuse < capacitor < 1122 and "M1122 141V520" in SVG.read_text()  # the tap, on the side of the leads


def test_sense_and_barrier_numbers_follow():
    assert says(f"{BOARD['sense_current_full_ua'] / 4096:.1f} µA a code")
    assert says(f"{BOARD['sense_voltage_full_mv'] / 4096:.0f} mV a code")
    assert says(f"may have {10e-6 / (2 * math.pi * 50 * 230) * 1e12:.0f} pF")
    tau_s = (330 + 200) * 1e-9
    assert math.log(2 * 4096) * tau_s < 5e-6 and says(f"530 Ω · 1 nF · 9 = {tau_s * 9e6:.1f} µs")
    steps = [code * BOARD["sense_current_full_ua"] / 4096 / 1000 for code in (512, 1536, 2560, 3584)]
    assert says(f"{steps[0]} , {steps[1]}, {steps[2]} and {steps[3]} mA".replace(" ,", ","))


def test_every_test_that_the_page_names_is_there():
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert len(named) >= 10
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (path, name)


@pytest.mark.req("REQ-108")
def test_the_page_claims_no_more_than_the_wording():
    assert "> " + WORDING in TEXT
    assert not re.search(
        r"\b(complies|compliant|conforms|certified to|meets IEC|IEC \d|safe for|approved)\b", FLAT.replace(WORDING, "")
    )
