"""The session that faults are tried on: armed once a process, each case in a forked child of it.

20 ms, 200 us, gap 100 us on channel 1; 10 ms on channel 2; the board is ready for Python.
"""

from dut import MS, Dut
from rheobase import boards
from rheobase.emulator import faults

BOARD = boards.load()
CHANNELS = {1: {"period_us": 20_000, "width_us": 200, "gap_us": 100}, 2: {"period_us": 10_000}}


def make(image_bin):
    """A Dut that is armed and not started."""
    dut = Dut(image_bin)
    faults.python_ready(dut.board)
    dut.noise.clear()
    dut._line.clear()
    dut.load({n: {**change, "duration_ms": 20_000} for n, change in CHANNELS.items()})
    return dut


def begun(dut, *events, ms=0):
    """Schedule, start the session, run to its first edge and `ms` on; the time of that edge and the schedule."""
    schedule = faults.schedule(faults.parse(list(events), BOARD), dut.board)
    dut.start()
    assert dut.board.run_until(dut.leg_edges, 100 * MS)
    first_ns = dut.leg_edges()[0][0]
    dut.board.run_for(first_ns + round(ms * MS) - dut.board.now_ns)
    return first_ns, schedule


def last_edge_ms(dut, t_ns):
    """Milliseconds from t_ns to the last edge of a leg so far."""
    return (dut.leg_edges()[-1][0] - t_ns) / MS
