"""Read a session file of sigrok (.sr) through sigrok-cli, which writes it as VCD. Needs that program; no other way.

What it writes is parsed while it comes, so that nothing of the size of the samples is ever held.
"""

import shutil
import subprocess
import threading

from rheobase.bench import vcd
from rheobase.errors import HostError, UsageError

_TIMEOUT_S = 300


def read(path):
    """The Trace of a .sr file. Raises HostError without sigrok-cli, UsageError if that cannot read the file."""
    program = shutil.which("sigrok-cli")
    if program is None:
        raise HostError(
            "no_sigrok_cli",
            f"Reading {path} needs sigrok-cli, which is not installed.",
            "Install it (Debian: apt-get install sigrok-cli), or save the capture as VCD in PulseView.",
        )
    command = [program, "-i", str(path.resolve()), "-O", "vcd"]
    dump = None
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        timer = threading.Timer(_TIMEOUT_S, process.kill)
        timer.start()
        try:
            dump = vcd.read(process.stdout, path)
            process.wait()
        except UsageError as error:
            process.kill()
            if error.code != "bad_vcd":
                raise
        finally:
            timer.cancel()
    if dump is None or process.returncode:
        raise UsageError(
            "bad_sr", f"{path} is not a whole session file: sigrok-cli cannot read it.", "Save the capture again."
        )
    return dump.trace()
