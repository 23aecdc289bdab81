"""`rheo bench capture`: play a train at 0 mA, let the board time its own edges, keep them in a file."""

import datetime
import os

import click
from rheocore.units import fmt_duration

from rheobase.cli.app import output_file, pass_app

LONGEST_MS = 10_000  # of a protocol, unless --duration says otherwise


@click.command()
@click.argument("protocol", required=False)
@click.option("--channel", "channels", multiple=True, metavar="N", help="Channel to play and capture; two at most [1].")
@click.option("--duration", metavar="Q", help="How long, as 2s [1s; of a protocol 10s].")
@click.option("-o", "--out", metavar="FILE", help="The file [SERIAL-TIME.vcd].")
@pass_app
def capture(app, protocol, channels, duration, out):
    """Let the board time its own edges; keep them in a file.

    Plays PROTOCOL (a preset's id or a TOML file), or 100 Hz with 200 us a phase for 1 s. The set-point stays at 0 mA:
    the legs switch and no current flows. No wire is needed. `rheo bench analyze` judges the file.

    \b
    Examples:
      rheo bench capture
      rheo bench capture ea_2_100hz --channel 2 --duration 5s -o two.vcd
    """
    from rheobase import discovery, order
    from rheobase.bench import files, own
    from rheobase.link import words

    numbers = sorted({order.channel_number(n) for n in channels or ("1",)})
    own.wires(numbers)
    cfg = _config(protocol, duration)
    out = output_file(out, "--out")
    with discovery.connect(app.port, app.note) as board:
        order.must_have(numbers, board.info)
        _refuse(dict.fromkeys(numbers, cfg), order.ratings(board.info))
        path = out or output_file(_name(board.info["serial"]), "--out")
        try:
            app.note(_what(board, cfg, numbers))
            taken, result = own.play(
                board, dict.fromkeys(numbers, cfg), interlock=len(numbers) == 1, edges=own.room(cfg)
            )
            files.save(path, taken)
        except BaseException:
            if not os.path.getsize(path):
                os.remove(path)
            raise
        data = _data(path, board, taken, result)
        app.answer(data, lambda: _text(data, taken))
        if taken.torn:
            app.warn(taken.torn[0].upper() + taken.torn[1:] + ".")
        if result["fault"]:
            raise words.fault_error(result["fault"], result["fault_channel"])


def _config(ref, duration):
    """The device's configuration of what is to be played."""
    from rheobase import library, order
    from rheobase.bench import own

    duration_ms = None if duration is None else order.quantity(duration, "duration", "--duration")
    if ref is None:
        return {**own.TRAIN, "duration_ms": own.TRAIN["duration_ms"] if duration_ms is None else duration_ms}
    found = library.load(ref)
    if duration_ms is None and found["session"]["duration_s"] * 1000 > LONGEST_MS:
        duration_ms = LONGEST_MS
    return order.Part(1, found, 0, duration_ms).cfg


def _refuse(configs, ratings):
    """Raise Refused for what the board would refuse, before anything is counted, said or sent."""
    from rheocore import limits

    from rheobase.errors import Refused
    from rheobase.link import words

    for _, code, field, value, bound in limits.judge_all(configs, ratings):
        raise Refused("refused", words.refusal(code, field, value, bound), "Nothing was sent to the board.")


def _name(serial):
    return f"{serial}-{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}.vcd"


def _what(board, cfg, numbers):
    from rheobase.order import train_words

    kind = "the emulated board" if board.emulated else "board"
    where = ("channel " if len(numbers) == 1 else "channels ") + " and ".join(map(str, numbers))
    return (
        f"Playing {train_words(cfg)} for {fmt_duration(cfg['duration_ms'])} on {where} of {kind}"
        f" {board.info['board']} {board.info['serial']} at 0 mA: the legs switch, no current flows."
    )


def _data(path, board, taken, result):
    return {
        "path": path,
        "board": board.info["board"],
        "serial": board.info["serial"],
        "firmware": board.info["firmware"],
        "emulated": board.emulated,
        "wires": {name: len(signal.edges_ps) for name, signal in taken.signals.items()},
        "edges": taken.edges,
        "span_ms": (taken.end_ps - taken.start_ps) / 1e9,
        "resolution_ns": taken.resolution_ps / 1000,
        "instrument": taken.instrument,
        "torn": taken.torn,
        "pulses": {n: row["pulses"] for n, row in result["channels"].items()},
        "stop_reason": result["stop_reason"],
    }


def _text(data, taken):
    wires = ", ".join(f"{name} {edges}" for name, edges in data["wires"].items())
    return "\n".join(
        (
            data["path"],
            f"  {data['edges']} edges in {data['span_ms']:.3f} ms: {wires}",
            f"  one look every {data['resolution_ns']:g} ns, by {taken.source}",
        )
    )
