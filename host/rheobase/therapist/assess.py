"""Assessment and screening: diagnosis, stops, cautions, history, risks, consent, pain. Nothing is sent to the board."""

from rheobase.errors import Refused
from rheobase.therapist import screening

REASON_LEAST = 3  # characters


def ask(visit):
    """Fills visit.answers. Raises Refused for a stop that stands and for an answer without which nothing starts."""
    console, answers = visit.console, visit.answers
    console.title("Assessment")
    must(visit, "licensed")
    must(visit, "history")
    answers["diagnosis"] = console.text("Diagnosis in a few words, no name of a person", most=80)
    _stops(visit)
    _cautions(visit)
    console.title("Risks and consent")
    console.say(*[f"  {text}" for text in screening.risks(visit.electrodes)])
    must(visit, "risks_told")
    must(visit, "consent")
    answers["pain"] = console.scale(screening.ask("pain_before"))


def must(visit, name, where=None):
    """A question that has to be answered with yes. Raises Refused. where: the dict that keeps the answer."""
    where = visit.answers if where is None else where
    where[name] = visit.console.yes(screening.ask(name))
    if not where[name]:
        raise Refused("screening", "Not started: without this the session does not begin.")


def _stops(visit):
    console = visit.console
    console.title("Any of these? Then no session")
    found = _checklist(console, screening.items("stop", visit.electrodes))
    stops = {item["id"]: item in found for item in screening.items("stop", visit.electrodes)}
    visit.answers["stops"] = stops
    for item in found:
        reason = _overridden(console, item)
        if reason:
            stops[item["id"]] = reason
            visit.override(item["id"], reason)
    standing = [item["ask"] for item in found if stops[item["id"]] is True]
    if standing:
        raise Refused("screening", "Not started: " + "; ".join(standing) + ".")


def _overridden(console, item):
    """The clinician's reason to override a stop, or None."""
    if "override" not in item:
        return None
    if console.yes(f"{item['ask']}. {item['override']}"):
        return None
    console.say("  A clinician may override this with a reason, which is recorded.")
    if not console.yes("Override it"):
        return None
    return console.text("Reason", REASON_LEAST)


def _cautions(visit):
    console = visit.console
    console.title("Any of these? Then say why the session goes on all the same")
    found = _checklist(console, screening.items("caution", visit.electrodes))
    cautions = visit.answers["cautions"] = {item["id"]: True for item in found}  # True: not yet said why
    for item in found:
        console.say(f"  {item['ask']}. Why go on? (`stop` to end here)")
        reason = console.text("Reason", REASON_LEAST)
        cautions[item["id"]] = reason
        if reason.lower() == "stop":
            raise Refused("screening", f"Not started: {item['ask']}.")


def _checklist(console, items):
    """Items that apply. Nothing is the default: `none` has to be typed."""
    for at, item in enumerate(items, 1):
        console.say(f" {at:>2}  {item['ask']}")
    picked = console.ask("Numbers of all that apply, or `none`", lambda text: screening.pick(text, len(items)))
    return [items[at] for at in picked]
