"""Registers of the RP2040 and word access to them (RP2040 datasheet, chapters 2.5, 2.19, 3.7, 4.5, 4.7).

Viper, so that a write neither allocates nor can be interrupted by KeyboardInterrupt. Not for flash or ROM.
"""

from micropython import const

SET = const(0x2000)  # atomic alias offsets
CLR = const(0x3000)

PIO0 = const(0x50200000)
PIO_CTRL = const(0x50200000)  # enable 3:0, restart 7:4, divider restart 11:8
PIO_FDEBUG = const(0x50200008)  # TXSTALL 27:24
PIO_FLEVEL = const(0x5020000C)
PIO_TXF0 = const(0x50200010)
PIO_IRQ = const(0x50200030)  # write 1 to clear
PIO_IRQ_FORCE = const(0x50200034)
PIO_SYNC_BYPASS = const(0x50200038)
PIO_PADOUT = const(0x5020003C)
PIO_PADOE = const(0x50200040)
PIO_MEM = const(0x50200048)
PIO_SM = const(0x502000C8)  # CLKDIV, EXECCTRL, SHIFTCTRL, ADDR, INSTR, PINCTRL; stride 0x18
SM_STRIDE = const(0x18)

IO = const(0x40014000)  # GPIO n: STATUS at 8n, CTRL at 8n + 4
PADS = const(0x4001C004)  # GPIO n at 4n
FUNC_PWM = const(4)
FUNC_PIO0 = const(6)
FUNC_NULL = const(0x1F)
PAD_RESET = const(0x56)  # input on, 4 mA, Schmitt trigger, pull-down
OUT_LOW = const(0x200)  # OUTOVER = drive low
STAGE_OFF = const(0x321F)  # CTRL of the stage enable: no function, OEOVER = drive, OUTOVER = low; boot.py knows it too
STAGE_ON = const(0x331F)  # OUTOVER = high

PWM = const(0x40050000)  # slice n at 0x14 n: CSR, DIV, CTR, CC, TOP

DMA = const(0x50000000)  # channel n at 0x40 n: READ, WRITE, COUNT, CTRL_TRIG; AL1_CTRL at 0x10
DMA_TIMER0 = const(0x50000420)  # X << 16 | Y: X/Y of clk_sys
DMA_MULTI_TRIGGER = const(0x50000430)
DMA_ABORT = const(0x50000444)
DMA_CREDITS = const(0x50000800)  # DBG_CTDREQ of channel n at 0x40 n: any write clears it
DMA_SETTINGS = const(0x7FFFFE)  # of CTRL: all but EN, BUSY and the sniffer

# Buffer control of endpoint 2 IN (CDC data, MicroPython's 0x82): AVAILABLE, bits 10 and 26, stay set until the host
# has read the packet; TinyUSB hands over the next one at once, so both clear means that its buffer is empty (but for
# the moment between the host's read and TinyUSB's next turn: a write in it may wait, and the lease then ends output).
USB_CDC_IN = const(0x50100090)

USB_SOF = const(0x50110048)  # number of the last frame, 11 bits; reading it may swallow one frame's interrupt: harmless

WATCHDOG = const(0x40058000)  # CTRL; REASON at 8; SCRATCH n at 0xC + 4n


@micropython.viper
def wr(address: uint, value: uint):
    """Write one 32-bit word."""
    p = ptr32(address)
    p[0] = value


@micropython.viper
def field(address: uint, shift: int, mask: int) -> int:
    """(word >> shift) & mask, mask below 2**30: allocates nothing."""
    p = ptr32(address)
    return (p[0] >> shift) & mask


@micropython.viper
def same(address: uint, value: uint) -> bool:
    """True if the word reads as value."""
    p = ptr32(address)
    return p[0] == int(value)


@micropython.viper
def word(address: uint) -> uint:
    """One 32-bit word (allocates from 2**30 on)."""
    p = ptr32(address)
    return uint(p[0])


@micropython.viper
def differs(table: ptr32, rows: int) -> int:
    """Index of the first row (address, mask, value) whose register does not read as it must; -1: all do."""
    i = 0
    while i < rows:
        p = ptr32(table[3 * i])
        if p[0] & table[3 * i + 1] != table[3 * i + 2]:
            return i
        i += 1
    return -1


@micropython.viper
def write_words(address: uint, words: ptr32, count: int):
    """Write `count` words of an array, from `address` on."""
    p = ptr32(address)
    i = 0
    while i < count:
        p[i] = words[i]
        i += 1


@micropython.viper
def astray(i: int, leg_base: int) -> bool:
    """True if machine i stands outside of biphasic, or a leg is driven high where the program has it low.

    The counter shows the instruction that comes next: leg A may be high at 7 and 8, leg B at 11 and 12. Judged only
    if the counter stood still meanwhile.
    """
    high = 0x5020
    pio = ptr32(high << 16)
    n = 53 + 6 * i  # SMn_ADDR
    at = pio[n]
    out = pio[15]  # DBG_PADOUT
    if at > 18:
        return True
    if pio[n] != at:
        return False
    out = (out >> (leg_base + 2 * i)) & 3
    if at == 7 or at == 8:
        out &= 2
    elif at == 11 or at == 12:
        out &= 1
    return out != 0


@micropython.viper
def is_playing(i: int, leg_base: int) -> bool:
    """True if machine i is enabled and its two legs are the PIO's, with nothing between it and the pad."""
    high = 0x5020
    pio = ptr32(high << 16)
    high = 0x4001
    io = ptr32((high << 16) + 0x4000)
    leg = leg_base + 2 * i
    return (pio[0] >> i) & 1 == 1 and io[2 * leg + 1] == 6 and io[2 * leg + 3] == 6


@micropython.viper
def stop_dma(first: int, count: int):
    """Disable and abort `count` DMA channels from `first` on; EN off first, so that an abort cannot race a chain."""
    high = 0x5000
    i = first
    mask = 0
    while i < first + count:
        clear = ptr32((high << 16) + 0x3000 + i * 64)
        clear[4] = 1  # AL1_CTRL
        mask |= 1 << i
        i += 1
    abort = ptr32((high << 16) + 0x444)
    abort[0] = mask
    i = first
    while i < first + count:
        p = ptr32((high << 16) + i * 64)
        tries = 0
        while (p[4] >> 24) & 1 and tries < 1000:  # BUSY: it must have ended before anybody starts it again
            tries += 1
        i += 1


@micropython.viper
def set_counts(first: int, counts: ptr32, channels: int):
    """Write the transfer count of idle DMA channels from `first` on; triggers none."""
    high = 0x5000
    i = 0
    while i < channels:
        p = ptr32((high << 16) + (first + i) * 64)
        p[2] = counts[i]
        i += 1


@micropython.viper
def now_ms() -> int:
    """Milliseconds since power-on from the 64-bit TIMER; below 2**30 (12 days) it allocates nothing."""
    block = 0x4005
    high = ptr32((block << 16) + 0x4024)
    low = ptr32((block << 16) + 0x4028)
    h = high[0]
    n = low[0]
    if high[0] != h:
        h = high[0]
        n = low[0]
    # 2**32 us = 4294967 ms + 296 us
    top = (n >> 16) & 0xFFFF
    ms = top * 65 + (top * 536 + (n & 0xFFFF)) // 1000
    return ms + h * 4294967 + h * 296 // 1000


# A literal above 2**30 is an object to viper: addresses there are made by a shift.


@micropython.viper
def read_dma(n: int) -> int:
    """Halt DMA channel n and return its READ_ADDR; a transfer in flight ends first."""
    high = 0x5000
    p = ptr32((high << 16) + n * 64)
    clear = ptr32((high << 16) + 0x3000 + n * 64)
    clear[4] = 1  # AL1_CTRL through the CLR alias: EN off, no trigger
    abort = ptr32((high << 16) + 0x444)
    abort[0] = 1 << n
    i = 0
    while (p[4] >> 24) & 1 and i < 1000:  # BUSY; CHAN_ABORT itself never reads back 0 on the emulator
        i += 1
    at = p[0]
    return at


@micropython.viper
def run_dma(n: int, read: uint, count: int, ctrl: uint):
    """Trigger DMA channel n: count words from read, control word ctrl."""
    high = 0x5000
    p = ptr32((high << 16) + n * 64)
    p[0] = int(read)
    p[2] = count
    p[3] = int(ctrl)


@micropython.viper
def feed_dma(n: int, base: uint, made: int, ctrl: uint) -> bool:
    """Lend DMA channel n every word of its ring (128 words at base) up to word `made`. False: not done, channel halted.

    In one call that no callback can part: the channel stands for a microsecond only, whatever the collector does, and
    what ran dry in the meantime (TXSTALL) does not come back by itself.
    """
    high = 0x5000
    p = ptr32((high << 16) + n * 64)
    clear = ptr32((high << 16) + 0x3000 + n * 64)
    clear[4] = 1
    abort = ptr32((high << 16) + 0x444)
    abort[0] = 1 << n
    i = 0
    while (p[4] >> 24) & 1 and i < 1000:
        i += 1
    at = p[0] - int(base)
    high = 0x5020
    pio = ptr32(high << 16)
    if (pio[2] >> (24 + n)) & 1 or at < 0 or at >= 512:  # FDEBUG
        return False
    count = (made - (at >> 2)) & 127
    if count:
        p[2] = count
        p[3] = int(ctrl)
    return True


@micropython.viper
def set_gate(leg_base: int, legs: int, low: int):
    """Pad override of every leg: low 1 forces it low, 0 lets the PIO through. Function select stays PIO0."""
    value = 6
    if low:
        value = 0x206
    high = 0x4001
    p = ptr32((high << 16) + 0x4000)
    i = leg_base
    while i < leg_base + legs:
        p[2 * i + 1] = value
        i += 1


@micropython.viper
def kill(leg_base: int, legs: int, guard_kill: int, dma_mask: int, sm_mask: int, slices: int, enable: int):
    """Everything that ends output, at once, in one call that nothing can interrupt.

    guard_kill: instruction `jmp` to the guard's irq. sm_mask: channel state machines. slices: bit mask of DAC slices.
    enable: GPIO of the stage enable, -1: none.
    """
    high = 0x5020
    pio = ptr32(high << 16)
    pio[13] = 16  # IRQ_FORCE: hold
    pio[72] = guard_kill  # SM3_INSTR: latch
    high = 0x4001
    io = ptr32((high << 16) + 0x4000)
    i = leg_base
    while i < leg_base + legs:
        io[2 * i + 1] = 0x206
        i += 1
    if enable >= 0:
        io[2 * enable + 1] = 0x321F
    high = 0x5000
    abort = ptr32((high << 16) + 0x444)
    abort[0] = dma_mask
    high = 0x5020
    clear = ptr32((high << 16) + 0x3000)
    clear[0] = sm_mask
    high = 0x4005
    pwm = ptr32(high << 16)
    i = 0
    while i < 8:
        if slices & (1 << i):
            pwm[5 * i + 3] = 0
        i += 1
