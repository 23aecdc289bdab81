"""Real mpremote on the emulated board in simulated time: its own transport, over a wire that is no serial port."""

from mpremote.transport_serial import SerialTransport

STEP_NS = 1_000_000


class Wire:
    """What mpremote asks of a serial port; waiting for bytes is what passes the board's time."""

    def __init__(self, board):
        self.board = board
        self.at = len(board.received)

    def write(self, data):
        self.board.send(bytes(data))
        self.board.run_for(STEP_NS)
        return len(data)

    def inWaiting(self):
        if len(self.board.received) == self.at:
            self.board.run_for(STEP_NS)
        return len(self.board.received) - self.at

    def read(self, count=1):
        self.board.run_until(lambda: len(self.board.received) >= self.at + count, 1_000 * STEP_NS)
        data = bytes(self.board.received[self.at : self.at + count])
        self.at += len(data)
        return data


def mpremote(board):
    """mpremote's transport, connected."""
    transport = SerialTransport.__new__(SerialTransport)
    transport.in_raw_repl = transport.mounted = transport.is_pty = False
    transport.use_raw_paste = True
    transport.device_name = "emulated"
    transport.serial = Wire(board)
    return transport
