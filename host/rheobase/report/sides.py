"""Planned and delivered, side by side, channel by channel. Arithmetic on a record's own configuration. Judges nothing.

What was planned is counted on the very plan that the board plays.
"""

import json
from functools import lru_cache

from rheocore import limits
from rheocore.config import ConfigError, check
from rheocore.envelope import ONE, Envelope
from rheocore.plan import Plan
from rheocore.units import fmt_duration, fmt_resistance

from rheobase import boards, figures, order
from rheobase.dose import AT_AMPLITUDE_PERCENT, gave_current, number
from rheobase.link import words as link_words
from rheobase.report.words import UNKNOWN, charge, count, current, span

NONE = "\u2013"
NEEDLES_ONLY = ("k", "charge_density")  # the other electrodes have no such limit


class Planned:
    """What a configuration plays from its start to its end, counted on the very plan that the board plays.

    pulses; pulses_of_cycle: of its first cycle; at_amplitude_ms; charge_pc(ua): charge of one phase in sum at a target
    of `ua`, ramps included.
    """

    def __init__(self, cfg):
        plan, envelope = Plan(cfg), Envelope(cfg)
        self.pulses = self._weight = 0
        while plan.next():
            if plan.pulse:
                self.pulses += 1
                self._weight += (plan.lo & 0x3FF) * (envelope.level(plan.at_us // 1000) >> 4)
        full, step_ms = ONE * AT_AMPLITUDE_PERCENT // 100, 50
        self.at_amplitude_ms = step_ms * sum(envelope.level(t) >= full for t in range(0, cfg["duration_ms"], step_ms))

        plan, self.pulses_of_cycle = Plan(cfg), 0
        while plan.next() and plan.at_us < 1000 * _cycle_ms(cfg):
            self.pulses_of_cycle += plan.pulse

    def charge_pc(self, ua):
        return ua * self._weight >> 12


def _cycle_ms(cfg):
    """The time after which a train repeats itself."""
    if "on_ms" in cfg:
        return cfg["on_ms"] + cfg["off_ms"]
    if cfg["kind"] == "burst":
        return cfg["burst_period_us"] // 1000
    return {"alternating": 2 * cfg.get("dwell_ms", 0), "modulated": cfg.get("cycle_ms", 0)}.get(cfg["kind"], 0)


@lru_cache(maxsize=8)
def _planned(text):
    return Planned(json.loads(text))


def planned(cfg):
    """Planned of a checked configuration; channels that play the same train share it."""
    return _planned(json.dumps({**cfg, "amplitude_ua": 0, "max_ua": 0}, sort_keys=True))


def playable(cfg):
    """The configuration if it can be played, else None: a record is read as it is found."""
    try:
        return check(cfg)
    except ConfigError:
        return None


def ratings(reader):
    """The board's description, with the limits that the board itself told when the session began; None if unknown."""
    name, told = reader.opened.get("board"), reader.opened.get("limits")
    if name not in boards.names():
        return None
    return {**boards.load(name), **{k: v for k, v in (told if isinstance(told, dict) else {}).items() if number(v)}}


def highest_allowed_ua(cfg, board):
    """The highest amplitude that the limits allow, in uA; None where configuration or board are not known."""
    return limits.amplitude_max_ua(cfg, board)[1] if cfg and board else None


def highest_target_ua(track, n):
    """The highest amplitude that was ever asked for on channel n: by the order, or by the operator."""
    return max(ua for _, ua in track.targets[n])


def rows(track, n, cfg, dose, board, ended, ceiling=False):
    """[(label, planned, delivered)] of channel n. cfg: its configuration, playable, or None. dose: its figures.

    ended: the record is closed, so its counts are the last word. ceiling: the operator set one below the protocol's.
    """
    so_far = "" if ended else " so far"
    if cfg is None:
        return [("configuration", "not on record, or not playable", NONE), *_counts(dose, so_far, None, None)]
    asked_ua = cfg["amplitude_ua"]
    target_ua = highest_target_ua(track, n)
    raised = current(asked_ua) if asked_ua else "0, raised by the operator" if target_ua else "0, never raised"
    if target_ua != asked_ua:
        raised += f", at most to {current(target_ua)}"
    plan = planned(cfg)
    found = [
        ("train", f"{order.train_words(cfg)}, gap {cfg['gap_us']} \u00b5s", _rate(dose, track)),
        ("ramps", _ramps(cfg), NONE),
        ("duration", span(cfg["duration_ms"]), span(track.live_ms) + so_far),
        ("target", raised, f"highest set-point {current(dose['peak_ua'])}"),
        ("current at amplitude", current(target_ua), _measured(track.means_at_amplitude(n))),
        *_counts(dose, so_far, plan, asked_ua, restarted(track)),
    ]
    if "on_ms" in cfg:
        begun = f"{count(dose['contractions'])} begun{so_far}{restarted(track)}"
        found.append(("contractions", count(figures.contractions(cfg)), begun))
    found += _stress(cfg, target_ua, dose["peak_ua"])
    if board is not None:
        found += _limits(cfg, board, dose["peak_ua"], ceiling)
    return found


def _stress(cfg, target_ua, peak_ua):
    """What the target and what the highest set-point mean for electrode and tissue, each limit with its tag."""
    at_target, at_peak = figures.stress(cfg, target_ua), figures.stress(cfg, peak_ua)
    key, unit = "charge_per_phase_uc", "\u00b5C"
    found = [("charge a phase", _amount(at_target[key], unit), _amount(at_peak[key], unit))]
    for name, (what, key, unit, most, tag, _) in figures.RULES.items():
        if key and (cfg["electrode"] == "needle" or name not in NEEDLES_ONLY):
            limit = f" (limit {most:g} [{tag}])"
            found.append((what, _amount(at_target[key], unit) + limit, _amount(at_peak[key], unit)))
    return found


def _amount(value, unit):
    if value is None:
        return NONE
    return f"below 0.001 {unit}" if 0 < value < 0.001 else f"{value:.3g} {unit}".strip()


def rules():
    """[(tag, what, note)] of the limits that have more to say than their number."""
    return [(tag, what, note) for what, _, _, _, tag, note in figures.RULES.values() if note]


def _rate(dose, track):
    if not dose["pulses"] or not track.live_ms:
        return NONE
    return f"{dose['pulses'] * 1000 / track.live_ms:.4g} pulses a second on average"


def _ramps(cfg):
    return f"up {fmt_duration(cfg['ramp_up_ms'])}, down {fmt_duration(cfg['ramp_down_ms'])}" + (
        ", within each time on" if "on_ms" in cfg else ""
    )


def _measured(means):
    """means: (measured, set) at the same samples, or None. The share is of the set-point: targets come and go."""
    if means is None:
        return "not measured"
    measured_ua, set_ua = means
    return f"mean of the measured {current(measured_ua)}" + (
        f" ({100 * measured_ua / set_ua:.1f} % of the set-point then)" if set_ua else ""
    )


def _counts(dose, so_far, plan, asked_ua, restarted=""):
    """plan: a Planned, or None. asked_ua: what the order asked for; 0: the operator's, so no charge can be planned."""
    pulses = known(count(dose["pulses"]), so_far)
    if plan and plan.pulses and number(dose["pulses"]) is not None:
        pulses += f" ({100 * dose['pulses'] / plan.pulses:.4g} %)"
    cut = {None: "; whether one was cut is unknown", 0: ", none cut"}.get(
        dose["truncated"], f", {dose['truncated']} cut"
    )
    more = plan and (number(dose["pulses"]) or 0) > plan.pulses
    cut = without_current(dose) + cut + (restarted if more else "")
    return [
        ("whole pulses", count(plan.pulses) if plan else NONE, pulses + cut),
        (
            "charge of one phase, in sum",
            charge(plan.charge_pc(asked_ua) // 1000) if asked_ua and plan else NONE,
            known(charge(dose["charge_nc"]), so_far),
        ),
        ("time at amplitude", span(plan.at_amplitude_ms) if plan else NONE, span(dose["at_amplitude_ms"]) + so_far),
        ("mean impedance", NONE, "not measured" if dose["mean_ohms"] is None else fmt_resistance(dose["mean_ohms"])),
    ]


def known(text, so_far):
    """A count with what is to be said of it; of what is unknown there is no more to say."""
    return text if text == UNKNOWN else text + so_far


def restarted(track):
    """What to add where a pause made the train begin anew: it is not the one that was planned."""
    return ", restarted after a pause" if track.restarts else ""


def without_current(dose):
    """What to add to a count of pulses that all came at set-point zero."""
    return ", all at set-point zero" if dose["pulses"] and gave_current(dose) is False else ""


def _limits(cfg, board, peak_ua, ceiling):
    """What bounds the amplitude: the lowest cap, and the next ones. ceiling: the operator's own is in max_ua."""
    caps = sorted(limits.amplitude_caps_ua(cfg, board), key=lambda cap: cap[1])
    name, lowest_ua = caps[0]

    def whose(name):
        if name == "preset" and ceiling:
            return "the operator's ceiling"
        return link_words.LIMITS.get("limit_" + name, name)

    others = "; ".join(f"{whose(other)} {current(ua)}" for other, ua in caps[1:3])
    share = f"{100 * peak_ua / lowest_ua:.3g} % of it reached" if lowest_ua else NONE
    return [("highest allowed", f"{current(lowest_ua)}: {whose(name)}. Next: {others}", share)]
