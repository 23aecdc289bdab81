"""A session's record on disk against what went over the wire: every event that happened and no other. Judges only."""

from dataclasses import dataclass

from rheobase import record
from rheocore import messages

_DELIVERED = ("channels", "duration_ms", "stop_reason", "fault")


@dataclass
class Seen:
    """told, telemetry: events and telemetry on the wire since the port was opened. unread: how many of the last of
    them rheo may not have read yet. done: the operator's acts that rheo must have put down, [(event, {fields})].
    channels: configured ones. result: the board's, as rheo had it, or None. answered: the last on the wire.
    failed: rheo ended with an error."""

    told: list
    telemetry: list
    unread: int
    done: list
    channels: list
    result: dict | None
    answered: dict | None
    stop_reason: str | None
    failed: bool


def compare(path, seen):
    """Sentences on what is wrong with the record at `path`. seen: what happened meanwhile, as Seen has it."""
    reader = record.RecordReader(path)
    wrong = []
    if reader.torn or reader.damaged or reader.missing() or reader.state != "complete":
        wrong.append(f"torn {reader.torn}, damaged {reader.damaged}, missing {reader.missing()}, {reader.state}")
    return wrong + _events(reader, seen) + _telemetry(reader, seen) + _close(reader, seen)


def _events(reader, seen):
    lines = reader.of("event")
    board = [[e["dev_us"], e["event"], e["detail"], e.get("channel")] for e in lines if "detail" in e]
    wrong = []
    if board != seen.told[: len(board)] or len(board) < len(seen.told) - seen.unread:
        wrong.append(f"events of the record: {board}, on the wire: {seen.told}")
    host = [(e["event"], {k: e[k] for k in ("channel", "ua") if k in e}) for e in lines if "detail" not in e]
    if host != seen.done:
        wrong.append(f"acts of the record: {host}, done: {seen.done}")
    return wrong


def _telemetry(reader, seen):
    kept = [
        [t["seq"], t["dev_us"], t["state"], t["t_left_ms"], t["interlock"], t["fault"],
         [[row[name] for name in messages.CHANNEL] for _n, row in sorted(t["channels"].items())]]
        for t in reader.of("telemetry")
    ]  # fmt: skip
    sent = [item for item in seen.telemetry if len(item[6]) == len(seen.channels)]
    wrong = []
    if [item for item in sent if item in kept] != kept:
        wrong.append("the record has telemetry that was not on the wire, or in another order")
    lost = [item[0] for item in sent[: len(sent) - seen.unread] if item[2] in messages.BUSY and item not in kept]
    if lost:
        wrong.append(f"telemetry {lost} is not in the record")
    return wrong


def _close(reader, seen):
    closed, result = reader.first("close"), seen.result
    wrong = []
    if not closed:
        return ["the record has no close line"]
    if result is None and not seen.failed:
        wrong.append("rheo ended without an error and without the board's result")
    if result is not None and any(result[name] != (seen.answered or {}).get(name) for name in _DELIVERED):
        wrong.append(f"rheo had the result {result}, on the wire was {seen.answered}")
    if result is not None:
        for n, row in result["channels"].items():
            kept = {name: closed["channels"][n][name] for name in row}
            if kept != row:
                wrong.append(f"channel {n}: the record closes with {kept}, the board told {row}")
        told = [result[name] for name in ("duration_ms", "fault")]
        if [closed["duration_ms"], closed["fault"]] != told:
            wrong.append(f"the record closes with {closed['duration_ms']} ms and {closed['fault']}, told {told}")
        if result["fault"] and [line["fault"] for line in reader.of("fault")] != [result["fault"]]:
            wrong.append(f"fault lines {reader.of('fault')}, told {result['fault']}")
    elif reader.of("fault") and not seen.failed:
        wrong.append("a fault line and no fault")
    if closed["stop_reason"] != seen.stop_reason:
        wrong.append(f"the record closes with {closed['stop_reason']}, rheo with {seen.stop_reason}")
    return wrong
