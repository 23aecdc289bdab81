"""Why output ended: the one list of stop reasons and faults, with the words for people. No logic."""

# Reasons that are an ordinary end, or the host's own. `run` exits 0 on the first two.
ENDS = {
    "time_over": "The session time is over.",
    "stop_command": "Stopped by command.",
    "operator_key": "Stopped by the operator's key.",
    "operator_interrupt": "Stopped by Ctrl-C on the host.",
    "auto_disarm": "Not started within 60 s of arming: disarmed. Arm again.",
    "limit": "A limit was reached: a pause of more than 5 min, or the session's last allowance.",
    "terminal_lost": "The terminal was closed, or took nothing any more.",
    "terminated": "The system ended rheo (SIGTERM).",
    "host_error": "An error of rheo itself ended the session.",
}

# Faults: latched until cleared, and cleared only once the cause is gone. name: (sentence, what to do).
FAULTS = {
    "host_lost": (
        "The host went silent for more than 1 s.",
        "Check the cable, clear the fault and start again from zero.",
    ),
    "host_break": ("Ctrl-C reached the board: output was cut at once.", "Clear the fault and start again from zero."),
    "interlock_open": ("The interlock is open.", "Close the interlock, then clear the fault."),
    "electrode_open": ("An electrode or a lead has no contact.", "Check leads and contact, then clear the fault."),
    "electrode_short": ("An output is shorted.", "Check leads, then clear the fault."),
    "amplitude_error": ("The measured current is off the set one.", "Check the output stage; calibrate the board."),
    "starved": (
        "Items were ready, and the DMA did not bring them to the pulse engine.",
        "Clear the fault; if it returns, file a bug with the record.",
    ),
    "cutoff": (
        "The hardware session cutoff ended the output.",
        "Clear the fault; the session's own end came late: file a bug.",
    ),
    "watchdog": ("The watchdog reset the board.", "Clear the fault; if it returns, file a bug with the record."),
    "reset": ("The board was reset.", "Clear the fault and start again from zero."),
    "supply_low": ("The supply of the output stage is low.", "Charge or change the battery, then clear the fault."),
    "clock": (
        "The pulses and the system clock do not agree.",
        "Reset the board; never call machine.freq(). If it returns, have the board checked.",
    ),
    "self_test": (
        "The self-test at arming failed.",
        "Open and close the interlock, clear, arm again; else have the board checked.",
    ),
    "underrun": (
        "The main loop stalled: the pulse engine ran dry and stayed off.",
        "Clear the fault and start again from zero.",
    ),
    "internal": ("The firmware met an error of its own.", "Clear the fault; file a bug with the record."),
}


def sentence(name):
    """The sentence for a stop reason or a fault."""
    if name in ENDS:
        return ENDS[name]
    if name in FAULTS:
        return FAULTS[name][0]
    return name


def remedy(name):
    """What to do about a fault; '' for an ordinary end."""
    return FAULTS[name][1] if name in FAULTS else ""
