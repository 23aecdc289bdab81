"""The PIO programs, as rp2 assembles them: `biphasic` plays items, `guard` forces the legs low, `edges` times a wire.

A module of its own, imported before anything can interrupt: asm_pio empties its module's globals while it assembles.
tests/pio counts every cycle. Item format: rheocore/items.py.
"""

import rp2


@rp2.asm_pio(sideset_init=(rp2.PIO.OUT_LOW, rp2.PIO.OUT_LOW), out_shiftdir=rp2.PIO.SHIFT_RIGHT)
def biphasic():
    # Side-set: leg A = 1, leg B = 2. Both phases take their length from y: unequal phases have no encoding.
    # The only three places to stall have both legs low.
    wait(0, irq, 4).side(0)  # IRQ flag 4 set = hold: every item starts by asking leave
    pull(block).side(0)
    out(y, 10).side(0)
    jmp(y_dec, "pulse").side(0)
    out(null, 8).side(0)  # width 0: a rest
    jmp("rest").side(0)
    label("pulse")
    mov(x, y).side(0)
    label("a")
    jmp(x_dec, "a").side(1)  # width ticks
    out(x, 8).side(0)
    label("g")
    jmp(x_dec, "g").side(0)  # gap, legs low
    mov(x, y).side(0)
    label("b")
    jmp(x_dec, "b").side(2)  # the same width, from the same register
    wait(0, irq, 4).side(0)  # held in a pulse, it stands here: the counter tells a cut pulse from a whole one
    set(y, 4).side(0)[6]
    label("f")
    set(x, 31).side(0)[7]  # the fixed part: caps the rate of anything, garbage included
    label("f2")
    jmp(x_dec, "f2").side(0)[7]
    jmp(y_dec, "f").side(0)[7]
    label("rest")
    out(x, 14).side(0)
    label("r")
    jmp(x_dec, "r").side(0)


@rp2.asm_pio(out_init=(rp2.PIO.OUT_LOW,) * 6)
def guard():
    # Full clock, highest state machine: what it writes wins. jmp pin = interlock, closed = high.
    label("watch")
    jmp(pin, "watch")
    irq(4)  # hold everything; the CPU's kill enters here
    wrap_target()
    mov(pins, null)  # every cycle, for ever
    wrap()


@rp2.asm_pio()
def edges():
    # Block 1, full clock. jmp pin = one wire, looked at every second clock and never else: a look that finds no edge
    # counts x down, one that finds an edge stores x instead. So edge k (from 0) was found by look 2**32 - 1 - x + k.
    label("high")
    jmp(x_dec, "high_look")  # at 0 it falls through, to the same
    label("high_look")
    jmp(pin, "high")
    in_(x, 32)  # fell; autopush
    wrap_target()
    label("low_look")
    jmp(pin, "rise")
    jmp(x_dec, "low_look")
    jmp(pin, "rise")  # x has come round, every 68.7 s: the same once more
    jmp(x_dec, "low_look")
    label("rise")
    in_(x, 32)
    jmp(pin, "high")
    in_(x, 32)  # fell at once
    wrap()
