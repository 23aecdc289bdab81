"""Write value changes as a VCD file (contract: timescale 1 ns, one-bit legs and INTERLOCK, real CHn_UA).

Changes come in time order; the file is closed by a last timestamp. Nothing here knows the emulator.
"""


class VcdWriter:
    """names: {name: "wire" or "real"}; every name starts at 0. path: the file, replaced if it exists."""

    def __init__(self, path, names, module="rheobase"):
        self._file = open(path, "w", encoding="ascii", newline="\n")  # noqa: SIM115 - closed by close()
        self._ids = {name: self._identifier(n) for n, name in enumerate(names)}
        self._kinds = dict(names)
        self._last_ns = 0
        write = self._file.write
        write(f"$timescale 1 ns $end\n$scope module {module} $end\n")
        for name, kind in names.items():
            bits = 1 if kind == "wire" else 64
            write(f"$var {kind} {bits} {self._ids[name]} {name} $end\n")
        write("$upscope $end\n$enddefinitions $end\n#0\n$dumpvars\n")
        for name, kind in names.items():
            write(f"0{self._ids[name]}\n" if kind == "wire" else f"r0 {self._ids[name]}\n")
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

    def change(self, t_ns, name, value):
        """`name` has `value` from `t_ns` (whole ns) on. A name that was not declared is left out."""
        ident = self._ids.get(name)
        if ident is None or self._file is None:
            return
        if t_ns > self._last_ns:
            self._file.write(f"#{t_ns}\n")
            self._last_ns = t_ns
        if self._kinds[name] == "wire":
            self._file.write(f"{1 if value else 0}{ident}\n")
        else:
            self._file.write(f"r{value:.6g} {ident}\n")

    def close(self, t_ns):
        """End the capture at `t_ns` with a last timestamp."""
        if self._file is None:
            return
        if t_ns > self._last_ns:
            self._file.write(f"#{t_ns}\n")
        self._file.close()
        self._file = None
