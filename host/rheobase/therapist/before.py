"""The last steps before arming: needles in and counted, pairs and leads, output zero, stop shown, interlock tested.

The board is configured at zero and asked; it is not armed before the last answer.
"""

from rheobase.errors import DeviceFault, Refused
from rheobase.therapist import screening
from rheobase.therapist.assess import must

COUNT_MAX = 12  # one needle (elbow) up to 12 (neck, low back)


def ask(visit):
    """Fills the rest of visit.answers. Raises Refused, DeviceFault."""
    session = visit.session
    session.configure()  # the board's own judgement comes before any needle
    checks = visit.answers["checks"] = {}
    visit.answers["needles"] = {"in": 0, "unstimulated": 0}
    if "needle" in visit.electrodes:
        _needles(visit, checks)
    _pairs(visit)
    _output_zero(visit, checks)
    visit.console.title("Stop and interlock")
    visit.console.say(
        "Here the keys Esc, Space, q and Ctrl-C stop at once; so does closing this window, and so does opening the "
        "interlock."
    )
    must(visit, "stop_shown", checks)
    _interlock(visit, checks)
    _start(visit)


def _needles(visit, checks):
    console = visit.console
    console.title("Needles in")
    must(visit, "sterile", checks)
    visit.needles_begin()
    console.say("Insert the needles now. The leads stay off.")
    pairs = sum(part.cfg["electrode"] == "needle" for part in visit.session.order.parts)
    while True:
        count = console.number(f"{screening.ask('needles_in')} (1 to {COUNT_MAX})", 1, COUNT_MAX)
        if count >= 2 * pairs:
            break
        if count >= pairs and console.yes(
            f"Needles: {count}, pairs: {pairs}. Does a pad carry the other lead of {2 * pairs - count}"
        ):
            break
        console.say(f"  {pairs} pairs need {2 * pairs} needles, or at least {pairs} with pads beside them.")
    visit.needles_are_in(count, max(0, count - 2 * pairs))
    if visit.needles["unstimulated"]:
        console.say(f"  {visit.needles['unstimulated']} of them stay without current; they are counted all the same.")


def _pairs(visit):
    """Which lead goes where."""
    console = visit.console
    console.title("Pairs and leads")
    console.say("Not connected yet: only written down.")
    pairs = visit.answers["pairs"] = []
    for part in visit.session.order.parts:
        pair = {"channel": part.n}
        pairs.append(pair)
        pair["site"] = console.text(f"Channel {part.n}: muscle or site", most=40)
        pair["lead_a"] = console.text(f"Channel {part.n}: lead A goes to", most=40)
        pair["lead_b"] = console.text(f"Channel {part.n}: lead B goes to", most=40)


def _output_zero(visit, checks):
    checks["output_zero"] = visit.session.output_off()
    if not checks["output_zero"]:
        raise DeviceFault("output_not_zero", "The board does not confirm that its output is zero.", "Do not connect.")
    visit.console.say("", "Output zero: the board confirms that every leg is low.")


def _interlock(visit, checks):
    """The operator opens it and closes it; the board has to see both."""
    console = visit.console
    for closed, verb, word in ((False, "Open", "open"), (True, "Close", "closed")):
        if visit.session.board.emulated:
            _operate(visit, closed, f"Press Enter: rheo {verb.lower()}s the interlock of this emulated board")
        else:
            console.say(f"{verb} the interlock now.")
        console.hold(lambda: "  waiting for the board to see it", lambda c=closed: _seen(visit) is c, enter=None)
        console.say(f"The board says: interlock {word}.")
    checks["interlock_tested"] = True


def _seen(visit):
    return visit.session.board.status()["interlock"]


def _operate(visit, closed, question):
    from rheobase.emulator import switch

    visit.console.ask(question)
    switch.set_interlock(visit.session.board.port, closed)


def _start(visit):
    console = visit.console
    console.title("Leads on, then start")
    for pair in visit.answers["pairs"]:
        console.say(f"  Channel {pair['channel']} ({pair['site']}): A to {pair['lead_a']}, B to {pair['lead_b']}")
    console.say("Connect the leads. Every channel starts at 0 mA; you raise it, one small step a press.")
    if console.ask("Enter starts at 0 mA; `no` ends here", _start_or_no):
        return
    raise Refused("declined", "Not started: nothing came out.")


def _start_or_no(text):
    if text.lower() in ("", "start", "yes", "y"):
        return True
    if text.lower() in ("n", "no"):
        return False
    raise ValueError("Enter alone, or no.")
