"""PIO that keeps its own time (harness correction 2). Executes no instruction itself: the emulator's machines do.

The emulator lets a state machine run at most one instruction per CPU instruction, and one per jump over a sleep,
so waveforms stretch whenever the CPU sleeps and dividers below about 4 are never exact. Here each block is driven
by the simulation clock instead: an alarm stands at the next instruction that can matter, every edge falls on its
own clock cycle whatever the CPU does, and loops that cannot matter are passed over in one go (loops.py).
Whatever reaches into a machine from outside (a register write, a reset) first brings it to the present.

Times are in 1/256 of a system clock (`_fp`), as in the emulator. Inputs pass the two-flop synchroniser (2 clocks): a
`jmp pin` sees the level that was there two clocks ago.
"""

from rp2040py.peripherals.pio import RPPIO
from rp2040py.peripherals.pio_registers import (
    CTRL,
    EXECCTRL_EXEC_STALLED,
    INSTR_MEM0,
    INSTR_MEM31,
    RXF0,
    RXF3,
    SM0_CLKDIV,
    SM3_PINCTRL,
    WaitType,
)
from rp2040py.peripherals.state_machine import StateMachine
from rp2040py.utils.fifo import FIFO

from rheobase.emulator.loops import JMP, MOV, PIN, Loops

FP_PER_NS = 32  # 256 / 8 ns
SYNC_FP = 2 << 8  # input synchroniser
_SHIFTCTRL, _INSTR = 0x08, 0x10  # from SMx_CLKDIV
_PER_SM = 0x18
_PULL = 4


class Machine(StateMachine):
    """A state machine of the emulator with four differences to hardware mended.

    A disabled machine leaves a stall only when it is enabled again; an instruction written to SMx_INSTR breaks a
    stall and leaves the program counter where it was, unless it is a jump; `pull noblock` forced on an empty FIFO
    is no stall; changing a FIFO's join empties and resizes both (that is how the SDK and `sm.init()` flush them).
    """

    def __init__(self, chip, pio, index):
        super().__init__(chip, pio, index)
        self.forced_pc = None  # program counter to return to when a forced instruction has stalled

    def check_wait(self):
        if not self.waiting or not (self.enabled or self.forced_pc is not None):
            return
        super().check_wait()
        if not self.waiting and self.forced_pc is not None:
            self.pc = self.forced_pc
            self.forced_pc = None

    def force(self, opcode):
        """What a write to SMx_INSTR does."""
        self.waiting = False
        before, self.forced_pc = self.pc, self.pc
        tx_stall, fdebug = self.pio.tx_stall, self.pio.fdebug
        self.execute_instruction(opcode)
        if opcode >> 13 == _PULL and opcode & 0xA0 == 0x80:
            self.pio.tx_stall, self.pio.fdebug = tx_stall, fdebug
        if self.waiting:
            self.forced_pc = before
            self.exec_ctrl |= EXECCTRL_EXEC_STALLED
        elif opcode >> 13 not in (JMP, MOV, 3):
            self.pc = before
            self.forced_pc = None
        else:
            self.forced_pc = None

    def write_uint32(self, offset, value):
        if offset == _INSTR:
            self.force(value & 0xFFFF)
            return
        if offset == _SHIFTCTRL and (value ^ self.shift_ctrl) >> 30:
            join_tx, join_rx = value >> 30 & 1, value >> 31 & 1
            self.tx_fifo = FIFO(0 if join_rx else 8 if join_tx else 4)
            self.rx_fifo = FIFO(0 if join_tx else 8 if join_rx else 4)
            dma = self.rp2040.dma
            (dma.clear_dreq if join_rx else dma.set_dreq)(self.dreq_tx)
            dma.clear_dreq(self.dreq_rx)
        super().write_uint32(offset, value)

    def reset(self):
        super().reset()
        self.forced_pc = None
        self.tx_fifo, self.rx_fifo = FIFO(4), FIFO(4)


class EventPio(Loops, RPPIO):
    """One PIO block. Same registers as the emulator's; scheduling as the module says."""

    def __init__(self, chip, name, first_irq, index):
        self.machines = [Machine(chip, self, i) for i in range(4)]
        self._clock = chip.clock
        self._alarm = chip.clock.create_alarm(self._on_due)
        self._spins = [None] * 4
        self._grid_fp = [None] * 4  # a clock tick of a stalled machine, for its phase
        self._asserted = False
        self._heard = {}  # GPIO: its level as last heard
        self._moves = {}  # GPIO: [(when, level before)] of its last moves
        self._moved_fp = -SYNC_FP  # last move of any of them
        self._settling = self._again = False
        self.steps = 0  # executed one by one, for the benchmark

    # ---- entry points -------------------------------------------------------------------------

    def enter(self):
        """Something outside is about to touch the block: bring its clock to the present."""
        self.cycle_fp = int(self._clock.nanos * FP_PER_NS + 0.5)

    def input_changed(self, gpio):
        """The level of an input moved now: machines that poll it see it two clocks later."""
        now = self.cycle_fp
        if gpio in self._heard:
            self._note_move(gpio)
        for i, spin in enumerate(self._spins):
            if spin is not None and spin.pin == gpio:
                self._catch_up(i, now + self._sync_fp(gpio) - 1)
        self._settle()

    def _listen(self, gpio):
        """Be told of `gpio` also when the chip itself drives it: a machine waits for it."""
        if gpio not in self._heard:
            self._heard[gpio] = bool(self.rp2040.gpio[gpio].input_value)
            self.rp2040.gpio[gpio].add_listener(lambda new, old: self._own_pin_moved(gpio))

    def _note_move(self, gpio):
        level = bool(self.rp2040.gpio[gpio].input_value)
        if level != self._heard[gpio]:
            self._moves[gpio] = [*self._moves.get(gpio, ())[-3:], (self.cycle_fp, not level)]
            self._heard[gpio] = level
            self._moved_fp = self.cycle_fp

    def _settled(self, gpio, at_fp):
        """True if a `jmp pin` from at_fp on sees the level that is there now."""
        moves = self._moves.get(gpio)
        return not moves or moves[-1][0] + self._sync_fp(gpio) <= at_fp

    def _sync_fp(self, gpio):
        return 0 if self.input_sync_bypass >> gpio & 1 else SYNC_FP

    def _seen(self, gpio, at_fp):
        """Level of `gpio` that a `jmp pin` sees at at_fp."""
        level = self._heard[gpio]
        for moved_fp, before in reversed(self._moves.get(gpio, ())):
            if moved_fp + self._sync_fp(gpio) <= at_fp:
                break
            level = before
        return level

    def _step(self, machine):
        """Execute one instruction; a `jmp pin` by the level that has come through the synchroniser."""
        pc, due = machine.pc, machine.next_due_fp
        machine.step()
        self.steps += 1
        if due < self._moved_fp + SYNC_FP:
            opcode = self.instructions[pc]
            if opcode & 0xE0E0 == PIN << 5 and machine.jmp_pin in self._heard:
                passed = machine.wrap_bottom if pc == machine.wrap_top else (pc + 1) & 31
                machine.pc = opcode & 0x1F if self._seen(machine.jmp_pin, due) else passed

    def _own_pin_moved(self, gpio):
        self.enter()
        for machine in self.machines:
            if machine.waiting and machine.wait_type == WaitType.PIN and machine.wait_index == gpio:
                machine.check_wait()
        self.input_changed(gpio)

    def write_uint32(self, offset, value):
        self.enter()
        if SM0_CLKDIV <= offset <= SM3_PINCTRL:
            self._catch_up((offset - SM0_CLKDIV) // _PER_SM, self.cycle_fp)
        elif offset == CTRL or INSTR_MEM0 <= offset <= INSTR_MEM31:
            for i in range(4):
                self._catch_up(i, self.cycle_fp)
        if offset == CTRL:
            self._write_ctrl(value)
        else:
            super().write_uint32(offset, value)
        self._settle()

    def _write_ctrl(self, value):
        asleep = [not machine.enabled for machine in self.machines]
        super().write_uint32(CTRL, value)
        for i, machine in enumerate(self.machines):
            if value >> (8 + i) & 1:  # CLKDIV_RESTART: a stalled machine's clock has a new phase as well
                self._grid_fp[i] = self.cycle_fp + machine.div_fp if machine.waiting else None
            if machine.enabled and asleep[i]:
                machine.check_wait()

    def read_uint32(self, offset):
        if RXF0 <= offset <= RXF3:
            self.enter()
            value = super().read_uint32(offset)
            self._settle()
            return value
        return super().read_uint32(offset)

    def reset(self):
        self._alarm.cancel()
        super().reset()
        self._spins = [None] * 4
        self._grid_fp = [None] * 4
        self._asserted = False
        self._heard = {gpio: bool(self.rp2040.gpio[gpio].input_value) for gpio in self._heard}
        self._moves.clear()
        self._moved_fp = -SYNC_FP
        self.enter()
        self.check_changed_pins()

    def check_interrupts(self):
        """Only if anything is enabled, forced or still asserted: it is asked for after every FIFO access."""
        if self.irq0_int_enable or self.irq1_int_enable or self.irq0_int_force or self.irq1_int_force:
            self._asserted = True
            super().check_interrupts()
        elif self._asserted:
            self._asserted = False
            super().check_interrupts()

    # ---- stepping -----------------------------------------------------------------------------

    def _on_due(self):
        now = self.cycle_fp = int(self._clock.nanos * FP_PER_NS + 0.5)
        spins = self._spins
        for i, machine in enumerate(self.machines):
            if not machine.enabled or machine.waiting:
                continue
            spin = spins[i]
            if spin is not None:
                if spin.count is None or spin.start_fp + spin.count * spin.step_fp > now:
                    continue
                self._catch_up(i, now)
            if machine.next_due_fp <= now:
                self._step(machine)
                if machine.waiting:
                    self._grid_fp[i] = now
                    if machine.wait_type == WaitType.PIN:
                        self._listen(machine.wait_index)
                else:
                    self._pass_over(i, machine)
        self._settle()

    def _settle(self):
        """After anything has happened: phases of machines that left a stall, the latch's word, edges, next alarm.

        An edge of our own may wake one of our own machines: then once more.
        """
        self._again = True
        if not self._settling:
            self._settling = True
            try:
                while self._again:
                    self._again = False
                    self._settle_once()
            finally:
                self._settling = False

    def _settle_once(self):
        now = self.cycle_fp
        nearest = None
        for i, machine in enumerate(self.machines):
            if not machine.enabled:
                continue
            if machine.waiting:
                if self._grid_fp[i] is None:
                    self._grid_fp[i] = machine.next_due_fp
                continue
            grid = self._grid_fp[i]
            if grid is not None:
                # The stall ended between two ticks of this machine's clock: it goes on at the next one.
                self._grid_fp[i] = None
                base = now + SYNC_FP if machine.wait_type == WaitType.PIN else now
                tick = base + (grid - base) % machine.div_fp
                if machine.next_due_fp >= now + machine.div_fp:
                    machine.next_due_fp += tick - now
                else:
                    machine.next_due_fp = tick
            spin = self._spins[i]
            if spin is None:
                due = machine.next_due_fp
            elif spin.count is None:
                continue
            else:
                due = spin.start_fp + spin.count * spin.step_fp
            if nearest is None or due < nearest:
                nearest = due
        if self.pin_values != self.old_pin_values or self.pin_directions != self.old_pin_directions:
            for i, spin in enumerate(self._spins):
                if spin is not None and spin.writes is not None and self.machines[i].enabled:
                    due = self._repeat_write(i, spin)
                    if due is not None and (nearest is None or due < nearest):
                        nearest = due
            self.check_changed_pins()
        if nearest is None:
            self._alarm.cancel()
        else:
            self._alarm.schedule(max(0, nearest - now) / FP_PER_NS)

    def _repeat_write(self, i, spin):
        """The latch's next write falls in this cycle if its clock is undivided, else at its next tick."""
        machine = self.machines[i]
        if spin.step_fp == 256:
            cycles = machine.cycles
            machine.execute_instruction(spin.writes)
            machine.cycles = cycles
            return None
        self._catch_up(i, self.cycle_fp)
        return machine.next_due_fp
