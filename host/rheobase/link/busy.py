"""Who holds a serial port: a name and a process id for the sentence, if Linux tells. Never more than a hint."""

import os


def holder(port):
    """ "mpremote (process 4711)" that has the port open and locked, or only open; None if nobody is known to."""
    return _told(_lock_owner(port) or _opener(port))


def opener(port):
    """The same of a process, not this one, that has the port open, locked or not."""
    return _told(_opener(port))


def _told(pid):
    if pid is None:
        return None
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as text:
            words = [w.decode(errors="replace") for w in text.read().split(b"\0") if w]
    except OSError:
        words = []
    return f"{_name(words)} (process {pid})" if words else f"process {pid}"


def _name(words):
    """The program's name: past the interpreter and its options; of rheo with its verb."""
    names = [os.path.basename(w) for w in words]
    for i, name in enumerate(words):
        if name == "rheobase.cli.main" or names[i] == "rheo":
            return " ".join(["rheo", *[w for w in words[i + 1 :] if w == "run"][:1]])
    if names[0].startswith("python"):
        for i, word in enumerate(words[1:], 1):
            if word == "-m" and i + 1 < len(words):
                return words[i + 1]
            if not word.startswith("-"):
                return names[i]
    return names[0]


def _lock_owner(port):
    """Process that holds the flock, from /proc/locks."""
    try:
        inode = os.stat(port).st_ino
        with open("/proc/locks") as lines:
            for line in lines:
                words = line.split()
                if len(words) > 5 and words[1] == "FLOCK" and words[5].endswith(f":{inode}"):
                    pid = int(words[4])
                    if pid > 0 and _has_open(pid, port):
                        return pid
    except (OSError, ValueError):
        pass
    return None


def _has_open(pid, port):
    target = os.path.realpath(port)
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}") == target:
                    return True
            except OSError:
                continue
    except OSError:
        pass
    return False


def _opener(port):
    """Some process, not this one, that has the port open."""
    try:
        pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return None
    return next((pid for pid in pids if pid != os.getpid() and _has_open(pid, port)), None)
