"""The sweep finds bad builds: one constant changed in the PIO program, the plan or the units, each a real image.

Each is built from a copy of the firmware with that one change and played on the emulated board; of the matrix only the
cells that the change concerns. On the firmware as it is the same cells pass (test_sweep_image.py): it is the change
that fails.
"""

import re
import shutil

import pytest
from rheobase import image, paths
from rheobase.bench import matrix, sweep
from rheobase.emulator import launch
from rheobase.image import info
from rheobase.link.greeting import open_board

USUAL = "100Hz-200us-gap50/1"
# name: (file below firmware/lib, what stands there, what stands there now, the cell, what its reasons must say)
BROKEN = {
    "pio: phase B a tick longer": (
        "rheorp2/pio_programs.py",
        'jmp(x_dec, "b").side(2)  # the same width, from the same register\n    wait(0, irq, 4).side(0)',
        'jmp(x_dec, "b").side(2)  # the same width, from the same register\n    wait(0, irq, 4).side(2)',
        USUAL,
        "Phase B is (200.99|201)",  # 25 125 clocks, seen every two of them
    ),
    "pio: gap a tick longer": (
        "rheorp2/pio_programs.py", "out(x, 8).side(0)", "out(x, 8).side(0)[1]", USUAL, "The gap is (50.99|51)",
    ),
    "pio: the fixed part a tick longer": (
        "rheorp2/pio_programs.py", "set(y, 4).side(0)[6]", "set(y, 4).side(0)[7]", USUAL, "",
    ),
    "pio: a guard that takes 31 clocks longer": (
        "rheorp2/pio_programs.py", "irq(4)  # hold everything", "irq(4)[31]  # hold everything", "interlock/1",
        "100 ns at most",
    ),
    "plan: a burst of one pulse fewer": (
        "rheocore/plan.py", 'self.count = cfg["burst_pulses"]', 'self.count = cfg["burst_pulses"] - 1', "burst/1",
        "pulses are commanded",
    ),
    "plan: a dwell rounded down": (
        "rheocore/plan.py", "max(1, (2 * segment_us // one_us + 1) // 2)", "max(1, segment_us // one_us)",
        "alternating/1", "",
    ),
    "plan: a rest shorter than a rest item": (
        "rheocore/plan.py", """        if 0 < interval_us - dur_us < _REST:
            dur_us -= _REST
""", "", "alternating/1", "",
    ),
    "channel: a pause gives the time before it back": (
        "rheocore/channel.py", "self.left_us -= feeder.t_us", "self.left_us -= 0", "pause/1", "make the session",
    ),
    "config: periods rounded down": (
        "rheocore/config.py", "(1_000_000_000 + millihz // 2) // millihz", "1_000_000_000 // millihz",
        "modulated/1", "",
    ),
    "units: a tick of 124 clocks": ("rheorp2/block.py", "125 << 16", "124 << 16", USUAL, "Phase A is 198.4"),
}  # fmt: skip


def build(tmp_path, change):
    """The .bin of this firmware with one change. The image stays out of the user's cache of images."""
    file, old, new = change
    copy = tmp_path / "firmware"
    shutil.copytree(paths.firmware_dir(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = (copy / "lib" / file).read_text()
    assert text.count(old) == 1, f"{file} no longer has that constant once"
    (copy / "lib" / file).write_text(text.replace(old, new))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "firmware_dir", lambda: copy)
        patch.setattr(info, "images_dir", lambda: tmp_path / "images")
        return image.ensure("RHEO_PICO", log=lambda text: None).bin_path


def swept(image_bin, cell, folder):
    """The result of one cell of the matrix of a board of which only channel 1 is used."""
    play = next(play for play in matrix.make([1], quick=True).plays if play.cells[0].id == cell)
    with launch.start(image_bin=image_bin) as emulated, open_board(emulated.pty, True) as board:
        plan, hand = matrix.Matrix((play,), True), sweep.EmulatedHand(emulated.pty)
        return sweep.Sweep(board, plan, folder, {}, hand).run()[0]


@pytest.mark.req("REQ-001", "REQ-132")
@pytest.mark.parametrize("name", BROKEN)
def test_a_sweep_fails_a_firmware_with_one_constant_changed(tmp_path, name):
    *change, cell, says = BROKEN[name]
    result = swept(build(tmp_path, change), cell, tmp_path / "out")
    assert result["verdict"] == "fail"
    assert result["firmware_hash"] != result["library_hash"], "the result tells that it is another firmware"
    [row] = result["cells"]
    assert re.search(says, " ".join(row["reasons"])), row["reasons"]
