"""Ring of item words between a plan and the DMA: fills a lease, accounts what was played. No hardware.

The lease is finite: never more than LEASE_US of items stand unplayed in the ring, whatever the plan. Whoever owns the
DMA tells the ring how far it was read; nothing here allocates while a train's time is below 2**30 us
(17.9 min).
"""

from array import array

from rheocore.items import ITEM_MAX_US

SIZE = 128  # words; a power of two: the DMA wraps on it. 100 ms at the rate cap of 725 Hz are 73 words
BYTES = 4 * SIZE
LEASE_US = 100_000
_PULSE = 0x8000  # flag beside the duration (at most 16000)
_MASK = SIZE - 1
_LATE_MS = 2  # how far the played time may lie off the clock's, beyond the item in play: both count one crystal


class Feeder:
    """Items of one channel on their way.

    ring: array('H') that holds the ring from half `first` on, aligned for the DMA. made, read, played: items since
    begin(), counted up and never wrapped.
    pulses, charge_uc and charge_pc (below 1e6, so that both stay small integers), t_us: of the items played since
    begin(). A pulse counts when the state machine takes its item.
    """

    def __init__(self, ring, first=0):
        self.ring = ring
        self.first = first
        self.cost = array("H", bytes(2 * SIZE))
        self.mark = array("H", bytes(2 * SIZE))  # of each word made: what is read must still be it
        self.begin(None)

    def begin(self, plan):
        """Start anew with a plan (None: nothing to play)."""
        self.plan = plan
        self.exhausted = plan is None
        self.made = self.read = self.played = 0
        self.ahead_us = 0  # unread items in the ring
        self.pulses = 0
        self.last_pulse = 0  # 1 if the item played last is a pulse
        self.charge_uc = self.charge_pc = 0
        self.ua = 0  # set-point now, uA: whoever sets the DAC says it here
        self.t_us = 0
        self.last_us = 0  # of it: the item in play, or played last
        self.early_ms = self.late_ms = 0

    def started(self, early_ms, late_ms):
        """The first item's leave was given between these two times."""
        self.early_ms = early_ms
        self.late_ms = late_ms

    def done(self):
        """True once the plan is used up and every item taken."""
        return self.exhausted and self.played == self.made

    def in_time(self, early_ms, late_ms):
        """True if what was played fits the time passed. The account was made between these two times.

        A machine that is stuck, too fast or too slow, or that plays words that nobody made, is out of time.
        """
        if (self.t_us - self.last_us) // 1000 > late_ms - self.early_ms + _LATE_MS:
            return False
        return self.done() or self.t_us // 1000 >= early_ms - self.late_ms - _LATE_MS

    def fill(self):
        """Make items until the lease is full or the plan ends. Returns the number of unread words: the DMA's count."""
        plan = self.plan
        ring = self.ring
        first = self.first
        cost = self.cost
        mark = self.mark
        while not self.exhausted and self.ahead_us <= LEASE_US - ITEM_MAX_US:
            if not plan.next():
                self.exhausted = True
                break
            i = self.made & _MASK
            ring[first + 2 * i] = plan.lo
            ring[first + 2 * i + 1] = plan.hi
            mark[i] = plan.lo ^ plan.hi
            cost[i] = plan.dur_us | _PULSE if plan.pulse else plan.dur_us
            self.ahead_us += plan.dur_us
            self.made += 1
        return self.made - self.read

    def advance(self, position, queued, set_ua):
        """Account: the DMA stands at word `position` of the ring, `queued` of the words read are still in the FIFO.

        set_ua: set-point of the pulses that were played meanwhile, in uA. Returns the number of unread words, -1 if the
        position cannot be (below zero or beyond what was made), or if a word read is not the one that was made.
        """
        if position < 0:
            return -1
        cost = self.cost
        ring = self.ring
        ahead = (position - self.read) & _MASK
        if ahead > self.made - self.read:
            return -1
        same = True
        for k in range(self.read, self.read + ahead):
            i = k & _MASK
            at = self.first + 2 * i
            self.ahead_us -= cost[i] & ~_PULSE
            if ring[at] ^ ring[at + 1] != self.mark[i]:
                same = False
        self.read += ahead
        played = self.read - queued
        while self.played < played:
            i = self.played & _MASK
            dur = cost[i]
            self.last_pulse = dur >> 15
            if self.last_pulse:
                dur &= ~_PULSE
                self.pulses += 1
                pc = self.charge_pc + set_ua * (ring[self.first + 2 * i] & 0x3FF)
                self.charge_uc += pc // 1_000_000
                self.charge_pc = pc % 1_000_000
            self.last_us = dur
            self.t_us += dur
            self.played += 1
        return self.made - self.read if same else -1
