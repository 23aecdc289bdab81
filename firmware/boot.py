"""First code after every reset and every soft reset: legs low, whatever was left running. Imports machine only."""

import machine

machine.mem32[0x50200034] = 16  # PIO0: hold
for _pin in range(30):
    if machine.mem32[0x40014004 + 8 * _pin] & 31 == 6:  # a pin of PIO0: override it low at the pad
        machine.mem32[0x40014004 + 8 * _pin] = 0x206
    elif machine.mem32[0x40014004 + 8 * _pin] == 0x331F:  # a stage enable, high: this file knows no board
        machine.mem32[0x40014004 + 8 * _pin] = 0x321F
machine.mem32[0x50000444] = 0x7FF  # DMA: abort all but the last
machine.mem32[0x50203000] = 0xF  # PIO0: machines off
machine.mem32[0x50303000] = 0xF  # PIO1: the capture too
for _slice in range(8):
    machine.mem32[0x4005000C + 0x14 * _slice] = 0  # PWM: compare 0
