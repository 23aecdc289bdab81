"""Runs on MicroPython only: the plan, the feeder and the set-point must work with the heap locked. Prints what did not.

usage: allocations.py FIRMWARE_LIB
The Unix VM's small integers have 63 bits, the board's 31: tests/core/test_core_small_ints.py looks at that.
"""

import sys

import micropython

sys.path.insert(0, sys.argv[1])

from array import array

from configs import ALTERNATING, BASE, BURST, MODULATED, but
from rheocore import feeder
from rheocore.envelope import Envelope, slew
from rheocore.plan import Plan


def make_items(plan):
    made = 0
    while made < 400 and plan.next():
        made += 1
    return made


def feed_ring(feed):
    read = 0
    while feed.fill():
        read += 1
        feed.advance(read & 127, 0, 5)
    return feed.made


def walk(envelope):
    ua = 0
    for t_ms in range(0, 10000, 20):
        ua = slew(ua, 1000 * (envelope.level(t_ms) >> 4) >> 12, 250)
        envelope.phase(t_ms)
    return 1


def locked(name, function, argument):
    micropython.heap_lock()
    try:
        made = function(argument)
    except MemoryError:
        made = None
    micropython.heap_unlock()
    print(name, "works" if made else "ALLOCATES")


for cfg in (BASE, BURST, ALTERNATING, MODULATED, but(BASE, on_ms=3000, off_ms=1000)):
    locked("plan " + cfg["kind"], make_items, Plan(cfg))
    feed = feeder.Feeder(array("H", bytes(4 * feeder.SIZE)))
    feed.begin(Plan(cfg, 5000000))
    locked("feeder " + cfg["kind"], feed_ring, feed)
    locked("envelope " + cfg["kind"], walk, Envelope(cfg))
locked("proof", bytearray, 1000)  # must say ALLOCATES, or nothing above means anything
