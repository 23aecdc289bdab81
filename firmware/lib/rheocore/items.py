"""The item word that the PIO program plays, and its exact duration. Numbers only; no hardware.

One 32-bit word, least significant bits first: width 10 | gap 8 | rest 14, in ticks of 1 us.
Durations are cycle counts of the program in rheorp2/pio_programs.py; tests/pio proves each of them.
Words are made as two halves of 16 bits: a whole one would not fit a MicroPython small integer (31 bits).
"""

TICK_NS = 1000  # PIO divider 125 at 125 MHz

WIDTH_MIN_US = 1
WIDTH_MAX_US = 1023  # 10 bits
GAP_MIN_US = 3  # gap = field + 3: `out`, the loop's last test and `mov` are one tick each
GAP_MAX_US = 255  # 252 in the field; the schema's bound
REST_MAX_US = 16383  # 14 bits

PULSE_FIXED_US = 1378  # ticks of a pulse item beyond 2*width + gap field + rest: the rate cap
REST_FIXED_US = 8  # ticks of a rest item beyond its rest
LEAD_US = 5  # from the start of a pulse item to leg A's rising edge
ITEM_MAX_US = 16_000  # longest item ever made: with 5 items beyond the DMA it keeps "off in 200 ms"


def lo(width_us, gap_field):
    """Lower half of an item's word. width_us 0 (a rest) or 1..1023; gap_field = gap - 3, 0..255."""
    return (width_us | gap_field << 10) & 0xFFFF


def hi(gap_field, rest_us):
    """Upper half of an item's word. rest_us 0..16383."""
    return gap_field >> 6 | rest_us << 2


def word(width_us, gap_us, rest_us):
    """Whole word of a pulse item (host and tests; allocates on the device)."""
    field = gap_us - GAP_MIN_US
    return lo(width_us, field) | hi(field, rest_us) << 16


def decode(value):
    """(width_us, gap_field, rest_us) of a word."""
    return value & 0x3FF, value >> 10 & 0xFF, value >> 18 & 0x3FFF


def duration_us(value):
    """Ticks that the program spends on the word, from its first instruction to the next item's first."""
    width_us, gap_field, rest_us = decode(value)
    if width_us:
        return 2 * width_us + gap_field + rest_us + PULSE_FIXED_US
    return rest_us + REST_FIXED_US


def min_period_us(width_us, gap_us):
    """Shortest period that an item of this width and gap can have, in us."""
    return 2 * width_us + gap_us - GAP_MIN_US + PULSE_FIXED_US
