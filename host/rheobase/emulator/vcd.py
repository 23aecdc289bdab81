"""Write value changes as a VCD file (contract: timescale 1 ns, one-bit legs and INTERLOCK, real CHn_UA).

Changes come in time order; the file is closed by a last timestamp. Nothing here knows the emulator.
"""

import json

_END = '"end_ps": '
_END_WIDTH = 20  # digits of the place kept for the end


class VcdWriter:
    """names: {name: "wire" or "real"}; every name starts at 0 unless told. path: the file, replaced if it exists.

    timescale: the unit of all times, "1 ns" or "1 ps". start: the first of them. initial: {name: level} of all wires;
    with it, reals have no value until their first change. about: what a reader must know of the capture (resolution_ps
    above all; see bench/files.py), written as a comment; with the end in it, put there by close(), so that a cut file
    shows.
    """

    def __init__(self, path, names, module="rheobase", timescale="1 ns", start=0, initial=None, about=None):
        self._file = open(path, "w", encoding="ascii", newline="\n")  # noqa: SIM115 - closed by close()
        self._ids = {name: self._identifier(n) for n, name in enumerate(names)}
        self._kinds = dict(names)
        self._last = start
        self._unit_ps = {"1 ns": 1000, "1 ps": 1}[timescale]
        self._about = about
        self._end_at = None
        write = self._file.write
        if about is not None:
            text = json.dumps(about).replace("$", "\\u0024")
            if self._file.seekable():
                write(f"$comment rheobase {text[:-1]}, {_END}")
                self._end_at = self._file.tell()
                text = f"{'null':{_END_WIDTH}}}}"
            else:  # a pipe: nothing can be put in later
                write("$comment rheobase ")
            write(f"{text} $end\n")
        write(f"$timescale {timescale} $end\n$scope module {module} $end\n")
        for name, kind in names.items():
            bits = 1 if kind == "wire" else 64
            write(f"$var {kind} {bits} {self._ids[name]} {name} $end\n")
        write(f"$upscope $end\n$enddefinitions $end\n#{start}\n$dumpvars\n")
        for name, kind in names.items():
            if kind == "wire":
                write(f"{(initial or {}).get(name, 0)}{self._ids[name]}\n")
            elif initial is None:
                write(f"r0 {self._ids[name]}\n")
        write("$end\n")

    @staticmethod
    def _identifier(n):
        """Short printable identifier number n."""
        text = ""
        while True:
            text += chr(33 + n % 94)
            n = n // 94 - 1
            if n < 0:
                return text

    def change(self, t, name, value):
        """`name` has `value` from `t` (whole units of the timescale) on. A name that was not declared is left out."""
        ident = self._ids.get(name)
        if ident is None or self._file is None:
            return
        if t > self._last:
            self._file.write(f"#{t}\n")
            self._last = t
        if self._kinds[name] == "wire":
            self._file.write(f"{1 if value else 0}{ident}\n")
        else:
            self._file.write(f"r{float(value)!r} {ident}\n")

    def close(self, t):
        """End the capture at `t` with a last timestamp."""
        if self._file is None:
            return
        if t > self._last:
            self._file.write(f"#{t}\n")
            self._last = t
        if self._end_at is not None:
            end_ps = self._last * self._unit_ps + self._about.get("origin_ps", 0)
            self._file.seek(self._end_at)
            self._file.write(f"{end_ps:<{_END_WIDTH}}")
        self._file.close()
        self._file = None
