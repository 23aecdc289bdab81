"""The host's side of the wire: serial port, framed JSON-RPC, greeting. Knows nothing of sessions, records or screens."""
