"""The board's own capture: PIO block 1 times the edges of up to four wires into memory. Reads pads, drives nothing.

Machine i looks at wire i every second clock (pio_programs.edges), a DMA channel stores what it pushes: no CPU in it.
Memory is taken only while nothing is armed, and no DMA outlives it: whoever leaves the app calls halt() first.
"""

import gc

import uctypes
from micropython import const

from rheorp2 import hw
from rheorp2.pio_programs import edges

_PIO1 = const(0x50300000)
_FDEBUG = const(0x50300008)  # RXSTALL 3:0
_FLEVEL = const(0x5030000C)
_RXF = const(0x50300020)
_SYNC_BYPASS = const(0x50300038)
_MEM = const(0x50300048)
_SM = const(0x503000C8)
_CHANNELS = (3, 8, 9, 10)  # of the DMA: what neither the leases (0 to 2) nor the cutoff (4 to 7) use
_RX_REQUEST = const(12)  # of machine 0 (RP2040 datasheet 2.5.3.1)
_WRAP_TARGET, _WRAP, _LOW_LOOK = const(3), const(9), const(3)  # of the program
_SHIFTCTRL = const(1 << 31 | 1 << 18 | 1 << 16)  # receive FIFO of 8, autopush at 32 bits
_MOV_X_ONES = const(0xA02B)
_IN_X = const(0x4020)
# Bytes of heap that stay free for a session. The collector reads what is taken: a collection takes 18 ms beside the
# largest capture, 8 without one; were half of this free, 25, and a pass of the loop has 20.
_RESERVE = const(131072)
_INTERLOCK_ROOM = const(256)  # edges: it opens once; what chatters more is seen to be full
PIECE = const(256)  # words told at once


class Capture:
    """board: the description. start(), then head() and words(); halt() and drop() at any time."""

    def __init__(self, board):
        self.clk_hz = board["clk_sys_hz"]
        self.pins = {"INTERLOCK": board["interlock"]}
        for c in board["channels"]:
            self.pins["CH%d_A" % c["n"]] = c["leg_a"]
            self.pins["CH%d_B" % c["n"]] = c["leg_b"]
        self.wires = ()  # names, in the order of the machines
        self.buffers = ()
        self.began_ms = 0
        self.told = None  # head() of a capture that is over

    def start(self, wires, room):
        """Time the wires (names) from now on, with room for so many edges on each leg, and for as many as an interlock
        has. None, or about how many fit on a leg."""
        self.drop()
        gc.collect()
        legs = len([wire for wire in wires if wire != "INTERLOCK"])
        spare = gc.mem_free() - _RESERVE - 4 * _INTERLOCK_ROOM
        fits = min(room, max(0, spare) // (4 * max(legs, 1)))
        while True:
            rooms = [min(fits, _INTERLOCK_ROOM) if wire == "INTERLOCK" else fits for wire in wires]
            try:
                self.buffers = [bytearray(4 * most) for most in rooms]
                break
            except MemoryError:  # so much, but not in one piece
                fits -= fits // 8 + 1
        if fits < room:
            self.buffers = ()
            return (fits - fits // 16) // 100 * 100  # a configuration takes 4 kB of it
        self.wires = tuple(wires)
        for i in range(len(edges[0])):
            hw.wr(_MEM + 4 * i, edges[0][i])
        hw.wr(_SYNC_BYPASS, 0)
        for i in range(len(wires)):
            self._set_up(i, self.pins[wires[i]], rooms[i])
        hw.wr(_FDEBUG, 0x0F0F0F0F)
        mask = (1 << len(wires)) - 1
        self.began_ms = hw.now_ms()
        hw.wr(_PIO1, mask | mask << 8)  # enable, dividers restarted: the first look of all wires is in the same clock
        return None

    def _set_up(self, i, pin, room):
        at = _SM + i * hw.SM_STRIDE
        hw.wr(at, 1 << 16)  # full clock
        hw.wr(at + 4, pin << 24 | _WRAP << 12 | _WRAP_TARGET << 7)
        hw.wr(at + 8, 0)
        hw.wr(at + 8, _SHIFTCTRL)  # joining empties the FIFO
        hw.wr(at + 0x14, 0)  # no pin is an output's
        hw.wr(_PIO1, 1 << (4 + i))  # restart: nothing shifted in
        hw.wr(at + 0x10, _MOV_X_ONES)
        hw.wr(at + 0x10, _LOW_LOOK)  # jmp: a wire that is high already shows an edge at the first look
        n = _CHANNELS[i]
        at = hw.DMA + 0x40 * n
        hw.wr(hw.DMA_CREDITS + 0x40 * n, 0)
        hw.wr(at, _RXF + 4 * i)
        hw.wr(at + 4, uctypes.addressof(self.buffers[i]))
        hw.wr(at + 8, room)
        # Words, to rising addresses, one for each request of the machine, chained to nothing, quiet.
        hw.wr(at + 0xC, 1 | 2 << 2 | 1 << 5 | n << 11 | (_RX_REQUEST + i) << 15 | 1 << 21)

    @staticmethod
    def halt():
        """Machines and DMA stand still; callable from anywhere, any number of times. Allocates nothing."""
        hw.wr(_PIO1, 0)
        hw.stop_dma(3, 1)
        hw.stop_dma(8, 3)

    def drop(self):
        """Halt, forget the capture and give its memory back."""
        self.halt()
        self.wires = self.buffers = ()
        self.told = None

    def head(self):
        """messages.CAPTURED of the capture, which this ends; None if there is none."""
        if not self.told and self.wires:
            hw.wr(_PIO1, 0)
            took_ms = hw.now_ms() - self.began_ms
            rows = {self.wires[i]: self._row(i) for i in range(len(self.wires))}
            self.halt()
            self.told = {"clk_hz": self.clk_hz, "began_ms": self.began_ms, "took_ms": took_ms, "wires": rows}
        return self.told

    def _row(self, i):
        """messages.CAPTURED_WIRE of wire i, whose machine stands still."""
        n = _CHANNELS[i]
        tries = 0
        while hw.field(_FLEVEL, 8 * i + 4, 15) and tries < 100:  # the DMA empties it if there is room
            tries += 1
        hw.stop_dma(n, 1)
        count = (hw.field(hw.DMA + 0x40 * n + 4, 0, 0x3FFFFFFF) - uctypes.addressof(self.buffers[i])) // 4
        full = hw.field(_FLEVEL, 8 * i + 4, 15) > 0
        stalled = hw.field(_FDEBUG, i, 1) == 1
        left = None
        if not full:
            hw.wr(_SM + i * hw.SM_STRIDE + 0x10, _IN_X)
            left = hw.word(_RXF + 4 * i)
        return {"count": count, "full": full, "stalled": stalled, "left": left}

    def words(self, wire, first):
        """The words stored for a wire from `first` on, PIECE of them at most, as a memoryview of bytes; None: no wire
        of this capture, or no such word."""
        rows = self.head()["wires"]
        if wire not in rows or not 0 <= first <= rows[wire]["count"]:
            return None
        at = 4 * first
        return memoryview(self.buffers[self.wires.index(wire)])[at : min(at + 4 * PIECE, 4 * rows[wire]["count"])]
