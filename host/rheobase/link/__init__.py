"""The host's side of the wire: serial port, framed JSON-RPC, greeting. Knows no session, record or screen."""
