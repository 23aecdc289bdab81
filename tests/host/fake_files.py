"""A board's files for tests of deploy: runs the scripts that a board would, on a dict. Touches no file system."""

import binascii
import builtins
import hashlib
import types
import zlib

from rheobase.errors import HostError

BLOCK = 4096


class FakeFiles:
    """What mpremote finds and does. Knobs: files {path: bytes}, frozen and build (ORIGIN, BOARD, HASH) or None,
    version, mpy, free (blocks), cut_after (operations until the board is gone), spoil (paths that do not keep).

    log: what was done, in order: ("write", path), ("rename", old, new), ("remove", path), ("reset",).
    """

    def __init__(self, files=()):
        self.files = dict(files)
        self.frozen = self.build = None
        self.version = (1, 25, 0)
        self.mpy = 0x1306
        self.free = 300
        self.cut_after = None
        self.spoil = set()
        self.log = []

    # -- rheobase.mpremote -------------------------------------------------------------------------------------

    def run(self, port, *words, timeout_s=0):
        assert words == ("reset",)
        self.log.append(("reset",))
        return ""

    def run_scripts(self, port, scripts, timeout_s=0):
        self.said = ""
        scope = {"__builtins__": {**vars(builtins), "__import__": self._import, "open": self._open, "print": self._say}}
        self.sys = types.SimpleNamespace(
            path=["", ".frozen", "/lib"],
            modules={},
            implementation=types.SimpleNamespace(version=(*self.version, ""), _mpy=self.mpy),
        )
        for text in scripts:
            exec(compile(text, "script", "exec"), scope)
        return self.said

    # -- the board ---------------------------------------------------------------------------------------------

    def _done(self, *what):
        if self.cut_after is not None:
            if not self.cut_after:
                raise HostError("mpremote_failed", "mpremote failed on x: OSError: EIO", None)
            self.cut_after -= 1
        self.log.append(what)

    def _say(self, text):
        self.said += f"{text}\n"

    def _import(self, name, *_):
        if name == "rheo_build":
            told = self.frozen if self.sys.path == [".frozen"] else self.build
            if told is None:
                raise ImportError(name)
            return types.SimpleNamespace(**dict(zip(("ORIGIN", "BOARD", "HASH"), told, strict=True)))
        mine = {"os": self, "sys": self.sys, "deflate": self, "hashlib": hashlib, "binascii": binascii}
        return mine.get(name) or __import__(name)

    def _open(self, path, mode):
        import io

        if mode == "rb":
            if path not in self.files:
                raise OSError(2, path)
            return io.BytesIO(self.files[path])
        fake = self

        class Written(io.BytesIO):
            def __exit__(self, *exc):
                fake._done("write", path)
                fake.files[path] = b"spoilt" if path in fake.spoil else self.getvalue()

        return Written()

    RAW = -1

    @staticmethod
    def DeflateIO(stream, kind, bits):
        import io

        return io.BytesIO(zlib.decompress(stream.read(), -bits))

    def ilistdir(self, folder):
        below = [
            path[len(folder.rstrip("/")) + 1 :] for path in self.files if path.startswith(folder.rstrip("/") + "/")
        ]
        if not below:
            raise OSError(20 if folder in self.files else 2, folder)
        return [(name, 0x4000 if any(p.startswith(name + "/") for p in below) else 0x8000) for name in
                sorted({path.partition("/")[0] for path in below})]  # fmt: skip

    def mkdir(self, folder):
        pass

    def rmdir(self, folder):
        assert not [path for path in self.files if path.startswith(folder + "/")]

    def remove(self, path):
        self._done("remove", path)
        del self.files[path]

    def rename(self, old, new):
        self._done("rename", old, new)
        self.files[new] = self.files.pop(old)

    def statvfs(self, path):
        return (BLOCK, BLOCK, 352, self.free, self.free)
