"""By what means the firmware touches the chip: registers, and of MicroPython's own classes only what is named here.

What is not here is a hazard that the firmware avoids by not using it: StateMachine and PIO objects (init clears a pad's
override, active() is no atomic write, exec and put block, a program is removed by the wrong offset), rp2.DMA and its
irq (a soft reset crashes), PWM objects (deinit leaves the pin where it stood), Timer and hard handlers (feed what
should starve), lightsleep (locks the chip up), a clock that is changed, flash written while pulses run, threads.
"""

import ast

import pytest
from test_device_files import FILES, FIRMWARE, name

pytestmark = pytest.mark.req("REQ-048")

MEANS = {
    "machine": {"mem32", "freq", "WDT", "ADC", "Pin", "unique_id", "reset"},
    "rp2": {"PIO", "asm_pio"},  # PIO for the names of its settings, never made
    "micropython": {"const", "viper", "native", "kbd_intr"},
}
PINS_IN = "sense.py"  # three outputs of the multiplexer; never a leg, an interlock, a set-point


def beyond(path, text):
    """What in a device file goes beyond the means, as a list of sentences."""
    found = []
    for node in ast.walk(ast.parse(text)):
        at = f"line {getattr(node, 'lineno', 0)}: "
        if isinstance(node, ast.ImportFrom) and node.module in MEANS:
            found += [f"{at}{node.module}.{a.name}" for a in node.names if a.name not in MEANS[node.module]]
        if isinstance(node, ast.Import):
            found += [f"{at}{a.name} as {a.asname}" for a in node.names if a.name in MEANS and a.asname]
            found += [f"{at}{a.name}" for a in node.names if a.name in ("_thread", "_rp2", "asyncio", "uasyncio")]
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in MEANS:
            if node.attr not in MEANS[node.value.id]:
                found.append(f"{at}{node.value.id}.{node.attr}")
            if node.attr == "Pin" and path.name != PINS_IN:
                found.append(f"{at}a Pin outside of {PINS_IN}")
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "rp2.PIO":
                found.append(f"{at}a PIO object")
            if called == "machine.freq" and (node.args or node.keywords):
                found.append(f"{at}the clock is changed")
            if called == "open" and [ast.unparse(a) for a in node.args[1:]] not in ([], ["'rb'"]):
                found.append(f"{at}a file is written")
            if called in ("os.remove", "os.rename", "os.mkdir", "os.mount", "os.umount"):
                found.append(f"{at}the flash is written")
    return found


@pytest.mark.parametrize("path", [path for path in FILES if FIRMWARE in path.parents], ids=name)
def test_the_firmware_touches_the_chip_by_registers_and_by_nothing_that_is_a_hazard(path):
    assert beyond(path, path.read_text()) == []


@pytest.mark.parametrize(
    "line",
    [
        "import machine\nmachine.Timer(period=1)",
        "import machine\nmachine.PWM(3)",
        "import machine\nmachine.lightsleep(10)",
        "import machine\nmachine.freq(48_000_000)",
        "import machine\nmachine.Pin(2, machine.Pin.OUT)",
        "from machine import Pin, Timer",
        "import machine as m",
        "import rp2\nrp2.DMA()",
        "import rp2\nrp2.StateMachine(0)",
        "import rp2\nrp2.PIO(0).remove_program()",
        "import rp2\nrp2.Flash()",
        "import micropython\nmicropython.schedule(print, 1)",
        "import _thread",
        "open('x', 'w')",
        "import os\nos.remove('x')",
    ],
)
def test_the_test_above_finds_it(line):
    assert beyond(FIRMWARE / "lib" / "rheorp2" / "x.py", line)
