"""Scripts for the stock image: the pulse program with plain rp2 and memory-mapped DMA, and a CPU that naps and works.

They stand in for the product firmware, so that the emulated board is proved without it.
"""

PULSE_OVERHEAD = 1378  # ticks of a pulse item beside 2 x width, gap field and rest
REST_OVERHEAD = 8
GAP_OVERHEAD = 3
REST_MAX = 14_000  # a whole item stays under 16 ms

PROGRAM = """
import rp2, array, time, uctypes, gc
from machine import Pin, mem32
@rp2.asm_pio(sideset_init=(rp2.PIO.OUT_LOW,)*2, out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def biphasic():
    wait(0, irq, 4) .side(0)
    pull(block) .side(0)
    out(y, 10) .side(0)
    jmp(y_dec, "pulse") .side(0)
    out(null, 8) .side(0)
    jmp("rest") .side(0)
    label("pulse")
    mov(x, y) .side(0)
    label("a")
    jmp(x_dec, "a") .side(1)
    out(x, 8) .side(0)
    label("g")
    jmp(x_dec, "g") .side(0)
    mov(x, y) .side(0)
    label("b")
    jmp(x_dec, "b") .side(2)
    set(y, 4) .side(0)[7]
    label("f")
    set(x, 31) .side(0)[7]
    label("f2")
    jmp(x_dec, "f2") .side(0)[7]
    jmp(y_dec, "f") .side(0)[7]
    label("rest")
    out(x, 14) .side(0)
    label("r")
    jmp(x_dec, "r") .side(0)
@rp2.asm_pio(out_init=(rp2.PIO.OUT_LOW,)*6)
def guard():
    label("watch")
    jmp(pin, "watch")
    irq(4)
    wrap_target()
    mov(pins, null)
    wrap()
LEGS = 2
ILK = Pin(9, Pin.IN, Pin.PULL_DOWN)
SMS = [rp2.StateMachine(i, biphasic, freq=1_000_000, sideset_base=Pin(LEGS + 2 * i)) for i in range(3)]
GUARD = rp2.StateMachine(3, guard, out_base=Pin(LEGS), jmp_pin=ILK)
GUARD.active(1)
KEEP = []
def feed(n, words):
    buf = array.array('I', words)
    KEEP.append(buf)
    base = 0x50000000 + 0x40 * n
    mem32[base] = uctypes.addressof(buf)
    mem32[base + 4] = 0x50200010 + 4 * n
    mem32[base + 8] = len(buf)
    mem32[base + 0x10] = 1 << 21 | n << 15 | n << 11 | 1 << 4 | 2 << 2 | 1
def go(mask):
    mem32[0x50203000] = mask
    mem32[0x50000430] = mask
    mem32[0x50202000] = mask | mask << 8
def work(ms):
    t = time.ticks_us()
    while time.ticks_diff(time.ticks_us(), t) < ms * 1000:
        pass
"""

# Sleeps of 2 to 20 ms, between them work of 1/{share} as long.
NAPS = """
naps = 0
seed = 12345
t0 = time.ticks_ms()
while time.ticks_diff(time.ticks_ms(), t0) < {ms}:
    seed = (seed * 1103515245 + 12345) & 0x3fffffff
    d = 2 + (seed >> 16) % 19
    if naps & 1:
        work(max(1, d // {share}))
    else:
        time.sleep_ms(d)
    naps += 1
print(naps)
"""


def item(width_us, gap_us=50, rest=0):
    """One pulse item."""
    return width_us | (gap_us - GAP_OVERHEAD) << 10 | rest << 18


def period_words(period_us, width_us, gap_us=50):
    """The words of one pulse and the rests that fill its period."""
    left = period_us - (2 * width_us + gap_us - GAP_OVERHEAD + PULSE_OVERHEAD)
    rests = []
    while left - REST_OVERHEAD > REST_MAX:
        rests.append((REST_MAX - REST_OVERHEAD) << 18)
        left -= REST_MAX
    if rests:
        last = left - REST_OVERHEAD
        if last < 0:
            rests[-1] += last << 18
            last = 0
        return [item(width_us, gap_us), *rests, last << 18]
    return (
        [item(width_us, gap_us, left)] if left <= REST_MAX else [item(width_us, gap_us), (left - REST_OVERHEAD) << 18]
    )
