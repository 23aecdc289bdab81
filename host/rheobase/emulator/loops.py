"""Loops of a PIO program that cannot matter, passed over in one go. A part of clocking.py: executes nothing itself.

- `jmp x--` / `jmp y--` to itself: its count is known, so it is executed by subtraction;
- the same and a `jmp pin` in turn (a wait for a pin that is timed): both, until the pin moves or the count is over;
- a jump to itself on a pin, or on a condition that nothing changes: it spins until that pin moves;
- a one- or two-instruction loop that writes the same value (`mov pins, null`, the guard's latch): it spins, and
  its write is repeated in the same cycle whenever another machine or the CPU touches the pins.
"""

JMP, MOV, SET = 0, 5, 7  # top three bits of an opcode
ALWAYS, X_DEC, Y_DEC, PIN, OSRE = 0, 2, 4, 6, 7  # condition of a JMP


class Spin:
    """A loop that a machine is passed over in: where it stands, since when, for how long."""

    __slots__ = ("count", "look", "look_fp", "pin", "register", "start_fp", "step_fp", "writes")

    def __init__(self, start_fp, step_fp, count=None, register=None, pin=None, writes=None, look=None, look_fp=0):
        self.start_fp = start_fp  # due time of the first execution passed over
        self.step_fp = step_fp  # length of one turn
        self.count = count  # turns left, or None: for ever
        self.register = register  # "x" or "y", counted down
        self.pin = pin  # input that ends it
        self.writes = writes  # opcode repeated every turn that writes pins, or None
        self.look = look  # address of the `jmp pin` that follows the one that counts, or None
        self.look_fp = look_fp  # how long after it


class Loops:
    """Of a block: machines, instructions, pins and chip are RPPIO's; _spins, _listen() are EventPio's."""

    def _pass_over(self, i, machine):
        """If the machine stands at a loop that cannot matter, note it instead of executing it."""
        pc = machine.pc
        opcode = self.instructions[pc]
        kind = opcode >> 13
        if kind == JMP:
            condition = (opcode >> 5) & 7
            if opcode & 0x1F != pc:
                if condition == PIN and machine.wrap_top == pc == machine.wrap_bottom:
                    self._note(i, machine, opcode, pin=machine.jmp_pin, inert=not self._jmp_level(machine))
                elif condition in (X_DEC, Y_DEC):
                    self._note_timed(i, machine, opcode)
                return
            if condition in (X_DEC, Y_DEC):
                register = "x" if condition == X_DEC else "y"
                count = getattr(machine, register)
                if count and self._side_is_set(machine, opcode):
                    self._spins[i] = Spin(
                        machine.next_due_fp, self._turn_fp(machine, opcode), count=count, register=register
                    )
            elif condition == PIN:
                self._note(i, machine, opcode, pin=machine.jmp_pin, inert=self._jmp_level(machine))
            else:
                taken = (
                    condition == ALWAYS
                    or (condition == 1 and machine.x == 0)
                    or (condition == 3 and machine.y == 0)
                    or (condition == 5 and machine.x != machine.y)
                    or (condition == OSRE and machine.output_shift_count < machine.pull_threshold)
                )
                self._note(i, machine, opcode, inert=taken)
        elif kind in (MOV, SET) and self._same_every_time(opcode):
            if machine.wrap_top == pc == machine.wrap_bottom:
                self._note(i, machine, opcode, writes=opcode)
            else:
                after = self.instructions[(pc + 1) & 31]
                if pc != machine.wrap_top and after >> 13 == JMP and after & 0xFF == pc:
                    turn = self._turn_fp(machine, opcode) + self._turn_fp(machine, after)
                    self._note(i, machine, opcode, writes=opcode, turn_fp=turn)

    def _note(self, i, machine, opcode, pin=None, inert=True, writes=None, turn_fp=None):
        """Spin for ever, once a turn has been executed with nothing left to change."""
        if inert and self._side_is_set(machine, opcode) and (writes is None or self._already_written(machine, writes)):
            if pin is not None:
                self._listen(pin)
                if not self._settled(pin, machine.next_due_fp):
                    return
            self._spins[i] = Spin(
                machine.next_due_fp, turn_fp or self._turn_fp(machine, opcode), pin=pin, writes=writes
            )

    def _note_timed(self, i, machine, opcode):
        """Spin while `opcode`, which counts x or y down, and a `jmp pin` after it lead to each other.

        The `jmp pin` comes two clocks from now at the earliest: it sees the level that is there now, or a later one.
        """
        look = opcode & 0x1F
        after = self.instructions[look]
        if after & 0xE0E0 != PIN << 5:
            return
        pin = machine.jmp_pin
        self._listen(pin)
        passed = machine.wrap_bottom if look == machine.wrap_top else (look + 1) & 31
        back = after & 0x1F if self._jmp_level(machine) else passed
        register = "x" if (opcode >> 5) & 7 == X_DEC else "y"
        count = getattr(machine, register)
        first, second = self._turn_fp(machine, opcode), self._turn_fp(machine, after)
        if back == machine.pc and count and self._side_is_set(machine, opcode) and self._side_is_set(machine, after):
            self._spins[i] = Spin(
                machine.next_due_fp, first + second, count=count, register=register, pin=pin, look=look, look_fp=first
            )

    def _jmp_level(self, machine):
        return bool(self.rp2040.gpio[machine.jmp_pin].input_value)

    @staticmethod
    def _turn_fp(machine, opcode):
        delay_bits = 5 - machine.sideset_count
        return (1 + ((opcode >> 8) & 0x1F & ((1 << delay_bits) - 1))) * machine.div_fp

    def _side_is_set(self, machine, opcode):
        """True if executing `opcode` changes no pin by its side-set."""
        count = machine.sideset_count
        if not count:
            return True
        field = (opcode >> 8) & 0x1F
        if machine.exec_ctrl >> 30 & 1:
            if not field & 0x10:
                return True
            count -= 1
            side = (field & 0xF) >> (4 - count)
        else:
            side = field >> (5 - count)
        pins = self.pin_directions if machine.exec_ctrl >> 29 & 1 else self.pin_values
        return (pins >> machine.sideset_base) & ((1 << count) - 1) == side

    @staticmethod
    def _same_every_time(opcode):
        """MOV pins/x/y from null or itself, SET: executed again it does the same."""
        if opcode >> 13 == SET:
            return True
        target, source = (opcode >> 5) & 7, opcode & 7
        return (target == 0 and source in (1, 2, 3)) or (target in (1, 2) and source in (target, 3))

    def _already_written(self, machine, opcode):
        """True if executing the MOV or SET `opcode` changes no pin now."""
        values, directions = self.pin_values, self.pin_directions
        cycles = machine.cycles
        machine.execute_instruction(opcode)
        machine.cycles = cycles
        same = (values, directions) == (self.pin_values, self.pin_directions)
        self.pin_values, self.pin_directions = values, directions
        return same

    def _catch_up(self, i, now):
        """Bring machine `i` out of a loop passed over, as it stands at `now` (executions at `now` included)."""
        spin = self._spins[i]
        if spin is None:
            return
        self._spins[i] = None
        machine = self.machines[i]
        turns = (now - spin.start_fp) // spin.step_fp + 1 if now >= spin.start_fp else 0
        if spin.count is not None:
            turns = min(turns, spin.count)
            setattr(machine, spin.register, spin.count - turns)
        due = spin.start_fp + turns * spin.step_fp
        if spin.look is not None and turns and due - spin.step_fp + spin.look_fp > now:  # half a turn is still to come
            due += spin.look_fp - spin.step_fp
            machine.pc = spin.look
        machine.next_due_fp = due
