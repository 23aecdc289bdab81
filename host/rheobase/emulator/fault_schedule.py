"""When faults happen: puts the events of a plan on the emulated board's clock and pulses. Knows no key of `what`."""

from rheobase.emulator.engine import EmulatorError

LEAD_NS = 100_000_000  # Python is compiled on the board this long before it runs
_AFTER_NS = {"leg_a": 20_000, "gap": 20_000, "rest": 200_000}  # from the edge that `moment` goes by


class Schedule:
    """A plan on its way. fired: [(t_ns, index)] of the events that have happened; missing: how many have not."""

    def __init__(self, plan, emulated):
        self.fired = []
        self._plan = plan
        self._slots = []  # where the Python of those that have happened lies
        self._emulated = emulated
        self._watched = []  # [event, slot, leg A has risen] of those that wait for a pulse
        self._unstarted = []  # events that count from the first pulse
        self._legs = {f"CH{entry['n']}_{leg}" for entry in emulated.board["channels"] for leg in "AB"}
        if any(event.python is not None for event in plan) and emulated.mailbox is None:
            raise EmulatorError(
                "no_mailbox", "An event has `python`, and the board is not ready for it.", "Call python_ready() first."
            )
        emulated.edge_hooks.append(self._on_edge)
        first_ns = next((t for t, name, level in emulated.edges if level and name in self._legs), None)
        for event in plan:
            if event.at_ns is not None:
                self._due(event, event.at_ns)
            elif first_ns is not None:
                self._due(event, first_ns + event.after_ns)
            else:
                self._unstarted.append(event)

    @property
    def missing(self):
        """Events that have not happened, and those whose Python has not run to its end."""
        mailbox = self._emulated.mailbox
        return len(self._plan) - len(self.fired) + sum(not mailbox.done(slot) for slot in self._slots)

    def _due(self, event, t_ns):
        emulated = self._emulated
        if event.python is None:
            if event.moment and t_ns <= emulated.now_ns:  # from now on, an edge of this instant included
                self._reached(event)
            else:
                emulated.at(t_ns, lambda: self._reached(event))
        elif event.moment:
            emulated.at(t_ns, lambda: emulated.mailbox.load(event.python, lambda slot: self._reached(event, slot)))
        else:

            def compiled(slot):
                emulated.at(t_ns, lambda: self._reached(event, slot))

            emulated.at(t_ns - LEAD_NS, lambda: emulated.mailbox.load(event.python, compiled))

    def _reached(self, event, slot=None):
        if event.moment:
            self._watched.append([event, slot, False])
        else:
            self._fire(event, slot)

    def _fire(self, event, slot):
        if slot is not None and self._emulated.mailbox.gone:
            return
        self.fired.append((self._emulated.now_ns, event.index))
        for action in event.actions:
            action(self._emulated)
        if slot is not None:
            self._slots.append(slot)
            self._emulated.mailbox.run(slot)
        self._emulated.engine.wake()  # somebody may wait for it

    def _on_edge(self, t_ns, name, level):
        if name not in self._legs:
            return
        if level and self._unstarted:
            unstarted, self._unstarted = self._unstarted, []
            for event in unstarted:
                self._due(event, t_ns + event.after_ns)
        for watch in list(self._watched):
            event, slot, _ = watch
            on_a = name == f"CH{event.channel}_A"
            if on_a and level:
                watch[2] = True
            edge = (f"CH{event.channel}_{'B' if event.moment == 'rest' else 'A'}", event.moment == "leg_a")
            if watch[2] and (name, bool(level)) == edge:
                self._watched.remove(watch)
                at_ns = t_ns + _AFTER_NS[event.moment]
                self._emulated.at(at_ns, lambda event=event, slot=slot: self._fire(event, slot))
