"""Electrodes: sizes, pairs and channels, the ceiling of each, how long needles stay. Ends with a judged order."""

from collections import Counter

from rheocore import limits
from rheocore.units import fmt_duration

from rheobase import library, order
from rheobase.errors import Refused, UsageError
from rheobase.link import words
from rheobase.therapist import screening
from rheobase.therapist.screen import milliamps

DENSITY = "limit_current_density"


def ask(visit):
    """Makes visit.session.order, at zero; fills visit.caps, visit.dwell_ms and what was answered."""
    console, request = visit.console, visit.request
    told = visit.answers["electrodes"] = {}
    console.title("Electrodes and channels")
    if not request.parts:
        request.parts = {n: request.ref for n in _channels(visit)}
    else:
        _confirm_fewer(visit, Counter(library.load(ref)["id"] for ref in request.parts.values()))
    told["channels"] = list(request.parts)
    needle, pad = request.needle, request.pad
    if "needle" in visit.electrodes and needle is None:
        needle = told["needle"] = _size(visit, "needle", "needle", "diameter x inserted length")
    if "skin" in visit.electrodes and pad is None:
        pad = told["pad"] = _size(visit, "skin", "pad", "area of one pad")
    _make(visit, needle, pad)
    if "needle" in visit.electrodes:
        visit.dwell_ms = told["dwell_ms"] = _dwell(visit)


def _channels(visit):
    """Channels of the board that get a pair, the first ones."""
    console, board = visit.console, visit.session.board.info["channels"]
    [protocol] = visit.protocols.values()
    meant = protocol["pairs"]
    most = len(board)
    if meant > most:
        console.say(f"{protocol['id']} is meant for {meant} pairs of electrodes; this board has {most} channels.")
    default = min(meant, most)
    count = console.number(f"Pairs that get current, 1 to {most}, Enter for {default}", 1, most, default)
    _confirm_fewer(visit, {protocol["id"]: count})
    return board[:count]


def _confirm_fewer(visit, counts):
    """A protocol for more pairs runs only after the operator has confirmed fewer. counts: {protocol: pairs here}."""
    for name, count in counts.items():
        meant = visit.protocols[name]["pairs"]
        if count >= meant:
            continue
        visit.console.say(f"{name} is meant for {meant} pairs: with {count}, the others stay without current.")
        if not visit.console.yes(f"Go on with {count}"):
            raise Refused("declined", f"Not started: fewer pairs than {name} is meant for.")
        visit.override("fewer_pairs", f"{name}: {count} of {meant} pairs, confirmed by the operator")


def _size(visit, electrode, option, what):
    """A size from the list or typed; checked by the order that it makes."""
    console, sizes = visit.console, screening.sizes(electrode)
    console.say(f"Size of the {option}s ({what}):")
    console.say("  " + "   ".join(f"{at}  {size}" for at, size in enumerate(sizes, 1)))
    ref = next(r for r in visit.request.parts.values() if library.load(r)["electrode"] == electrode)

    def check(text):
        if text.isascii() and text.isdigit() and 1 <= int(text) <= len(sizes):
            return sizes[int(text) - 1]
        try:
            order.make(ons=[f"1={ref}@0mA"], **{option: text})
        except UsageError as error:
            raise ValueError(f"{error.message} {error.hint or ''}".removeprefix(f"--{option}: ").strip()) from None
        return text

    return console.ask(f"A number, or the size as {sizes[-1]}", check)


def _make(visit, needle, pad):
    request, session = visit.request, visit.session
    board = order.ratings(session.board.info)

    def made(at_ceiling=False, also=()):
        ons = [f"{n}={ref}@{(request.ceiling(n) if at_ceiling else None) or '0mA'}" for n, ref in request.parts.items()]
        wanted = order.make(None, (), (), ons, request.duration, needle, pad, [*visit.acknowledged, *also])
        if not visit.is_new:
            for part in wanted.parts:
                part.cfg["duration_ms"] = min(part.cfg["duration_ms"], session.board.info["remainder_ms"])
        return wanted

    asked = made(at_ceiling=True, also=[DENSITY])
    order.judge(asked, session.board.info)  # a ceiling above a limit is told before anything begins
    wanted = made()
    if DENSITY not in visit.acknowledged and _dense(visit, wanted, asked, board):
        wanted = made()
    for part, ceiling in zip(wanted.parts, asked.parts, strict=True):
        name, ua = limits.amplitude_max_ua(part.cfg, board)
        visit.caps[part.n] = (ua, words.LIMITS.get("limit_" + name, name.replace("_", " ")))
        if request.ceiling(part.n) is not None and ceiling.amplitude_ua < ua:
            part.cfg["max_ua"] = ceiling.amplitude_ua  # the board keeps it too
            visit.caps[part.n] = (ceiling.amplitude_ua, "your --amplitude")
    session.order = wanted
    _describe(visit, wanted)


def _describe(visit, wanted):
    """What each channel will play, those that play the same together."""
    alike = {}
    for part in wanted.parts:
        alike.setdefault((part.protocol["id"], *about(visit, part)), []).append(str(part.n))
    visit.console.say("")
    for (name, train, bounds), numbers in alike.items():
        many = "s" if len(numbers) > 1 else ""
        visit.console.say(f"Channel{many} {', '.join(numbers)}: {name}, {train};", f"  {bounds}.")
    visit.console.say(f"The current runs {fmt_duration(wanted.duration_ms)}.")


def _dense(visit, wanted, asked, board):
    """The acknowledgement above 2 mA/cm2, where an electrode is so small that it binds. True if it was given.

    asked: the same order at the ceilings of the command line; one that stays below needs no acknowledgement.
    """
    bound = [(part, limits.amplitude_max_ua(part.cfg, board)) for part in wanted.parts]
    bound = [(part, ua) for part, (name, ua) in bound if "limit_" + name == DENSITY]
    ceilings = {part.n: part.amplitude_ua for part in asked.parts if visit.request.ceiling(part.n) is not None}
    bound = [(part, ua) for part, ua in bound if ceilings.get(part.n, ua + 1) > ua]
    if not bound:
        return False
    console = visit.console
    for part, ua in bound:
        console.say(f"Channel {part.n}: above {milliamps(ua)} this electrode carries more than 2 mA/cm² RMS [V].")
    if not console.yes("Acknowledge that, and allow more"):
        console.say("  Then that is the highest.")
        return False
    visit.acknowledged.append(DENSITY)
    visit.session.note("acknowledged", code=DENSITY, value=min(ua for _, ua in bound))
    return True


def _dwell(visit):
    """How long the needles stay, in ms."""
    console = visit.console
    known = screening.dwell_ms(visit.answers.get("condition"))
    default = None
    if known:
        shortest, longest, tag = known
        span = fmt_duration(shortest) if shortest == longest else f"{shortest // 60_000} to {fmt_duration(longest)}"
        console.say(f"Practice pages let the needles stay {span} there [{tag}].")
        default = fmt_duration(shortest).replace(" ", "")
    else:
        console.say("Practice pages let needles stay 10 min at the hip, 20 to 30 min at neck and back [PC].")
    enter = f", Enter for {default}" if default else ""

    def check(text):
        ms = order.quantity(text, "duration", "Time")
        if not 0 < ms <= 7_200_000:
            raise ValueError("More than 0 and at most 2 h, please.")
        return ms

    return console.ask(f"The needles stay for (as 20min{enter})", check, default)


def about(visit, part):
    """(a channel's train, its step and ceiling), in a few words each."""
    cap_ua, whose = visit.caps[part.n]
    step = milliamps(limits.STEP_UA[part.cfg["electrode"]])
    return order.train_words(part.cfg), f"steps of {step}, at most {milliamps(cap_ua)} ({whose})"


def warnings(visit, n, ua):
    """Sentences about a current on channel n that is allowed and should be thought about."""
    [part] = [part for part in visit.session.order.parts if part.n == n]
    cfg = {**part.cfg, "amplitude_ua": ua}
    told = limits.warnings(cfg, order.ratings(visit.session.board.info))
    return [words.warning(code, bound) for code, _, _, bound in told if code != "output_active"]
