"""The device's files against MicroPython's stubs: nothing wrong is found in them, and what is wrong would be."""

import importlib.util
from pathlib import Path

from rheobase import boards
from rheobase.image import firmware_files

ROOT = Path(__file__).resolve().parents[1]
_spec = importlib.util.spec_from_file_location("device_types", ROOT / "tools" / "device_types.py")
device_types = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(device_types)

WRONG = """import machine
import os
import tomllib
from rheorp2 import hw
from rheorp2.link import Link

machine.Pin(2, machine.Pin.OUTT)
machine.Pin(2, machine.Pin.OUT, pul=machine.Pin.PULL_DOWN)
hw.field(hw.PIO_CTRL, "0", 1)
hw.wr(hw.PIO_CTRL)
hw.PIO_CTLR
Link().wait()
Link().no_such_method(1)
machine.Pin(2, machine.Pin.OUT, value=0).on()
"""
LINES = (3, 7, 8, 9, 10, 11, 12, 13)


def test_the_files_of_the_board_fit_micropythons_stubs_and_a_wrong_attribute_or_argument_would_not(tmp_path):
    files = [path for _, path in firmware_files.firmware_files(boards.DEFAULT)]
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG)
    status, text = device_types.check([*files, wrong], tmp_path / "work")
    errors = [line for line in text.splitlines() if ": error: " in line]
    assert status == 1 and all("wrong.py" in line for line in errors), text
    assert {int(line.split(":")[1]) for line in errors} == set(LINES), text
