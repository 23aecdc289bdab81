"""Checks of serial ports on Linux: who may open them, the udev rule, ModemManager. Opens none."""

import os
import sys
from pathlib import Path

from rheobase import discovery
from rheobase.doctor import rules
from rheobase.doctor.finding import fail, ok, warn
from rheobase.errors import EXIT_NO_DEVICE

GROUPS = ("dialout", "uucp")  # that own serial ports: Debian and Fedora, Arch
_ELSEWHERE = "Nothing to do on this system."


def access(_):
    """May this user open the boards' ports; without a board: would they."""
    if not sys.platform.startswith("linux"):
        return ok(_ELSEWHERE)
    real = [port for port, emulated, _ in discovery.candidates() if not emulated]
    for port in real:
        if not os.access(port, os.R_OK | os.W_OK):
            return fail(f"You may not open {port}: {_owner(port)}.", _let_in(port), EXIT_NO_DEVICE)
    if real:
        return ok("; ".join(f"{port} may be opened ({_owner(port)})" for port in real) + ".")
    name = next(filter(_gid, GROUPS), None)
    if os.geteuid() == 0 or name is None or _gid(name) in os.getgroups() or rules.found():
        return ok("Serial ports of boards can be opened, as far as can be told without one.")
    return warn(f"You are not in the group {name}, and there is no udev rule.", _join(name))


def udev(_):
    """The rule that gives access and keeps ModemManager off."""
    if not sys.platform.startswith("linux"):
        return ok(_ELSEWHERE)
    there = rules.found()
    if there is None:
        if not Path("/run/udev").is_dir():
            return ok("udev does not run here (a container?): no rule is needed.")
        return warn("No udev rule for the boards is installed.", rules.INSTALL)
    path, current = there
    if current:
        return ok(f"The rule is there: {path}.")
    return warn(f"{path} is not the rule file of this rheo.", rules.INSTALL)


def modem_manager(_):
    """It talks to serial ports that appear, unless a rule forbids it."""
    if not sys.platform.startswith("linux"):
        return ok(_ELSEWHERE)
    if not _running("ModemManager"):
        return ok("ModemManager does not run.")
    if rules.found():
        return ok("ModemManager runs, and the rule keeps it off the boards.")
    return warn("ModemManager runs and may talk to a board that is plugged in.", rules.INSTALL)


def _running(name, proc="/proc"):
    for comm in Path(proc).glob("[0-9]*/comm"):
        try:
            if comm.read_text().strip() == name[:15]:
                return True
        except OSError:  # it has ended meanwhile
            continue
    return False


def _owner(port):
    """ "owner root, group dialout, mode 660"."""
    stat = os.stat(port)
    return f"owner {_user(stat.st_uid)}, group {_group(port)}, mode {stat.st_mode & 0o777:o}"


def _user(uid):
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(port):
    import grp

    gid = os.stat(port).st_gid
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _gid(name):
    import grp

    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return None


def _let_in(port):
    """What to do about a port that may not be opened."""
    group, may = _group(port), os.stat(port).st_mode & 0o060
    if group in GROUPS and may == 0o060:
        return _join(group)
    return rules.INSTALL  # its group opens nothing, or would open much more than serial ports


def _join(group):
    """What to do: join, or only begin a new login where that has been done."""
    import getpass
    import grp

    try:
        member = getpass.getuser() in grp.getgrnam(group).gr_mem
    except (KeyError, OSError):
        member = False
    if member:
        return f"You are in {group} already, but this login is older: log out and in again."
    return f"sudo usermod -aG {group} $USER, then log out and in again; or: {rules.INSTALL}"
