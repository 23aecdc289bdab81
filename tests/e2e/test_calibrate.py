"""Calibration on the real image: an output stage that is off, `rheo calibrate`, and what flows afterwards.

What flows is known inside the emulated stage; the board sees its own sense only.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from dut import Dut, Refusal
from rheobase import boards
from rheobase.emulator import launch, rawrepl
from rheocore import calibration, frames

pytestmark = pytest.mark.slow

BOARD = boards.load()
SERIAL = "e600000000000001"
LOAD_OHMS = BOARD["compliance_mv"] // 12  # 12 mA are the compliance; calibrated up to 9.6 mA
GAIN, OFFSET_UA, SENSE_GAIN = 1.04, 200, 0.97
OFF = {"gain": {"1": GAIN}, "offset_ua": {"1": OFFSET_UA}, "sense_gain": {"1": SENSE_GAIN}}
DAC_UA = BOARD["full_scale_ua"] / (BOARD["dac_top"] + 1)
SENSE_UA = BOARD["sense_current_full_ua"] / 4096
VOLT_UA = BOARD["sense_voltage_full_mv"] * 1000 / LOAD_OHMS / 4096
TRAIN = {"period_us": 20_000, "width_us": 200, "ramp_up_ms": 1_500, "ramp_down_ms": 1_500, "duration_ms": 20_000}


@pytest.fixture(scope="module")
def calibrated(board_image, tmp_path_factory):
    """(answer of `rheo calibrate`, file with the board's flash): real mpremote, a real pty, a stage that is off."""
    folder = tmp_path_factory.mktemp("calibrated")
    (folder / "off.json").write_text(json.dumps([{"at_ms": 0, **OFF}]))
    flash = folder / "flash.bin"
    places = {f"RHEO_{name}": str(folder / name) for name in ("DATA", "RUNTIME")}
    options = {"faults": folder / "off.json", "flash": flash, "serial": SERIAL, "load": LOAD_OHMS, "speed": 100.0}
    runtime = os.environ.get("RHEO_RUNTIME")
    os.environ["RHEO_RUNTIME"] = places["RHEO_RUNTIME"]  # where the emulated board registers
    try:
        with launch.start(image_bin=board_image, **options) as board:
            words = ("--json", "-p", board.pty, "calibrate", "--channel", "1", "--load", str(LOAD_OHMS))
            command = [sys.executable, "-m", "rheobase.cli.main", *words]
            done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **places})
    finally:
        os.environ.pop("RHEO_RUNTIME")
        if runtime is not None:
            os.environ["RHEO_RUNTIME"] = runtime
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)["data"], flash


@pytest.fixture
def boot(calibrated, board_image, tmp_path):
    """boot(**EmulatedBoard options) -> Dut of the calibrated board after a power cycle, its stage as far off."""
    made = []

    def begin(**options):
        flash = tmp_path / "flash.bin"
        shutil.copy(calibrated[1], flash)
        made.append(Dut(board_image, **{"flash": flash, "serial": SERIAL, "load": LOAD_OHMS, **options}))
        for name, each in OFF.items():
            made[-1].board.set_error(1, name, each["1"])
        return made[-1]

    yield begin
    for device in made:
        device.board.close()


def test_what_calibrate_finds_is_how_far_the_stage_is_off(calibrated):
    """Before: 4 % and 200 uA too much flow, the sense shows 3 % less: within one step of each converter."""
    data, _ = calibrated
    for point in data["points"]:
        flows_ua = point["set_ua"] * GAIN + OFFSET_UA
        assert abs(point["true_ua"] - flows_ua) <= DAC_UA * GAIN + VOLT_UA + 0.001 * flows_ua
        assert abs(point["meas_ua"] - flows_ua * SENSE_GAIN) <= DAC_UA * GAIN + SENSE_UA
        assert point["true_ua"] > 1.04 * point["set_ua"]
    assert data["gain"] == pytest.approx(GAIN, abs=0.002) and data["offset"] == pytest.approx(OFFSET_UA, abs=30)
    assert data["sense"]["gain"] == pytest.approx(SENSE_GAIN, abs=0.002)
    assert abs(data["check"]["true_ua"] - data["check"]["set_ua"]) <= 0.005 * data["check"]["set_ua"] + DAC_UA


@pytest.mark.req("REQ-054")
def test_after_a_power_cycle_the_true_current_is_what_is_set_and_what_is_measured(boot):
    """Within 0.5 % and one step of the converter, at 12 (beyond what was calibrated at), 8, 2 and 0.5 mA."""
    dut = boot()
    dut.load({1: {**TRAIN, "max_ua": 20_000, "amplitude_ua": 12_000}})
    dut.start()
    dut.run_ms(1400)  # in the ramp, 0.5 % of full scale each 20 ms
    for set_ua in (12_000, 8_000, 2_000, 500):
        dut.call("amplitude", token=dut.token, channel=1, ua=set_ua)
        there = dut.board.run_until(lambda ua=set_ua: dut.telemetry[-1]["channels"][0][0] == ua, 3_000_000_000)
        assert there
        dut.run_ms(150)
        told_ua, meas_ua = dut.telemetry[-1]["channels"][0][:2]
        flows_ua = dut.board.stage.channels[1].held_ua
        assert told_ua == set_ua
        assert abs(flows_ua - set_ua) <= 0.005 * set_ua + DAC_UA, f"{flows_ua} uA flow at {set_ua}"
        assert abs(meas_ua - flows_ua) <= 0.005 * set_ua + SENSE_UA
    assert not any(event[2] == "fault" for event in dut.events)


def rewritten(dut, change):
    """Write `change(line)` over the calibration on the board's file system and start the app anew."""
    name = calibration.FILE
    line = eval(rawrepl.run(dut.board, f"print(open({name!r}, 'rb').read())"))  # what the board itself reads
    rawrepl.run(dut.board, f"f = open({name!r}, 'wb'); f.write({change(line)!r}); f.close()")
    dut.board.reset()
    assert dut.board.run_until(lambda: dut.board.usb.connected, 3_000_000_000)
    dut.run_ms(200)


@pytest.mark.req("REQ-055")
def test_a_damaged_file_keeps_the_board_from_arming_until_it_is_removed(boot):
    """One bit of one digit. Nothing of the file is used, no leg moves; without the file it arms, and is nominal."""
    dut = boot()
    rewritten(dut, lambda line: line[:-3] + bytes([line[-3] ^ 1]) + line[-2:])
    assert dut.greet()["calibration"] == {
        "problem": "damaged",
        "channels": {str(c["n"]): None for c in BOARD["channels"]},
    }
    with pytest.raises(Refusal) as refused:
        dut.load({1: TRAIN}, bench=1)
    assert refused.value.args == ("bad_calibration", {"why": "it is damaged"})
    assert dut.state() == "loaded" and not dut.leg_edges()

    rawrepl.run(dut.board, f"import os; os.remove({calibration.FILE!r})")
    dut.board.reset()
    assert dut.board.run_until(lambda: dut.board.usb.connected, 3_000_000_000)
    dut.run_ms(200)
    dut.load({1: TRAIN})
    assert dut.state() == "armed" and dut.greet()["calibration"]["problem"] is None


@pytest.mark.req("REQ-041")
def test_a_calibration_hides_no_current_at_zero(boot):
    """The sense shows 1.4 % of full scale at zero and is corrected by -1 %: 0.4 would pass arming, the 1.4 do not."""
    percent_ua = BOARD["full_scale_ua"] // 100

    def by_a_percent_less(line):
        rows = frames.decode(line)[0]["channels"]
        return calibration.encode(BOARD["name"], SERIAL.upper(), {1: {**rows["1"], "sense": [0, -percent_ua]}})

    dut = boot()
    rewritten(dut, by_a_percent_less)
    dut.board.stage.channels[1].sensed = lambda t_ns: (1.4 * percent_ua, 0.0)  # whatever is commanded
    assert dut.greet()["calibration"]["channels"]["1"]["sense"] == [0, -percent_ua]
    with pytest.raises(Refusal, match="fault"):
        dut.load({1: TRAIN})
    assert dut.call("status")["fault"] == "self_test" and not dut.leg_edges()


def test_the_calibration_of_another_board_is_not_used(boot):
    """The same flash under another serial number, as a copied image would be."""
    dut = boot(serial="e600000000000002")
    assert dut.greet()["calibration"]["problem"] == "foreign"
    with pytest.raises(Refusal, match="bad_calibration"):
        dut.load({1: TRAIN})
