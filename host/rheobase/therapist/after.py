"""The steps after output, however it ended: zero, leads, dwell, needles out, sharps, skin, pain, response, aftercare.

Never raises for a person's answer; a terminal that goes in the middle leaves what is not known as not known.
"""

from rheocore import faults

from rheobase.errors import EXIT_BUG, EXIT_FAULT, DeviceLost, RheoError
from rheobase.therapist import screening
from rheobase.therapist.before import COUNT_MAX
from rheobase.therapist.console import Left, Lost

FIELDS = ("output_zero", "leads_off", "dwell_ms", "needles_out", "needles_in", "mismatch", "sharps", "skin",
          "skin_note", "pain", "twitch", "response", "adverse", "aftercare", "aftercare_told")  # fmt: skip


def ask(visit):
    """Fields of the second screening line; None is "not known"."""
    found = visit.found = unknown(visit)
    visit.console.patient = True
    try:
        _why(visit)
        _leads(visit, found)
        if visit.needles:
            _needles(visit, found)
        _person(visit, found)
    except (Left, Lost) as end:
        how = faults.sentence(end.cause) if isinstance(end, Lost) else "The operator left."
        _broken_off(visit, found, how)
    except Exception as bug:  # of ours: what was answered counts, and nobody may think that the needles were counted
        visit.session.bug = visit.session.bug or bug
        _broken_off(visit, found, f"An error of rheo itself: {type(bug).__name__}.")
    return found


def _broken_off(visit, found, how):
    visit.session.note("note", text=f"The steps after the session were not finished. {how}")
    if visit.needles and found["needles_out"] is None:
        found["dwell_ms"] = None
        visit.console.alarm("The needles were NOT counted out. The record says that nobody knows.")


def unknown(visit):
    """The fields before anybody has answered."""
    return {**dict.fromkeys(FIELDS), "needles_in": visit.needles["in"] if visit.needles else 0}


def unfinished(found):
    """RheoError where needles are not accounted for, or where nobody knows about the other steps; else None."""
    hint = "The board itself is fine: no fault is latched."
    if found["mismatch"] or (found["needles_in"] != 0 and found["needles_out"] is None):
        counted = [("not counted" if n is None else str(n)) for n in (found["needles_in"], found["needles_out"])]
        message = "Needles are not accounted for: in {}, out {}. One may still be in the person.".format(*counted)
        return RheoError("needles_unaccounted", message, hint, EXIT_FAULT)
    if None in [found[name] for name in ("output_zero", "leads_off", "skin", "aftercare_told")]:
        message = "Nobody knows whether the steps after the session were done."
        return RheoError("steps_unknown", message, hint, EXIT_FAULT)
    return None


def _why(visit):
    """How the output ended, in plain words, and what to do about it."""
    console, session = visit.console, visit.session
    error, reason = session.error, session.stop_reason
    if isinstance(error, DeviceLost):
        console.alarm(error.message, error.hint or "")
    elif error is not None and (error.exit_code in (EXIT_FAULT, EXIT_BUG) or reason in faults.FAULTS):
        console.alarm(f"Stopped. {error.message}", error.hint or "")
    elif not session.started:
        console.say("", error.message if error else "Not started.")
    else:
        console.title("Output is over")
        console.say(faults.sentence(reason) if reason else "It has ended.")
        if error is not None and error.code != reason:
            console.say(error.message)


def _leads(visit, found):
    console = visit.console
    found["output_zero"] = visit.session.output_off()
    if found["output_zero"]:
        console.say("Output zero: the board confirms that every leg is low.")
    else:
        console.say("The board does not confirm it: open the interlock and switch the output stage off.")
        while not console.yes("Is it off"):
            console.say("  Do not touch the leads before it is.")
        visit.session.note("note", text="Output zero on the operator's word: the board did not confirm it.")
    console.say("Take the leads off now, before any needle or pad.")
    while not console.yes(screening.ask("leads_off")):
        console.say("  They come off first.")
    found["leads_off"] = True


def _needles(visit, found):
    console = visit.console
    if visit.needles["in"] is None:
        _count_in(visit, found)
    elif visit.dwell_ms:
        _dwell(visit)
    console.title("Needles out")
    console.say("Take the needles out, and count them.")
    count, wanted = -1, visit.needles["in"]
    for again in ("", " Count again"):
        count = console.number(f"{screening.ask('needles_out')}{again and ' (counted again)'}", 0, 99)
        if count == wanted:
            break
        visit.session.note("note", text=f"Needles counted: {wanted} in, {count} out.")
        console.alarm(f"NEEDLES DO NOT MATCH: {wanted} in, {count} out.", "A needle may still be in the person. Look.")
    found["needles_out"] = count
    found["mismatch"] = count != wanted
    found["dwell_ms"] = visit.needles_are_out()
    if found["mismatch"]:
        visit.session.note("note", text="Mismatch: " + console.text("What was done about it"))
    found["sharps"] = console.yes(screening.ask("sharps"))


def _count_in(visit, found):
    """Nobody got as far as to count them in."""
    visit.console.alarm("Needles may be in the person: nobody has counted them in.")
    count = visit.console.number(f"How many needles went in? (0 to {COUNT_MAX})", 0, COUNT_MAX)
    found["needles_in"] = count
    visit.needles = {"in": count, "unstimulated": None}
    visit.session.note("note", text=f"Needles counted in only after the session had been given up: {count}.")


def _dwell(visit):
    """Waits for the time that was decided, or for the operator's early end with a reason."""
    console = visit.console
    console.forget_typed()
    console.title("The needles stay")
    if visit.stayed_ms() < visit.dwell_ms:
        console.say("Enter ends it early, with a reason.")
    if not console.hold(lambda: f"  {visit.dwell_words()}", lambda: visit.stayed_ms() >= visit.dwell_ms):
        console.say("")
        visit.override("dwell", "ended early: " + console.text("Reason"))
        return
    console.sound()
    console.say(f"The time is over: {visit.dwell_words()}.")


def _person(visit, found):
    console = visit.console
    console.title("The person")
    fine = console.yes(screening.ask("skin_check"))
    found["skin"] = "as it should be" if fine else "not as it should be"
    question = "Note on the skin, Enter for none" if fine else "What is to be seen on the skin"
    found["skin_note"] = console.text(question, 0 if fine else 1) or None
    found["pain"] = console.scale(screening.ask("pain_after"))
    if "needle" in visit.electrodes:
        found["twitch"] = console.yes(screening.ask("twitch"))
    found["response"] = console.text(screening.ask("response"))
    adverse = console.text(screening.ask("adverse"))
    found["adverse"] = None if adverse.lower().rstrip(".") in ("none", "no") else adverse
    console.title("Aftercare")
    found["aftercare"] = screening.aftercare(visit.electrodes)
    console.say(*[f"  {text}" for text in found["aftercare"]])
    found["aftercare_told"] = console.yes(screening.ask("aftercare"))
