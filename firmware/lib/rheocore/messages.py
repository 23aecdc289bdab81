"""The wire's vocabulary: version, methods, notifications, telemetry fields, errors. Tables only.

Both sides import this; docs are generated from it. JSON-RPC 2.0, one message a line (frames.py).
"""

WIRE = 2  # raised at any change that an older peer would misread

MAX_LINE = 2048  # bytes of a line, newline included; longer ones are counted and answered
WINDOW = 256  # bytes that the device has in flight at most (USB CDC transmit buffer)
KEEPALIVE_MS = 1000  # silence after which the host is lost
TELEMETRY_MS = 100
ARM_MS = 60_000  # from arm to start; the host cannot lengthen it
PAUSE_MS = 300_000  # a longer pause ends the session
CUTOFF_MARGIN_MS = 250  # the hardware cutoff stands this long after the session's own end
CAPTURE_WIRES = 4  # that the board times at once
CAPTURE_EDGES = 2000  # on each of them, unless told otherwise
STALL_MS = 1000  # longest standstill that the bench may ask for

STATES = ("safe", "idle", "loaded", "armed", "ramp_up", "run", "paused", "ramp_down", "done", "fault")
LIVE = ("ramp_up", "run", "ramp_down")  # states in which pulses may leave the pins
BUSY = ("armed", "paused") + LIVE  # states that the keep-alive and the watchdog guard

# method: {parameter: type}. A type in a tuple is optional. Types: int, str, list, dict.
# Every request has an id, an integer, higher than any before it since hello; the last one's reply is repeated.
# params may be left out where there are none.
METHODS = {
    "hello": {"wire": int},  # -> INFO; begins a dialogue: ids start anew
    "status": {},  # -> STATUS
    # channels: {"1": channel configuration (config.py)}; new 1: the operator confirms a new session, else only what was
    # left of the last one may run -> {state}
    "configure": {"channels": dict, "new": (int,)},
    "arm": {"bench": (int,)},  # bench 1: the operator confirms a board without the C hook -> {state, token}
    # channels [1, 2]: default all; cutoff_ms: the hardware's own end of output sooner, until the next start or resume,
    # bench only -> {state}
    "start": {"token": int, "channels": (list,), "cutoff_ms": (int,)},
    "amplitude": {"token": int, "channel": int, "ua": int},  # new target of a channel -> {channel, ua}
    "pause": {},  # -> {state, confirmed}
    "resume": {"token": int},  # -> {state, confirmed}
    "stop": {"reason": (str,)},  # reason: one of STOP_REASONS -> {state, confirmed}
    "clear_fault": {},  # -> {state, confirmed}
    "result": {},  # -> RESULT of the session that runs or has just ended
    # The bench. wires ["CH1_A", "INTERLOCK"]: timed from now on, room for so many edges on each -> {wires, edges}
    "capture": {"wires": list, "edges": (int,)},
    # Ends the capture. Without a wire -> CAPTURED; with one: its words from that one on, some 250 -> {words}: base64
    "captured": {"wire": (str,), "from": (int,)},
    "stall": {"token": int, "ms": int},  # the main loop stands still for so long; bench only -> {state}; event "stall"
    "inspect": {},  # reads only; not while armed, live or paused -> INSPECT
}
ALWAYS = ("hello", "stop", "status")  # answered before hello, and outside the order of ids
STOP_REASONS = ("stop_command", "operator_key", "operator_interrupt")

# Notifications. host -> device:
#   ack [seq, token]        telemetry up to seq (-1: none yet) was read; with the session's token it is the keep-alive.
#                           Sent for each telemetry, and at least every 250 ms. token 0 or null: no session
# device -> host:
#   tel [TELEMETRY...]      every TELEMETRY_MS while armed or live, at 1 Hz else; only what fits the window
#   event [n, dev_us, kind, detail, channel]   kind "state": detail is the state; "fault": the fault; "end": the stop
#                           reason; "stall": ms. channel: whose lead a fault is, else null
TELEMETRY = ("seq", "dev_us", "state", "t_left_ms", "interlock", "fault", "channels")
CHANNEL = ("set_ua", "meas_ua", "ohms", "pulses", "charge_nc")  # one list per configured channel, in channel order
EVENT = ("n", "dev_us", "kind", "detail", "channel")

INFO = (
    "wire board serial firmware micropython channels limits c_hook reset_cause was state remainder_ms calibration"
    # firmware: {version, hash, origin}; channels: [1, 2, 3]; limits: {max_ua, full_scale_ua, ...}
    # calibration: {problem: null, or why it is not used; channels: {"1": its row (calibration.py), null: none}}
).split()
STATUS = "state t_left_ms interlock fault fault_channel channels".split()  # channels: a list of STATUS_CHANNEL rows
STATUS_CHANNEL = ("n", "set_ua", "meas_ua", "ohms", "pulses")
RESULT = "state stop_reason fault fault_channel duration_ms channels bad_lines".split()
# channels: {"1": {pulses, truncated, charge_nc}}; bad_lines: {what was wrong: how often since power-on}
CAPTURED = "clk_hz began_ms took_ms wires".split()  # began_ms: dev_us / 1000; wires: {"CH1_A": CAPTURED_WIRE}
# count: edges stored; full: no room for more; stalled: some came too fast; left: the counter at the end, null if full
CAPTURED_WIRE = "count full stalled left".split()

INSPECT = "clk_sys_hz guard gate_open legs_low supply_mv flash_free flash_bytes files".split()
# guard: "watching", "latched", "off" or "astray"; flash_*: bytes of the file system, null if there is none; files:
# names in / and /lib, folders with a slash behind

# name: (JSON-RPC code, sentence with {parameters}, what to do)
ERRORS = {
    "parse_error": (
        -32700,
        "The board could not read the line as JSON.",
        "Resend it; if it persists, check the cable.",
    ),
    "invalid_request": (-32600, "The message is not a JSON-RPC request.", "Use a rheo of the board's wire version."),
    "method_not_found": (-32601, "The board has no method {method}.", "Use a rheo of the board's wire version."),
    "invalid_params": (-32602, "{field}: {why}.", "Correct the value and send it again."),
    "internal_error": (
        -32603,
        "The firmware met an error of its own: {why}.",
        "Output is off. File a bug with the record.",
    ),
    "bad_crc": (-32001, "A line arrived damaged and was not executed.", "Resend it; if it persists, check the cable."),
    "too_long": (-32002, "A line was longer than {max} bytes and was not executed.", "Send shorter lines."),
    "stale_id": (-32003, "Request id {id} is not newer than {last}: not executed.", "Begin with hello."),
    "hello_first": (-32004, "The board was not greeted yet.", "Begin with hello."),
    "wire_mismatch": (
        -32005,
        "The board speaks wire version {board}, the host {host}.",
        "Deploy or flash this rheo's firmware.",
    ),
    "wrong_state": (-32010, "{method} is not possible in state {state}.", "See `rheo status`."),
    "refused": (-32011, "{field} {value} is refused: {why} (bound {bound}).", "Choose a value within the bound."),
    "fault": (-32012, "The board has latched {fault}.", "Remove the cause, then `rheo clear-fault`."),
    "bad_token": (-32013, "Another session holds the board.", "Stop it first: `rheo stop`."),
    "not_gone": (-32014, "{fault} cannot be cleared: its cause is still there.", "Remove the cause first."),
    "bench_only": (
        -32016,
        "{method} is for bench protocols only.",
        "Set `bench = true` in every protocol of the session.",
    ),
    "no_room": (
        -32018,
        "So many edges do not fit into the board: about {most} a leg do.",
        "Capture a shorter time, or fewer channels.",
    ),
    "no_capture": (-32017, "The board holds no capture.", "Begin one first."),
    "bad_calibration": (
        -32019,
        "The calibration stored on the board cannot be used, so it does not arm: {why}.",
        "`rheo calibrate` each channel again; or remove it: mpremote fs rm :/rheo_calibration.txt, then reset.",
    ),
    "no_hook": (
        -32015,
        "This MicroPython lacks the board's reset hook: bench only.",
        "Flash the board's image, or mark the protocol for the bench.",
    ),
}
