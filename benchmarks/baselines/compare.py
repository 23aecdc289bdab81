"""What two runs of the benchmark may differ in: sentences on what lies beyond. Runs nothing."""

EXACT = ("Rheobase", "PWM")  # made by hardware; gated by software, so PWM's counts are not
HARDWARE_NS = 16  # two clocks
HARDWARE_PERIOD_NS = 200
SHARE = 0.3  # of what the page says, or this, whichever is more:
# The baselines' worst cases depend on where in a pulse an interrupt falls, so on every byte of the image: wide.
LEAST = {"width": 20_000, "period": 1_000_000, "net_ppm": 10_000, "count": 5}
HANG_MS = 30
BOUNDS = (
    f"Rheobase and PWM {HARDWARE_NS} ns of width and gap and {HARDWARE_PERIOD_NS} ns of period, "
    f"Rheobase's counts exact;\nothers {100 * SHARE:.0f} % of what is here, or {LEAST['width'] // 1000} µs of width, "
    f"{LEAST['period'] // 1000} µs of period, {LEAST['net_ppm']} ppm and "
    f"{LEAST['count']} pulses, whichever is more;\n{HANG_MS} ms after a hang."
)
_WIDTH = ("a_mean_ns", "a_worst_ns", "b_mean_ns", "b_worst_ns", "gap_worst_ns", "imbalance_worst_ns")
_PERIOD = ("period_mean_ns", "period_least_ns", "period_most_ns", "jitter_rms_ns")
_COUNT = ("missing", "cut", "bursts_wrong")


def differences(before, now):
    """[sentence] on rows of `now` that are not within the bounds of `before`, or are not there."""
    out = []
    for name, key, judge in (
        ("runs", ("maker", "train", "condition"), _timing),
        ("hangs", ("maker", "how", "watchdog"), _hang),
    ):
        old = {tuple(row[k] for k in key): row for row in before[name]}
        new = {tuple(row[k] for k in key): row for row in now[name]}
        out += [f"{_named(ident)}: on the page and not run." for ident in old if ident not in new]
        out += [f"{_named(ident)}: not on the page." for ident in new if ident not in old]
        for ident in old.keys() & new.keys():
            out += [f"{_named(ident)}: {sentence}" for sentence in judge(old[ident], new[ident])]
    return sorted(out)


def _named(ident):
    return ", ".join(str(part) for part in ident)


def _timing(old, new):
    hardware = old["maker"] in EXACT
    for kind, keys in (("width", _WIDTH), ("period", _PERIOD), ("net_ppm", ("net_ppm",)), ("count", _COUNT)):
        for key in keys:
            allowed = max(LEAST[kind], SHARE * abs(old[key]))
            if hardware and kind != "count":
                allowed = HARDWARE_PERIOD_NS if kind == "period" else HARDWARE_NS
            elif old["maker"] == "Rheobase":
                allowed = 0
            if abs(new[key] - old[key]) > allowed:
                yield f"{key} was {old[key]}, is {new[key]}."


def _hang(old, new):
    for key in ("high_ms", "off_after_ms"):
        was, now = old[key], new[key]
        if (was is None) != (now is None) or (was is not None and abs(now - was) > HANG_MS):
            yield f"{key} was {was}, is {now}."
