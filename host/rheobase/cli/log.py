"""`rheo log`: list, show and export the records of sessions. Reads records; never changes one."""

import click
from rheocore.units import decimal, fmt_charge

from rheobase.cli.app import pass_app


@click.group()
def log():
    """List, show and export session records."""


@log.command("list")
@pass_app
def list_command(app):
    """List the records, newest first."""
    from rheobase import record

    found = [reader.summary() for reader in record.list_records(app.log_dir)]
    app.answer({"records": found}, lambda: _list_text(found, record.sessions_dir(app.log_dir)))


def _list_text(found, folder):
    if not found:
        return f"There is no record in {folder} yet."
    wide = max(len(s["id"]) for s in found)
    lines = [f"{'id':<{wide}}  {'end':<18}  protocol"]
    for s in found:
        line = f"{s['id']:<{wide}}  {s['stop_reason'] or s['state']:<18}  {s['protocol'] or '-'}"
        lines.append(line if len(line) <= 80 else line[:79] + "\u2026")
    return "\n".join(lines)


@log.command("show")
@click.argument("ref", metavar="ID")
@pass_app
def show_command(app, ref):
    """Show a session: what ran, how it ended, counts, events. The id may be cut short; `last` is the newest."""
    from rheobase import record

    reader = record.find(ref, app.log_dir)
    summary = reader.summary()
    events = [line for line in reader.lines if line["kind"] in ("screening", "event", "fault")]
    data = {"record": summary, "open": reader.opened, "events": events, "close": reader.first("close")}
    app.answer(data, lambda: _show_text(summary, events, reader))


def _show_text(summary, events, reader):
    from rheocore import faults

    state = {
        "complete": "complete",
        "running": "running: its host is at work",
        "crashed": "crashed: the host ended before it could close the record",
    }[summary["state"]]
    rows = [
        ("session", summary["id"]),
        ("state", state),
        ("protocol", summary["protocol"] or "unknown"),
        ("board", " ".join(str(summary[k]) for k in ("board", "serial") if summary[k]) or "unknown"),
        ("started", summary["started_utc"] or "unknown"),
    ]
    if summary["modelled"]:
        rows.append(("note", "emulated board: every current and impedance here is modelled"))
    if summary["duration_s"] is not None:
        rows.append(("duration", f"{summary['duration_s']:g} s"))
    if summary["stop_reason"]:
        rows.append(("ended by", f"{summary['stop_reason']}: {faults.sentence(summary['stop_reason'])}"))
    if summary["fault"]:
        rows.append(("fault", f"{summary['fault']}: {faults.sentence(summary['fault'])}"))
    for channel, values in summary["channels"].items():
        rows.append((f"channel {channel}", _channel_words(values, bool(reader.first("close")))))
    if summary["torn"] or summary["damaged"] or reader.missing():
        lost = f"{summary['damaged'] + summary['torn']} damaged, {len(reader.missing())} missing"
        rows.append(("lines", f"{summary['lines']} readable, {lost}"))
    rows.append(("file", summary["path"]))
    lines = [f"{name:<10} {text}" for name, text in rows]
    if events:
        lines += ["", "Events"]
        lines += [f"  {line['host_utc'][11:23]}  {_event_words(line)}" for line in events]
    return "\n".join(lines)


def _channel_words(values, final):
    words = f"{values.get('pulses')} pulses"
    if values.get("truncated"):
        words += f", {values['truncated']} truncated"
    if isinstance(values.get("charge_nc"), int):
        words += f", {fmt_charge(values['charge_nc'])} of one phase in sum"
    return words if final else words + " (at the last telemetry)"


def _event_words(line):
    at = f"  (board {decimal(line['dev_us'], 1_000_000)} s)" if isinstance(line.get("dev_us"), int) else ""
    if line["kind"] == "screening":
        return "screening" + at
    if line["kind"] == "fault":
        return f"fault {line.get('fault')}{at}"
    return f"{line.get('event')} {line.get('detail') or ''}".strip() + at


@log.command("export")
@click.argument("ref", metavar="ID")
@click.option("--csv", "out", metavar="FILE", help="CSV to write, - for stdout (default: the session's id.csv, here).")
@click.option("--pictures", metavar="DIR", help="Draw pulses.png and envelope.png there instead, or too with --csv.")
@pass_app
def export_command(app, ref, out, pictures):
    """Export a session's telemetry as CSV, or as pictures."""
    from rheobase import record
    from rheobase.errors import UsageError

    if out == "-" and app.json:
        raise UsageError("csv_and_json", "--json and --csv - both want stdout.", "Name a file: --csv F.")
    reader = record.find(ref, app.log_dir)
    data, lines = {"id": reader.id, "path": None, "rows": None}, []
    if out == "-":
        record.export_csv(reader, click.get_text_stream("stdout"))
    elif out or not pictures:
        data["path"] = out or f"{reader.id}.csv"
        with open(data["path"], "w", encoding="ascii", newline="") as table:
            data["rows"] = record.export_csv(reader, table)
        lines.append(f"{data['path']}: {data['rows']} rows.")
    if pictures:
        from rheobase import plots

        data["pictures"] = plots.pictures(reader, pictures)
        lines += data["pictures"]
    app.answer(data, "\n".join(lines) if lines and out != "-" else None)
