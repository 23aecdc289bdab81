"""Device: two PWM slices, one per leg, B's counter behind A's, run for ever; a callback gates them for bursts.

The API sets no phase between slices, so registers do. A compare value counts from its slice's next wrap on, so a gate
written between pulses cuts none. Leg B is GPIO4 here: GPIO2 and GPIO3 share a slice.
"""

import micropython
from machine import PWM, mem32

pins = [PWM(Pin(gpio), freq=1000, duty_u16=0) for gpio in (2, 4)]  # slices 1 and 2
SLICE_A, SLICE_B = 0x40050014, 0x40050028  # CSR, DIV, CTR, CC, TOP


@micropython.viper
def gate(level: int, first: int, last: int):
    """Compare values of both, written while A's counter stands between `first` and `last`: after B, before A."""
    a = ptr32(0x40050014)
    b = ptr32(0x40050028)
    interrupts = machine.disable_irq()
    while a[2] < first or a[2] > last:
        pass
    a[3] = level
    b[3] = level
    machine.enable_irq(interrupts)


def tick(timer):
    """In the middle of each period: should the next one have a pulse?"""
    global is_open
    following = time.ticks_diff(time.ticks_us(), begin) // PERIOD + 1
    wanted = following % CYCLE < PULSES
    if wanted != is_open:
        gate(WIDTH if wanted else 0, 2 * WIDTH + GAP + 10, PERIOD - 20)
        is_open = wanted


for base in (SLICE_A, SLICE_B):
    mem32[base] = 1
    mem32[base + 4] = 125 << 4  # 1 us
    mem32[base + 0x10] = PERIOD - 1
time.sleep_ms(100)  # the new top counts from the next wrap on
mem32[0x400530A0] = 6  # stop both
for base, behind in ((SLICE_A, 100), (SLICE_B, 100 + WIDTH + GAP)):
    mem32[base + 8] = PERIOD - behind
    mem32[base + 0xC] = WIDTH
is_open = True
mem32[0x400520A0] = 6  # start both at once: the first pulse comes 100 us later
begin = time.ticks_add(time.ticks_us(), 100)
if PULSES < CYCLE:
    time.sleep_us(PERIOD // 2)
    ticker = Timer(period=PERIOD, tick_hz=1_000_000, callback=tick)
while True:
    work()
    time.sleep_ms(1)
