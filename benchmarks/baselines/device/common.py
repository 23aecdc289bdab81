"""Device: what every maker has beside its pulses: an application's heap, a host to answer, a watchdog. No pulses.

Put before it: PERIOD, WIDTH, GAP in us; PULSES of every CYCLE periods; COLLECT_US, WATCHDOG_MS (0: none), HARD.
"""

import gc
import json
import select
import sys
import time

import machine
from machine import WDT, Pin, Timer

heap = [[n, str(n)] for n in range(400)]  # live objects: a collection takes as long as in Rheobase's own application
leg_a, leg_b = Pin(2, Pin.OUT, value=0), Pin(3, Pin.OUT, value=0)
stdin = select.poll()
stdin.register(sys.stdin, select.POLLIN)
watchdog = WDT(timeout=WATCHDOG_MS) if WATCHDOG_MS else None
if COLLECT_US:
    collector = Timer(period=COLLECT_US, tick_hz=1_000_000, callback=lambda t: gc.collect())


def answer():
    """Read a line and answer it, as any program with a host does."""
    request = json.loads(sys.stdin.readline())
    while request["method"] == "wait":  # the bug: an answer is awaited that never comes
        time.sleep_ms(10)
    print(json.dumps({"id": request["id"], "result": {"state": "run", "uptime_ms": time.ticks_ms(), "pulses": 0}}))


def work():
    """One round of the application; allocates nothing unless the host has sent a line."""
    if watchdog:
        watchdog.feed()
    for _ in stdin.ipoll(0):
        answer()
