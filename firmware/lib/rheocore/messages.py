"""The wire's vocabulary: version, methods, notifications, telemetry fields, errors. Tables only.

Both sides import this. docs/wire.md is made of it, comments included (`make tables`): a line `#   name: text` above a
table is about that name in it, {NAME} a number of this file. A name with no line there means what it means in
another table. JSON-RPC 2.0, one message a line (frames.py).
"""

WIRE = 2  # raised at any change that an older peer would misread

MAX_LINE = 2048  # bytes of a line, newline included; longer ones are counted and answered
WINDOW = 256  # bytes that the device has in flight at most (USB CDC transmit buffer)
KEEPALIVE_MS = 1000  # silence after which the host is lost
TELEMETRY_MS = 100  # between two lines of telemetry, from arm to the end
ARM_MS = 60_000  # from arm to start; the host cannot lengthen it
PAUSE_MS = 300_000  # a longer pause ends the session
CUTOFF_MARGIN_MS = 250  # the hardware cutoff stands this long after the session's own end
CAPTURE_WIRES = 4  # that the board times at once
CAPTURE_EDGES = 2000  # on each leg, unless told otherwise
STALL_MS = 1000  # longest standstill that the bench may ask for

STATES = ("safe", "idle", "loaded", "armed", "ramp_up", "run", "paused", "ramp_down", "done", "fault")
LIVE = ("ramp_up", "run", "ramp_down")  # states in which pulses may leave the pins
BUSY = ("armed", "paused") + LIVE  # states that the keep-alive and the watchdog guard

# method: {parameter: type}. A type in a tuple is optional. Types: int (31 bits), str, list, dict.
# Every request has an id, an integer, higher than any before it since hello; the last one's reply is repeated.
# params may be left out where there are none. Above each: what it does, its parameters, the states in which it is
# possible (none named: all), what it gives (a table below, or fields), its own errors. `safe` is before hello.
#   token: of the session, from arm
#   confirmed: true: every leg reads low at its pad, or output is live
#   words: base64 of 32-bit words, least significant byte first
METHODS = {
    # Begins a dialogue: ids start anew, telemetry counts from 0.
    #   wire: the host's WIRE
    #   gives: INFO
    #   errors: wire_mismatch
    "hello": {"wire": int},
    # What is going on now.
    #   gives: STATUS
    "status": {},
    # Takes the channels of a session, all or none; nothing is left of those before.
    #   channels: {"1": channel configuration, ...}
    #   new: 1: the operator confirms a new session; else only what was left of the last one may run
    #   in: idle loaded done
    #   gives: state
    #   errors: refused wrong_state fault
    "configure": {"channels": dict, "new": (int,)},
    # Self-test, then armed for {ARM_MS} ms at most. The token is the key to this session until it ends.
    #   bench: 1: the operator confirms a board without the C hook, for bench protocols
    #   in: loaded
    #   gives: state token
    #   errors: no_hook bad_calibration wrong_state fault
    "arm": {"bench": (int,)},
    # Starts channels together, each from zero; more may be started while others run.
    #   channels: [1, 2]; all that are configured if left out
    #   cutoff_ms: the hardware's own end of output so soon, until the next start or resume; bench only, while armed;
    #     1 ms to where it would stand
    #   in: armed ramp_up run ramp_down
    #   gives: state
    #   errors: bad_token bench_only refused wrong_state fault
    "start": {"token": int, "channels": (list,), "cutoff_ms": (int,)},
    # New target of a channel; the board walks there by its own steps.
    #   channel: its number
    #   ua: 0 to the lowest of its limits; live and paused at most one step above the target before
    #   in: armed ramp_up run paused ramp_down
    #   gives: channel ua
    #   errors: bad_token refused
    "amplitude": {"token": int, "channel": int, "ua": int},
    # Output off after the pulse in play; for {PAUSE_MS} ms at most.
    #   in: ramp_up run ramp_down
    #   gives: state confirmed
    #   errors: wrong_state fault
    "pause": {},
    # Arms again, and ramps from zero with what is left.
    #   in: paused
    #   gives: state confirmed
    #   errors: bad_token wrong_state fault
    "resume": {"token": int},
    # Ends whatever runs, after the pulse in play. Needs no token and is never refused.
    #   reason: one of STOP_REASONS; stop_command if left out
    #   gives: state confirmed
    "stop": {"reason": (str,)},
    # Clears the latched fault.
    #   gives: state confirmed
    #   errors: not_gone
    "clear_fault": {},
    # What the session that runs or has just ended delivered.
    #   gives: RESULT
    "result": {},
    # Times the edges of wires from now on.
    #   wires: 1 to {CAPTURE_WIRES} of CH1_A, CH1_B, ..., INTERLOCK
    #   edges: room for so many on each leg, and for 256 of the interlock at most; {CAPTURE_EDGES} if left out
    #   in: idle loaded done
    #   gives: wires edges
    #   errors: no_room wrong_state fault
    "capture": {"wires": list, "edges": (int,)},
    # Ends the capture, and tells what it holds; with a wire: its words (base64), some 250 at once.
    #   wire: one of the capture's
    #   from: the first word, from 0
    #   in: idle loaded done fault
    #   gives: CAPTURED | words
    #   errors: no_capture wrong_state
    "captured": {"wire": (str,), "from": (int,)},
    # The main loop stands still for so long, after an event "stall". Bench only.
    #   ms: 1 to {STALL_MS}
    #   in: armed ramp_up run paused ramp_down
    #   gives: state
    #   errors: bad_token bench_only
    "stall": {"token": int, "ms": int},
    # A look at the board at rest. Reads only.
    #   in: idle loaded done fault
    #   gives: INSPECT
    #   errors: wrong_state
    "inspect": {},
}
ALWAYS = ("hello", "stop", "status")  # answered before hello, and outside the order of ids
STOP_REASONS = ("stop_command", "operator_key", "operator_interrupt")

# Notifications. host -> device:
#   ack: [seq, token]: telemetry up to seq (-1: none yet) was read; with the session's token it is the keep-alive. Sent
#     for each telemetry, and at least every 250 ms. token 0 or null: no session
# device -> host:
#   tel: [TELEMETRY...], every {TELEMETRY_MS} ms from arm to the end, at 1 Hz else as long as it is acknowledged; only
#     what fits the window
#   event: [EVENT...], when it happens, once a host has said hello

#   seq: counts all telemetry since hello: a gap is what did not fit
#   dev_us: since the board's start, in whole ms
#   state: one of STATES
#   t_left_ms: of the session: of the channel with most left; 0 where there is none
#   interlock: true: closed
#   fault: the latched one, or null
#   channels: a list CHANNEL for each configured channel, in channel order
TELEMETRY = ("seq", "dev_us", "state", "t_left_ms", "interlock", "fault", "channels")
#   set_ua: set-point now
#   meas_ua: measured in the last pulse; null while it does not run
#   ohms: measured; null while it does not run, and below 50 uA
#   pulses: complete ones since the start
#   charge_nc: of one phase, summed over all pulses
CHANNEL = ("set_ua", "meas_ua", "ohms", "pulses", "charge_nc")
#   n: counts all events since the board's start
#   kind: "state", "fault", "end" or "stall"
#   detail: the state, the fault, the stop reason, or ms
#   channel: whose lead a fault is, else null
EVENT = ("n", "dev_us", "kind", "detail", "channel")

#   wire: the board's WIRE
#   board: its name, as in boards/
#   serial: of the chip, 16 hex digits
#   firmware: {version, hash, origin}; origin "frozen" or "files"
#   micropython: its version
#   channels: their numbers
#   limits: {max_ua, full_scale_ua} of the board
#   c_hook: true: a soft reset forces the legs low
#   reset_cause: "power", "run_pin", "software" or "watchdog"
#   was: the state that a reset interrupted, or null
#   remainder_ms: what was left of the last session; null: nothing
#   calibration: {problem: null, or why it is not used; channels: {"1": its row (calibration.py), null: none}}
INFO = (
    "wire board serial firmware micropython channels limits c_hook reset_cause was state remainder_ms calibration"
).split()
#   fault_channel: whose lead it is, or null
#   channels: a list STATUS_CHANNEL for each configured channel, in channel order
STATUS = "state t_left_ms interlock fault fault_channel channels".split()
#   n: its number; the others as in CHANNEL
STATUS_CHANNEL = ("n", "set_ua", "meas_ua", "ohms", "pulses")
#   stop_reason: why output ended, or null
#   duration_ms: live, pauses excluded
#   channels: {"1": {pulses, truncated, charge_nc}, ...}; truncated: 1 if a hard end cut the last pulse
#   bad_lines: {what was wrong: how often since the board's start}
RESULT = "state stop_reason fault fault_channel duration_ms channels bad_lines".split()
#   clk_hz: the board's clock
#   began_ms: dev_us / 1000 of its begin
#   took_ms: until its end
#   wires: {"CH1_A": CAPTURED_WIRE, ...}
CAPTURED = "clk_hz began_ms took_ms wires".split()
#   count: edges stored
#   full: true: there was no room for more
#   stalled: true: some came too fast to be stored
#   left: the counter at the end, null if full
CAPTURED_WIRE = "count full stalled left".split()

#   clk_sys_hz: the system clock
#   guard: "watching", "latched", "off" or "astray"
#   gate_open: true: a pad gate is open, which at rest is wrong
#   legs_low: true: all of them are
#   supply_mv: of the output stage
#   flash_free: bytes of the file system; null without one
#   flash_bytes: the same, free or not
#   files: names in / and /lib, 24 at most, folders with a slash behind
INSPECT = "clk_sys_hz guard gate_open legs_low supply_mv flash_free flash_bytes files".split()

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
