"""Write the C header with a board's leg and set-point pins from its rheo_board.py. Decides nothing about pins.

Called by the board's mpconfigboard.cmake: python3 legs_header.py BOARD_DIR/rheo_board.py OUT.h
"""

import ast
import sys


def board_table(path):
    """The BOARD literal of rheo_board.py, without running the file."""
    with open(path, encoding="utf-8") as file:
        for node in ast.parse(file.read(), path).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "BOARD":
                return ast.literal_eval(node.value)
    raise SystemExit(f"{path}: no BOARD table")


def header(board):
    """Text of the header. Raises SystemExit when the table cannot be right: better no image than a wrong one."""
    legs = [pin for channel in board["channels"] for pin in (channel["leg_a"], channel["leg_b"])]
    dacs = [channel["dac"] for channel in board["channels"]]
    pins = legs + dacs
    if len(set(pins)) != len(pins) or not all(isinstance(pin, int) and 0 <= pin <= 29 for pin in pins):
        raise SystemExit(f"pins of legs and set-points must be different GPIOs 0 to 29: {pins}")
    if legs != list(range(board["leg_base"], board["leg_base"] + len(legs))):
        raise SystemExit(f"legs must be contiguous from leg_base, A then B of each channel: {legs}")
    return (
        "// Generated from rheo_board.py by boards/legs_header.py. Do not edit.\n"
        "#pragma once\n"
        f"#define RHEO_LEG_PINS {{ {', '.join(map(str, legs))} }}\n"
        f"#define RHEO_DAC_PINS {{ {', '.join(map(str, dacs))} }}\n"
        f"#define RHEO_CHANNEL_SMS ({(1 << len(board['channels'])) - 1:#x}) // state machines of the channels\n"
    )


def main(source, target):
    """Write the header, only if it changed, so that nothing is compiled for nothing."""
    text = header(board_table(source))
    try:
        with open(target, encoding="utf-8") as file:
            if file.read() == text:
                return
    except OSError:
        pass
    with open(target, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
