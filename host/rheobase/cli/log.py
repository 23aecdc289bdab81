"""`rheo log`: list, show, export and report the records of sessions. Reads records; never changes one."""

import click
from rheocore.units import decimal, fmt_charge, fmt_resistance

from rheobase.cli.app import pass_app


@click.group()
def log():
    """List, show, export and report session records.

    \b
    Examples:
      rheo log list
      rheo log show last
    """


@log.command("list")
@pass_app
def list_command(app):
    """List the records, newest first.

    \b
    Examples:
      rheo log list
      rheo log list --log-dir ~/sessions
    """
    from rheobase import record

    found = [reader.summary() for reader in record.list_records(app.log_dir)]
    app.answer({"records": found}, lambda: _list_text(found, record.sessions_dir(app.log_dir)))


def _list_text(found, folder):
    if not found:
        return f"There is no record in {folder} yet."
    wide = max(len(s["id"]) for s in found)
    lines = [f"{'id':<{wide}}  {'end':<18}  protocol"]
    for s in found:
        end = s["stop_reason"] if s["state"] == "complete" else None
        line = f"{s['id']:<{wide}}  {end or s['state']:<18}  {s['protocol'] or '-'}"
        lines.append(line if len(line) <= 80 else line[:79] + "\u2026")
    return "\n".join(lines)


@log.command("show")
@click.argument("ref", metavar="ID")
@pass_app
def show_command(app, ref):
    """Show a session: what ran, how it ended, dose, events.

    The id may be cut short; `last` is the newest.

    \b
    Examples:
      rheo log show last
      rheo log show 20260102
    """
    from rheobase import dose, record

    reader = record.find(ref, app.log_dir)
    summary, figures = reader.summary(), dose.of_record(reader)
    events = [line for line in reader.lines if line["kind"] in ("screening", "event", "fault")]
    data = {"record": summary, "open": reader.opened, "events": events, "dose": figures, "close": reader.first("close")}
    app.answer(data, lambda: _show_text(summary, figures, reader))


def _show_text(summary, figures, reader):
    from rheocore import faults

    from rheobase import dose
    from rheobase.report import words

    final = dose.told_by_board(reader)
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
        rows.append(("duration", f"{'' if final else 'at least '}{summary['duration_s']:g} s"))
    if summary["stop_reason"]:
        rows.append(("ended by", f"{summary['stop_reason']}: {faults.sentence(str(summary['stop_reason']))}"))
    if summary["fault"]:
        rows.append(("fault", f"{summary['fault']}: {faults.sentence(str(summary['fault']))}"))
    for channel, values in figures.items():
        rows.append((f"channel {channel}", _channel_words(values, final)))
        rows.append(("", _dose_words(values)))
    if summary["torn"] or summary["damaged"] or reader.missing():
        lost = f"{summary['damaged'] + summary['torn']} damaged, {len(reader.missing())} missing"
        rows.append(("lines", f"{summary['lines']} readable, {lost}"))
    rows.append(("file", summary["path"]))
    lines = [f"{name:<10} {text}" for name, text in rows]
    told = [item for item in words.sentences(reader) if item[0]["kind"] not in ("open", "close")]
    if told:
        lines += ["", "Events"]
        lines += [f"  {str(line.get('host_utc'))[11:23]}  {text}{_at(line)}" for line, text, _ in told]
    return "\n".join(lines)


def _channel_words(values, final):
    from rheobase import dose

    words = f"{values['pulses']} pulses"
    if values["truncated"]:
        words += f", {values['truncated']} truncated"
    if values["charge_nc"] is not None:
        words += f", {fmt_charge(values['charge_nc'])} of one phase in sum"
    if dose.gave_current(values) is False:
        words += ", no current was given"
    return words if final else words + " (at the last telemetry)"


def _dose_words(values):
    from rheobase.report import words

    ohms = "not measured" if values["mean_ohms"] is None else fmt_resistance(values["mean_ohms"])
    full, peak = words.span(values["at_amplitude_ms"]), words.current(values["peak_ua"])
    return f"at amplitude {full}, at most {peak}, impedance {ohms}"


def _at(line):
    return f"  (board {decimal(line['dev_us'], 1_000_000)} s)" if isinstance(line.get("dev_us"), int) else ""


@log.command("export")
@click.argument("ref", metavar="ID")
@click.option("--csv", "out", metavar="FILE", help="CSV to write, - for stdout [ID.csv, here].")
@click.option("--pictures", metavar="DIR", help="Draw pulses.png and envelope.png there instead, or too with --csv.")
@pass_app
def export_command(app, ref, out, pictures):
    """Export a session's telemetry as CSV, or as pictures.

    Columns: dev_us (board's clock), state, channel, set_ua, meas_ua, ohms, pulses, charge_nc (of one phase,
    summed), fault.

    \b
    Examples:
      rheo log export last
      rheo log export last --csv - | head
      rheo log export last --pictures .
    """
    from rheobase import csv_export, record
    from rheobase.errors import UsageError

    if out == "-" and app.json:
        raise UsageError("csv_and_json", "--json and --csv - both want stdout.", "Name a file: --csv F.")
    reader = record.find(ref, app.log_dir)
    data, lines = {"id": reader.id, "path": None, "rows": None}, []
    if out == "-":
        csv_export.write(reader, click.get_text_stream("stdout"))
    elif out or not pictures:
        data["path"] = out or f"{reader.id}.csv"
        with open(data["path"], "w", encoding="ascii", newline="") as table:
            data["rows"] = csv_export.write(reader, table)
        lines.append(f"{data['path']}: {data['rows']} rows.")
    if pictures:
        from rheobase import plots

        data["pictures"] = plots.pictures(reader, pictures)
        lines += data["pictures"]
    app.answer(data, "\n".join(lines) if lines and out != "-" else None)


@log.command("report")
@click.argument("ref", metavar="ID")
@click.option("-o", "out", metavar="FILE", help="HTML to write [ID.html, here].")
@pass_app
def report_command(app, ref, out):
    """Make one HTML page of a session, to read and to print.

    Planned and delivered, dose, screening, events. `rheo run` has left one beside its record already.

    \b
    Examples:
      rheo log report last
      rheo log report last -o session.html
    """
    from rheobase import record, report

    reader = record.find(ref, app.log_dir)
    path = report.write(reader, out or f"{reader.id}.html")
    app.answer({"path": path, "session_id": reader.id}, path)
