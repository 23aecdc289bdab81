"""Device: one pulse as exact as a program can make it: viper, pin registers, the 1 us timer, no interrupts."""

import micropython


@micropython.viper
def viper_pulse(width: int, gap: int):
    up = ptr32(0xD0000014)  # SIO: GPIO_OUT_SET, GPIO_OUT_CLR
    down = ptr32(0xD0000018)
    timer = ptr32(0x40054028)  # TIMERAWL
    interrupts = machine.disable_irq()
    start = timer[0]
    while timer[0] == start:  # begin with a fresh microsecond
        pass
    start += 1
    up[0] = 1 << 2
    while timer[0] - start < width:
        pass
    down[0] = 1 << 2
    start += width
    while timer[0] - start < gap:
        pass
    up[0] = 1 << 3
    start += gap
    while timer[0] - start < width:
        pass
    down[0] = 1 << 3
    machine.enable_irq(interrupts)
