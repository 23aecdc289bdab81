"""Checks of one board, by what `look` has seen of it. Asks the board nothing more."""

import re

from rheocore import calibration as stored
from rheocore import faults, messages

from rheobase import discovery
from rheobase.boards import DEFAULT
from rheobase.doctor.finding import fail, ok, warn
from rheobase.errors import EXIT_FAULT, EXIT_INCOMPATIBLE
from rheobase.image import firmware_files
from rheobase.image.official import DEFAULT as TESTED  # the MicroPython that the tests boot
from rheobase.link import words

_TOLD_MAX = 24  # names that a board tells at most (inspection.py)
_OURS = ("boot.py", "main.py", "rheo", "rheo_board", "rheo_build", "rheocore", "rheorp2")
_SLOTS = "rheo/"  # where `rheo deploy` puts the firmware (rheobase.slots)
_BLOCK = 4096  # of the board's file system


def boards(found):
    """How many there are, and which."""
    if len(found) == 1:
        return ok(f"One {'board' if found[0].told else 'port'}: {found[0].describe()}.")
    if found:
        listed = ", ".join(seen.describe() for seen in found)
        return warn(f"{len(found)} boards: {listed}.", "Say which one a command means: --port.")
    return warn("No board was found.", discovery.no_board().hint)


def handshake(seen):
    """Does it answer, and in our words; who holds its port."""
    if seen.holder:
        left_s = seen.status["t_left_ms"] // 1000
        return ok(
            f"A session holds it (rheo run, process {seen.holder['pid']}): {seen.status['state']}, {left_s} s left. "
            "It is not disturbed: clock, guard, flash and files are not looked at."
        )
    if seen.info:
        return ok(f"{seen.info['board']} {seen.info['serial']} answers, wire version {seen.info['wire']}.")
    problem = seen.problem
    if seen.needed and problem.code != "at_repl":
        return fail(problem.message, problem.hint, problem.exit_code)
    return warn(problem.message, problem.hint)


def firmware(seen):
    """Firmware and library, by their hash, against what this rheo carries."""
    if not seen.told:
        return None
    difference = discovery.firmware_difference(seen.told)
    theirs = seen.told["firmware"]
    if difference:
        how = "flash" if theirs["origin"] == "frozen" else "deploy"
        return warn(difference, f"`rheo {how}`, or use the rheo that the board's firmware came with.")
    kind = "frozen into its image" if theirs["origin"] == "frozen" else "as files"
    return ok(f"{theirs['version']}, {theirs['hash']}, {kind}: the same as this rheo's.")


def micropython(seen):
    """The version below the firmware."""
    if not seen.info:
        return None
    theirs = seen.info["micropython"]
    if _version(theirs) < _version(firmware_files.OLDEST_MICROPYTHON):
        return fail(
            f"MicroPython {theirs} is older than {firmware_files.OLDEST_MICROPYTHON}.",
            "`rheo flash`.",
            EXIT_INCOMPATIBLE,
        )
    if _version(theirs) > _version(TESTED):
        return warn(f"MicroPython {theirs}; what is claimed was tested on {TESTED}.", "Bench only; or `rheo flash`.")
    return ok(f"MicroPython {theirs}.")


def hook(seen):
    """The C hook that forces the legs low on a soft reset."""
    if not seen.info:
        return None
    if seen.info["c_hook"]:
        return ok("The C hook is in the image: a soft reset takes the legs low.")
    return warn("No C hook: a soft reset can leave a leg high. Bench protocols only.", "`rheo flash` brings our image.")


def reset(seen):
    """Why it was reset last, and in the middle of what."""
    if not seen.info:
        return None
    cause, was = seen.info["reset_cause"], seen.info["was"]
    said = f"Last reset: {cause}" + (f", in state {was}." if was else ".")
    if cause == "watchdog" or (was in messages.BUSY):
        return warn(said, "If it happens again, file a bug with the session's record.")
    return ok(said)


def fault(seen):
    """A latched fault."""
    if not seen.status:
        return None
    name, channel = seen.status["fault"], seen.status.get("fault_channel")
    if not name:
        return ok(f"No fault; state {seen.status['state']}.")
    lead = f"Channel {channel}: " if channel else ""
    remedy = f"{faults.remedy(name)} `rheo clear-fault` clears it."
    return fail(f"Latched: {name}. {lead}{faults.sentence(name)}", remedy, EXIT_FAULT)


def interlock(seen):
    """Is the loop closed."""
    if not seen.status:
        return None
    if seen.status["interlock"]:
        return ok("The interlock is closed.")
    return warn("The interlock is open: no session starts.", "Close the loop; a broken wire reads as open too.")


def inspection(seen):
    """Why the checks below could not be made; nothing if they were."""
    if seen.inspection or not seen.info:
        return None
    said = "Clock, guard, supply, flash and files were not looked at: "
    if seen.problem.code == "method_not_found":
        return warn(said + "this firmware does not tell them.", "Flash or deploy this rheo's firmware.")
    if seen.problem.exit_code == EXIT_INCOMPATIBLE:
        return fail(said + seen.problem.message, seen.problem.hint, EXIT_INCOMPATIBLE)
    return warn(said + seen.problem.message, "Again, once its session is over.")


def clock(seen):
    """The system clock that every time in the firmware is counted in."""
    if not (seen.inspection and seen.table):
        return None
    is_hz, wanted_hz = seen.inspection["clk_sys_hz"], seen.table["clk_sys_hz"]
    if is_hz == wanted_hz:
        return ok(f"The system clock is set to {is_hz / 1e6:g} MHz.")
    said = f"The system clock is set to {is_hz / 1e6:g} MHz instead of {wanted_hz / 1e6:g} MHz."
    return fail(said, "Reset the board; something called machine.freq().", EXIT_FAULT)


def guard(seen):
    """Guard, pad gate and legs of a board at rest."""
    if not seen.inspection:
        return None
    told = seen.inspection
    wrong = [] if told["legs_low"] else ["a leg is high"]
    wrong += ["the pad gate is open"] if told["gate_open"] else []
    wrong += [] if told["guard"] in ("latched", "watching") else [f"the guard is {told['guard']}"]
    if wrong:
        said = f"At rest {' and '.join(wrong)}."
        return fail(said, "Open the interlock and unplug the board; if it stays so, have it checked.", EXIT_FAULT)
    return ok(f"All legs low behind the closed pad gate; the guard runs ({told['guard']}).")


def supply(seen):
    """The output stage's supply."""
    if not (seen.inspection and seen.table):
        return None
    volts, least = seen.inspection["supply_mv"] / 1000, seen.table["supply_min_mv"] / 1000
    if volts < least:
        fix = "Charge or change the battery; without an output stage this input reads anything."
        return warn(f"The output stage has {volts:.1f} V: below {least:g} V no session starts.", fix)
    return ok(f"The output stage has {volts:.1f} V ({least:g} V at least).")


def calibration(seen):
    """Is there one for every channel, and can it be used."""
    if not seen.info:
        return None
    told = seen.info["calibration"]
    if told["problem"]:
        why = stored.PROBLEMS.get(told["problem"], told["problem"])
        fix = f"Calibrate each channel again (`rheo calibrate`), or remove it: {_remove(seen, [stored.FILE[1:]])}"
        return fail(f"The stored calibration cannot be used, the board does not arm: {why}.", fix, EXIT_FAULT)
    left = [n for n, row in sorted(told["channels"].items()) if not row]
    said = f"Set-point and sense: {words.calibration(told)}."
    if left:
        fix = f"`rheo calibrate --channel {left[0]} --load OHMS`, into a known load (docs/calibration.md)."
        return warn(said, fix)
    return ok(said)


def files(seen):
    """Files that do nothing beside the firmware, or that stand in for a module of firmware that runs from /lib."""
    if not seen.inspection:
        return None
    there = seen.inspection["files"]
    if seen.info["firmware"]["origin"] == "frozen":
        idle = [name for name in there if _stem(name) in _OURS]
        if idle:
            return warn(f"These change nothing, the firmware is in the image: {', '.join(idle)}.", _remove(seen, idle))
        return ok(_count(there) + "; none has a name of the firmware's.")
    in_lib = [name for name in there if name.startswith("lib/")]
    if _SLOTS in there and seen.info["firmware"]["hash"] != firmware_files.BY_HAND:
        idle = [name for name in there if name.endswith(".new") and _stem(name) in _OURS]
        idle += [name for name in in_lib if _stem(name) in _OURS]
        if idle:
            said = f"These change nothing, the firmware is in {_SLOTS}: {', '.join(idle)}."
            return warn(said, "`rheo deploy` removes them.")
        return ok(_count(there) + "; `rheo deploy --dry-run` compares each (it stops the board first).")
    shadows = [name for name in in_lib if _stem(name) in _imported()]
    if shadows:
        said = f"These stand in for modules that the firmware imports: {', '.join(shadows)}."
        return warn(said, _remove(seen, shadows))
    return ok(_count(there) + "; `rheo deploy --dry-run` compares each (it stops the board first).")


def flash(seen):
    """Room in the board's file system."""
    if not seen.inspection:
        return None
    free, size = seen.inspection["flash_free"], seen.inspection["flash_bytes"]
    if free is None:
        return warn(
            "The board has no file system.", "MicroPython makes one when it starts: unplug the board, plug it in again."
        )
    said = f"{free // 1024} of {size // 1024} KiB of the file system are free."
    if seen.info["firmware"]["origin"] == "files" and free < _firmware_bytes(seen):
        fix = f"Remove files of your own: mpremote connect {seen.port} fs rm"
        return warn(said + " The next deploy may not fit.", fix)
    return ok(said)


def _remove(seen, names):
    """The command, which stops the board first; any verb of rheo starts it again."""
    return f"mpremote connect {seen.port} fs rm -r " + " ".join(":" + name.rstrip("/") for name in names)


def _version(text):
    return tuple(int(n) for n in re.findall(r"\d+", text)[:3])


def _stem(name):
    """ "rheocore" of "lib/rheocore/" and of "rheocore.mpy"; boot.py and main.py stay what they are."""
    last = name.rstrip("/").rpartition("/")[2]
    return last if last in ("boot.py", "main.py") else last.rpartition(".")[0] or last


def _imported():
    """Names of MicroPython's own modules that the firmware imports."""
    text = b"\n".join(firmware_files.read_files(DEFAULT).values()).decode()
    names = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    return names - {"rheocore", "rheorp2", "rheo_board", "rheo_build"}


def _firmware_bytes(seen):
    """Room for it beside the one that is there, in whole blocks; compiled, it is smaller than this."""
    name = seen.info["board"]
    files = firmware_files.read_files(name).values() if name in firmware_files.known_boards() else ()
    return sum(-(-len(content) // _BLOCK) * _BLOCK for content in files)


def _count(names):
    if len(names) >= _TOLD_MAX:
        return f"More than {len(names) - 1} files and folders, of which the first {len(names)} were looked at"
    return f"{len(names)} files and folders" if names else "No file is on it"
