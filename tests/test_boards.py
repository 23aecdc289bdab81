"""A board is its folder: the checks of its description, what reads it, and a third board that nobody knows.

Every mistake is a sentence with file, key and what to write. The checks are asked as commands ask them: boards.load().
"""

import copy
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from host.calling import call, finish, start
from rheobase import board_check, boards, paths
from rheobase.cli.main import main
from rheobase.emulator import EmulatedBoard, rawrepl
from rheobase.emulator.snapshot import in_child
from rheobase.errors import UsageError
from rheobase.image import builder, firmware_files

ROOT = paths.firmware_dir().parent
SHIPPED = boards.names()
IO_CTRL = 0x40014004


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A copy of boards/ to write into; commands read it."""
    shutil.copytree(paths.boards_dir(), tmp_path / "boards")
    monkeypatch.setattr(paths, "boards_dir", lambda: tmp_path / "boards")
    return tmp_path / "boards"


@pytest.fixture
def third(folder):
    """third(change) writes boards/RHEO_THIRD: RHEO_PICO's table with `change(table)` done to it, or another text."""
    shutil.copytree(folder / "RHEO_PICO", folder / "RHEO_THIRD")

    def write(change):
        table = {**copy.deepcopy(boards.load("RHEO_PICO")), "name": "RHEO_THIRD"}
        text = change if isinstance(change, str) else None
        if text is None:
            change(table)
            text = f"BOARD = {table!r}\n"
        (folder / "RHEO_THIRD" / "rheo_board.py").write_text(text)

    return write


def refused():
    """The sentences that boards.load() has for RHEO_THIRD."""
    with pytest.raises(UsageError) as caught:
        boards.load("RHEO_THIRD")
    assert caught.value.code == "bad_board" and caught.value.exit_code == 2
    return caught.value.message.split("\n")


def put(**values):
    return lambda table: table.update(values)


def channel(number, **values):
    return lambda table: table["channels"][number - 1].update(values)


def drop(*keys):
    return lambda table: [table.pop(key) for key in keys]


WRONG = [
    (put(interlock=26), "GPIO 26 is interlock and sense_adc as well"),
    (put(spare=[16, 16]), "GPIO 16 is spare[0] and spare[1] as well"),
    (put(stage_enable=18), "GPIO 18 is stage_enable and mux_select[0] as well"),
    (channel(1, dac=4), "GPIO 4 is dac of channel 1 and leg_a of channel 2 as well"),
    (put(interlock=15), "`interlock` must be another GPIO than 15: the port takes it at a USB reset (erratum E5)"),
    (put(interlock=25), "`interlock` must be another GPIO than 25: on the Pico it is the LED"),
    (put(mux_select=[18, 19, 29]), "`mux_select` holds one that must be another GPIO than 29"),
    (put(interlock=30), "`interlock` must be a GPIO, 0 to 22 or 26 to 28; it is 30."),
    (put(interlock="9"), "`interlock` must be a GPIO, 0 to 22 or 26 to 28; it is '9'."),
    (put(interlock=True), "`interlock` must be a GPIO"),
    (channel(2, leg_a=5, leg_b=4), "channel 2: `leg_a` is 5: legs are contiguous from leg_base, A then B"),
    (channel(3, leg_a=13, leg_b=14), "channel 3: `leg_a` is 13: legs are contiguous from leg_base"),
    (put(leg_base=3), "channel 1: `leg_a` is 2: legs are contiguous from leg_base"),
    (channel(2, n=3), "channel 2: `n` is 3: channels are numbered from 1 on, in order; write 2."),
    (put(active="low"), "`active` is not for here: legs and stage enable are active-high everywhere"),
    (put(legs_active_low=True), "Put an inverter on the stage's side of the barrier"),
    (channel(1, inverted=True), "channel 1: `inverted` is not for here: legs and stage enable are active-high"),
    (put(channels=[]), "`channels` must be a list of 1 to 3 dicts."),
    (put(channels=[{}] * 4), "`channels` must be a list of 1 to 3 dicts."),
    (put(channels=[3]), "`channels` holds one that must be a dict"),
    (lambda t: (channel(1, dac=0)(t), channel(2, dac=16)(t), t.pop("spare")),
     "dac of channel 1 and dac of channel 2 are both PWM 0A, one level for two"),
    (put(spare=[27]), "`spare` GPIO 27 is on PWM slice 5, which is a set-point's"),
    (put(sense_adc=22), "`sense_adc` must be 26, 27 or 28: GPIO 22 has no ADC."),
    (put(mux_supply=8), "`mux_supply` must be a whole number, 0 to 7; it is 8."),
    (put(mux_select=[18, 19]), "mux_supply is 6: the 2 pins of `mux_select` reach 0 to 3"),
    (put(mux_supply=3), "multiplexer input 3 is mux_supply and mux_voltage of channel 2 as well"),
    (put(full_scale_ua=0), "`full_scale_ua` must be a whole number, 10_000 to 100_000; it is 0."),
    (put(max_ua=50_001), "`max_ua` is 50001, above `full_scale_ua`, 50000"),
    (put(full_scale_ua=5e4), "`full_scale_ua` must be a whole number, 10_000 to 100_000; it is 50000.0."),
    (put(compliance_mv=70_000), "`compliance_mv` is 70000, above `sense_voltage_full_mv`, 66000"),
    (put(sense_current_full_ua=59_999), "`sense_current_full_ua` is 59999: a current 20 % above `max_ua` must be seen"),
    (put(supply_min_mv=9_000), "`supply_min_mv` is 9000: write less than `supply_mv`, 9000."),
    (put(supply_mv=17_000), "`supply_mv` is 17000, above `sense_supply_full_mv`, 16500: the supply must be seen"),
    (put(full_scale_ua=100_000, dac_top=16_383), "`dac_top` is 16383: with this `full_scale_ua` write 10735"),
    (put(clk_sys_hz=133_000_000), "`clk_sys_hz` must be a whole number, 125_000_000; it is 133000000."),
    (put(isolated=False), "`isolated` must be True: the limits judge each channel alone"),
    (put(name="RHEO_PICO"), "`name` is 'RHEO_PICO', and its folder is RHEO_THIRD: write 'RHEO_THIRD'."),
    (put(complience_mv=1), "`complience_mv` is no key: did you mean `compliance_mv`?"),
    (channel(1, mux_curent=1), "channel 1: `mux_curent` is no key: did you mean `mux_current`?"),
    (put(colour="red"), "`colour` is no key. Keys: name, schema,"),
    (drop("interlock"), "`interlock` is missing: write a GPIO."),
    (drop("supply_mv"), "`supply_mv` is missing: write 1_000 to 100_000."),
    ("BOARD = {1: }\n", "line 1 is no Python"),
    ("TABLE = {}\n", "there is no BOARD in it"),
    ("BOARD = dict(name='x')\n", "BOARD must be a literal"),
    ("BOARD = [1]\n", "BOARD must be a dict"),
    ("BOARD = {'name': 'a', 'name': 'b'}\n", "`name` stands in it twice"),
    ("", "there is no BOARD in it"),
    ("BOARD = {'name': 'a'}\nBOARD['interlock'] = 2\n", "line 2 is more than the table: the board runs all"),
    ("BOARD = {}\nBOARD: dict = {1: 2}\n", "line 2 is more than the table"),
    ("BOARD = {}\nBOARD = {1: 2}\n", "line 2 is more than the table"),
    ("'Words.'\nimport machine\nBOARD = {}\n", "line 2 is more than the table"),
]  # fmt: skip


@pytest.mark.req("REQ-120")
@pytest.mark.parametrize(("change", "sentence"), WRONG, ids=[sentence[:50] for _, sentence in WRONG])
def test_a_description_that_cannot_be_is_a_sentence_with_file_key_and_what_to_write(third, change, sentence):
    third(change)
    said = refused()
    assert any(sentence in line for line in said), said
    assert all(line.startswith("boards/RHEO_THIRD/rheo_board.py: ") for line in said)


def test_all_mistakes_are_told_at_once(third):
    third(lambda table: (put(interlock=15, colour=1)(table), channel(2, dac=99)(table), drop("schema")(table)))
    assert len(refused()) == 4
    third(lambda table: (put(interlock=2, max_ua=60_000, sense_current_full_ua=80_000)(table), channel(1, n=2)(table)))
    assert len(refused()) == 3


@pytest.mark.parametrize("words", [("image", "build"), ("image", "path"), ("emulate",)])
def test_commands_answer_a_bad_description_with_exit_2_and_no_traceback(third, capsys, words):
    third(put(interlock=4))
    assert main(["--json", *words, "--board", "RHEO_THIRD"]) == 2
    out, err = capsys.readouterr()
    (error,) = json.loads(out)["errors"]
    assert error["code"] == "bad_board" and "GPIO 4 is leg_a of channel 2 and interlock as well" in error["message"]
    assert "Traceback" not in err


@pytest.mark.req("REQ-120")
def test_neither_image_nor_deployed_files_nor_a_plain_micropython_build_come_of_it(third, folder, tmp_path):
    third(put(interlock=4))
    for make in (builder.snapshot, firmware_files.read_files):
        with pytest.raises(UsageError, match="GPIO 4"):
            make("RHEO_THIRD")
    # Its script finds the host beside boards/, as in a checkout.
    (folder.parent / "host").symlink_to(ROOT / "host")
    script = folder / "common" / "stage_firmware.py"
    command = [sys.executable, "-I", str(script), "RHEO_THIRD", str(tmp_path / "out"), str(tmp_path / "pins.h")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert not (tmp_path / "pins.h").exists() and not (tmp_path / "out").exists()


# -- the boards that are shipped -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_boards_folder_is_whole_and_says_its_name_everywhere(name):
    here = paths.boards_dir() / name
    files = {"board.json", "manifest.py", "mpconfigboard.cmake", "mpconfigboard.h", "pins.csv", "rheo_board.py"}
    assert {path.name for path in here.iterdir() if path.is_file()} == files
    assert boards.load(name)["name"] == name
    about = json.loads((here / "board.json").read_text())
    assert about["product"] == name and about["mcu"] == "rp2040"
    assert all((here / page).is_file() for page in about["deploy"])
    assert f'"Rheobase {name}"' in (here / "mpconfigboard.h").read_text()
    rows = dict(line.split(",") for line in (here / "pins.csv").read_text().split())
    used = [pin for pin, _ in board_check.uses(boards.load(name))]
    assert {f"GPIO{pin}" for pin in used} <= set(rows.values())


def test_the_second_board_shares_no_pin_use_and_no_scale_with_the_first():
    one, two = boards.load("RHEO_PICO"), boards.load("RHEO_DUO")
    assert len(two["channels"]) == 2 and "stage_enable" in two and "stage_enable" not in one
    same = {"schema", "clk_sys_hz", "isolated"}
    assert {key for key in one if one[key] == two.get(key)} == same
    assert not {(pin, use) for pin, use in board_check.uses(one)} & set(board_check.uses(two))


def test_no_file_outside_its_folder_knows_the_second_board():
    """But this one, the list of its checks that are deleted, and pages and the line of make that run tests on it."""
    done = subprocess.run(["git", "-C", str(ROOT), "grep", "-l", "RHEO_DUO"], capture_output=True, text=True)
    if done.returncode > 1:
        pytest.skip("not a checkout")
    known = (
        "boards/RHEO_DUO/",
        "docs/",
        "tests/test_boards.py",
        "tests/safety/deletions.toml",
        "Makefile",
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
    )
    assert not [name for name in done.stdout.split() if not name.startswith(known)]


def test_emulate_tells_every_board_that_it_takes():
    assert ", ".join(firmware_files.known_boards()) in call("emulate", "--board", "rpi_pico").err


def test_emulate_takes_the_board_that_is_named_with_its_own_image(tmp_path, monkeypatch):
    for name in ("DATA", "RUNTIME"):
        monkeypatch.setenv(f"RHEO_{name}", str(tmp_path / name.lower()))
    process = start("emulate", "--board", "RHEO_DUO")
    try:
        first = json.loads(process.stdout.readline())
        info = call("info", "-p", first["pty"], "--json").json["data"]
    finally:
        finish([process])
    assert first["board"] == info["board"] == "RHEO_DUO"
    assert info["channels"] == [1, 2] and info["limits"]["full_scale_ua"] == 40_000
    assert info["firmware"]["hash"] == firmware_files.firmware_hash("RHEO_DUO") and info["c_hook"]


# -- a board that nobody knows ---------------------------------------------------------------------------------------


def another(table):
    """One channel, in the last pins there are; two select pins."""
    table.update(
        leg_base=20, interlock=2, stage_enable=13, mux_select=[0, 1], mux_supply=3, sense_adc=28, spare=[6],
        channels=[{"n": 1, "leg_a": 20, "leg_b": 21, "dac": 9, "mux_current": 2, "mux_voltage": 0}],
    )  # fmt: skip


@pytest.mark.req("REQ-120")
def test_host_image_and_emulator_follow_a_third_board(third, board_image, monkeypatch):
    third(another)
    monkeypatch.setenv("RHEO_BOARD", "RHEO_THIRD")
    table = boards.load()
    assert table["name"] == "RHEO_THIRD" in boards.names()
    ours = builder.snapshot("RHEO_THIRD")
    header = ours["board"]["pins.h"].decode()
    assert "RHEO_LEG_PINS { 20, 21 }" in header and "RHEO_DAC_PINS { 9 }" in header
    assert "RHEO_STAGE_ENABLE_PIN (13)" in header
    assert b"RHEO_THIRD" in ours["firmware"]["lib/rheo_board.py"]
    assert builder.inputs("RHEO_THIRD") != builder.inputs("RHEO_PICO")
    assert in_child(emulated_third, board_image) == (
        [("CH1_A", 1), ("CH1_A", 0), ("STAGE_ENABLE", 1), ("STAGE_ENABLE", 0), ("INTERLOCK", 0)],
        [0, 4095],
    )


def emulated_third(image):
    """Pins moved at the REPL of another board's image, by the third board's table; its supply read by its own ADC."""
    board = EmulatedBoard(image)
    board.set_supply_mv(board.board["sense_supply_full_mv"])
    board.boot()
    rawrepl.enter(board)
    board.edges.clear()
    code = (
        "from machine import ADC, Pin\nfor n in (20, 13):\n    Pin(n, Pin.OUT, value=1)\n    Pin(n, Pin.OUT, value=0)\n"
    )
    rawrepl.run(board, code)
    board.set_interlock(False)
    code = "adc = ADC(28)\nfor level in (0, 1):\n    for n in (0, 1):\n        Pin(n, Pin.OUT, value=level)\n"
    out = rawrepl.run(board, code + "    print(adc.read_u16() >> 4)\n")
    return [edge[1:] for edge in board.edges], [int(word) for word in out.split()]


# -- the page --------------------------------------------------------------------------------------------------------


def test_the_pages_tables_are_the_checkers_keys():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", (ROOT / "docs" / "new-board.md").read_text(), re.MULTILINE)
    keys = list(board_check.KEYS.items()) + list(board_check.CHANNEL.items())
    assert rows == [(key, rule.says) for key, rule in keys]


# -- stage enable on stock MicroPython -------------------------------------------------------------------------------


def driven_low_by_boot_py(image):
    board = EmulatedBoard(image, boards.load("RHEO_DUO"))
    board.boot()
    rawrepl.enter(board)
    pin = board.board["stage_enable"]
    rawrepl.run(board, f"from machine import mem32\nmem32[{IO_CTRL + 8 * pin:#x}] = 0x331F\n")
    high = board.level("STAGE_ENABLE")
    rawrepl.run(board, Path(paths.firmware_dir() / "boot.py").read_text())
    return high, board.level("STAGE_ENABLE"), board.peek(IO_CTRL + 8 * pin)


def test_boot_py_takes_a_stage_enable_low_without_knowing_the_board(stock_image):
    assert in_child(driven_low_by_boot_py, stock_image) == (1, 0, 0x321F)
