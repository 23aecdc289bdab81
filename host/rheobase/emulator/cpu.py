"""Stop the emulated core at any moment, for ever or for a while, with no change to the image. Touches no peripheral.

Only the program counter is taken: it is sent to a trap that sleeps, and put back. Whatever else the program had is
left where it was, because the trap uses no register and interrupt handlers give back what they use. PIO, DMA, timers
and the watchdog go on.
"""

# The trap: `wfi`, then a branch to it. At the lowest word of both scratch banks, where the stack of core 0 would be
# only after it has overflowed; core 1 never runs. What stood there is put back all the same.
TRAP = 0x20040000
_CODE = bytes.fromhex("30bffde7")
_RETRY_NS = 100


def hang(board, for_ms=None):
    """The main loop of an EmulatedBoard stands still; interrupts are served as before.

    Takes hold as soon as the core is in no handler and has interrupts enabled: now, or some microseconds later.
    for_ms: go on after that time (a stall), None: never. Does nothing to a core that is stopped already.
    """
    _stop(board, for_ms, deaf=False)


def die(board, for_ms=None):
    """The same with interrupts off: nothing runs at all, as while flash is erased (400 ms for a large block)."""
    _stop(board, for_ms, deaf=True)


def stopped(board):
    """True while the core is stopped by this module."""
    return board.mcu.core.pc - TRAP in range(len(_CODE))


def _stop(board, for_ms, deaf):
    core = board.mcu.core
    if stopped(board):
        return
    if core.ipsr or core.pm:
        board.at(board.now_ns + _RETRY_NS, lambda: _stop(board, for_ms, deaf))
        return
    pc, enabled, under = core.pc, core.enabled_interrupts, _swap(board, _CODE)
    core.pc = TRAP
    core.waiting = False
    if deaf:
        core.enabled_interrupts = 0
    if for_ms is None:
        return
    resets = board.engine.resets

    def go_on():
        if board.engine.resets != resets:
            return
        if core.ipsr:  # in a handler, which will return to the trap
            board.at(board.now_ns + _RETRY_NS, go_on)
            return
        _swap(board, under)
        core.pc = pc
        core.enabled_interrupts = enabled
        core.interrupts_updated = True  # what has become pending meanwhile is served first
        core.waiting = False

    board.at(board.now_ns + round(for_ms * 1e6), go_on)


def _swap(board, data):
    """Put `data` at the trap's place; returns what stood there."""
    at = TRAP - 0x20000000
    before = bytes(board.mcu.sram[at : at + len(data)])
    board.mcu.sram[at : at + len(data)] = data
    return before
