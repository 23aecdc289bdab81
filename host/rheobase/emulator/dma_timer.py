"""DMA pacing timers at the datasheet's rate (harness correction 3), and an abort that ends as on the chip.

The emulator takes the period of timer X/Y as X/Y clocks; RP2040 datasheet 2.5.5.2 makes X/Y the *rate*: one
transfer every Y/X system clocks. It also shifts timer 3 by the wrong amount, CHAN_ABORT never reads 0, and an aborted
channel keeps its transfer count, which the chip clears (2.5.5.3).
"""

from rp2040py.peripherals.dma import CHAN_ABORT, TREQ

_TIMERS = {TREQ.TIMER0: "_timer0", TREQ.TIMER1: "_timer1", TREQ.TIMER2: "_timer2", TREQ.TIMER3: "_timer3"}


def period_us(register, clk_sys_hz):
    """Microseconds between two requests of a timer with X<<16 | Y in `register`; 0 if it never requests."""
    x, y = register >> 16, register & 0xFFFF
    return y / x * 1e6 / clk_sys_hz if x and y else 0


def correct(dma):
    """Replace the rate of the pacing timers, the read of CHAN_ABORT and the abort in this emulated DMA block."""
    stock_timer, stock_read = dma.get_timer, dma.read_uint32

    def get_timer(treq):
        name = _TIMERS.get(treq)
        return stock_timer(treq) if name is None else period_us(getattr(dma, name), dma.rp2040.clk_sys)

    def read_uint32(offset):
        return 0 if offset == CHAN_ABORT else stock_read(offset)

    def clearing(channel, abort):
        def ended():
            abort()
            channel._trans_count = 0

        return ended

    for channel in dma.channels:
        channel.abort = clearing(channel, channel.abort)
    dma.get_timer = get_timer
    dma.read_uint32 = read_uint32
