"""First steps of a visit: the wording, the person's free code and plan of sessions, the condition, the protocol."""

from rheocore.units import fmt_duration

from rheobase import library
from rheobase.cli.main import WORDING
from rheobase.errors import RheoError
from rheobase.guide import cut_off
from rheobase.therapist import plan, screening

ELECTRODES = {"needle": "needles", "skin": "skin pads"}


def welcome(visit):
    """What this is not, and how to leave."""
    console = visit.console
    console.title("Before anything else")
    console.say(WORDING)
    info, port = visit.session.board.info, visit.session.board.port
    console.say("", f"The board is {info['board']} {info['serial']}, on {port}.")
    console.say("", "Type an answer and press Enter. Ctrl-C ends it; nothing comes out until you are told so.")


def person(visit):
    """A free code, and where the person stands in the plan; Enter keeps the record without one."""
    console = visit.console
    console.title("The person")
    console.say(
        "A free code such as A-017 lets the next session remind you of this one. No name, no initials, no date: at "
        "most 12 letters, digits, - or _, with a digit in it. Enter alone: no code, no reminder."
    )
    visit.person = console.ask("Code", lambda text: plan.check_code(text) if text else None)
    if visit.person is None:
        return
    past = plan.past(visit.person, visit.log_dir)
    sessions = [session for session in past if session["ran"]]
    last = next((s["plan"] for s in reversed(sessions) if s["plan"]), {})
    if told := plan.reminder(past):
        console.say("", *told, "")
    for at, name in enumerate(plan.COURSES, 1):
        console.say(f"  {at}  {plan.COURSES[name][2]}")
    names = list(plan.COURSES)
    default = names.index(last["course"]) + 1 if last.get("course") in names else None
    enter = f", Enter for {default} as last time" if default else ""
    course = names[console.number(f"Course, 1 to {len(names)}{enter}", 1, len(names), default) - 1]
    _, most, _ = plan.COURSES[course]
    planned = None
    if most:
        default = last.get("planned") if last.get("course") == course and last.get("planned") else most
        planned = console.number(f"Sessions planned, Enter for {default}", 1, 99, default)
    number = len(sessions) + 1
    visit.plan_of_sessions = {"course": course, "number": number, "planned": planned}
    console.say(f"This is {plan.words(course, number, planned)}.")


def protocol(visit):
    """The condition and what is run for it: visit.protocols, visit.request.ref or .parts, answers' condition."""
    console, request = visit.console, visit.request
    console.title("Condition and protocol")
    refs = list(dict.fromkeys(request.parts.values())) or ([request.ref] if request.ref else [])
    if refs:
        visit.protocols = {p["id"]: p for p in map(library.load, refs)}
        for chosen in visit.protocols.values():
            console.say(*_offer(chosen, None))
        console.say(*screening.evidence())
        tags = list(dict.fromkeys(c for p in visit.protocols.values() for c in p["conditions"]))
        _condition_of(visit, tags)
        return
    known = sorted({c for p in library.catalogue()[0] for c in p["conditions"]})
    console.say(*_columns([name.replace("_", " ") for name in known]))
    console.say("A number, or your own words (heel pain); `all` shows every protocol.")
    condition, found = console.ask("Condition", lambda text: _found(text, known))
    visit.answers["condition"] = condition
    console.say("")
    for at, offered in enumerate(found, 1):
        if condition is None:
            console.say(f" {at:>2}  {offered['id']:<20} {_short(offered, 79 - 26)}")
        else:
            first, *rest = _offer(offered, condition)
            console.say(f" {at:>2}  {first}", *rest)
    console.say("", *screening.evidence(), "Parameters as published; not treatment advice.")
    number = console.number(f"Protocol, 1 to {len(found)}", 1, len(found))
    chosen = found[number - 1]
    visit.protocols = {chosen["id"]: chosen}
    request.ref = chosen["id"]
    if condition is None:
        _condition_of(visit, chosen["conditions"])
    if request.needle and chosen["electrode"] != "needle" or request.pad and chosen["electrode"] != "skin":
        console.say("  The electrode of the command line does not fit this protocol and is left aside.")
        request.needle = request.pad = None


def remainder(visit):
    """A session that a reset or a loss cut off: is this a new one, or the rest of it?"""
    left = cut_off(visit.session.board)
    if left is None:
        return
    visit.console.say("", left)
    visit.is_new = visit.console.yes("Is this a new session? `no`: only that rest may run")
    if visit.is_new:
        visit.override("remainder", f"{left} A new one, confirmed by the operator.")


def _found(text, known):
    """(condition or None, protocols) for an answer."""
    if not text:
        raise ValueError("A number or a few words, please.")
    if text.lower() == "all":
        return None, library.catalogue()[0]
    if text.isascii() and text.isdigit():
        if not 1 <= int(text) <= len(known):
            raise ValueError(f"A number from 1 to {len(known)}, or words.")
        slug = known[int(text) - 1]
    else:
        try:
            slug = library.condition_slug(text, known)
        except RheoError as error:
            hint = (error.hint or "").replace("`--condition headache`", "headache")
            raise ValueError(f"{error.message} {hint}".replace("_", " ").strip()) from None
    return slug, library.catalogue(condition=slug)[0]


def _condition_of(visit, tags):
    """Which condition a protocol is used for: one of its own, or another in the operator's words."""
    console = visit.console
    shown = ", ".join(tags).replace("_", " ") or "none"
    known = {c for p in library.catalogue()[0] for c in p["conditions"]}

    def check(text):
        if not text:
            raise ValueError("A few words, please.")
        try:
            slug = library.condition_slug(text, known)
        except RheoError as error:
            if error.code == "not_offered":
                raise ValueError(f"{error.message} See a clinician.") from None
            return text[:40]
        return slug

    default = tags[0] if len(tags) == 1 else None
    enter = f", Enter for {default.replace('_', ' ')}" if default else ""
    condition = console.ask(f"Condition (tagged: {shown}{enter})", check, default)
    visit.answers["condition"] = condition
    if condition not in tags:
        console.say("  The protocol is not tagged for that: the decision is yours, and the record shows it.")
        visit.override("condition", f"{condition}: not among the tags of the protocol")


def _short(protocol, room=None):
    """Title, electrode, time and pairs; in `room` columns the title gives way."""
    duration = fmt_duration(round(protocol["session"]["duration_s"] * 1000))
    pairs = f"{protocol['pairs']} pair" + ("s" if protocol["pairs"] > 1 else "")
    title, rest = protocol["title"], f"; {ELECTRODES[protocol['electrode']]}, {duration}, {pairs}"
    if room is not None and len(title) + len(rest) > room:
        title = title[: room - len(rest) - 1] + "\u2026"
    return title + rest


def _offer(protocol, condition):
    """A protocol in a few lines: what it is, what speaks for it, how well each number is known."""
    lines = [f"{protocol['id']}: {_short(protocol)}"]
    told = [s for s in protocol["source"] if "conditions" in s["for"]]
    if condition:
        named = [s for s in told if condition.replace("_", " ").split()[0] in s["cite"].lower()]
        told = named or told
    lines += [f"      [{s['tag']}] {s['cite']}" for s in told]
    numbers = [
        f"{', '.join(name.rpartition('_')[0] or name for name in s['for'] if name != 'conditions')} [{s['tag']}]"
        for s in protocol["source"]
        if set(s["for"]) - {"conditions", "gap_us", "ramp_up_s", "ramp_down_s", "max_ma", "pairs"}
    ]
    return [*lines, "      " + "; ".join(dict.fromkeys(numbers))]


def _columns(names):
    """Numbered names in three columns."""
    cells = [f"{at:>3}  {name:<20}" for at, name in enumerate(names, 1)]
    height = -(-len(cells) // 3)
    return ["".join(cells[row::height]).rstrip() for row in range(height)]
