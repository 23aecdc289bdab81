"""Python that runs on a board for `rheo deploy`: look, write, hash, commit, sweep. Texts only; runs nothing here.

Each text is MicroPython of 1.25. Those that answer print one literal as their last line (mpremote.evaluate).
"""

import binascii
import zlib

PART_BYTES = 12_000  # of text compiled on the board at once
_WINDOW_BITS = 10  # 1 KiB of the board's memory while it inflates

_HASH = """
import os, sys, hashlib, binascii
def sha(path):
    s = hashlib.sha256()
    try:
        with open(path, 'rb') as f:
            while True:
                b = f.read(512)
                if not b:
                    return binascii.hexlify(s.digest()).decode()
                s.update(b)
    except OSError:
        return None
"""

# A rheo_build that cannot be imported, for whatever reason, tells nothing: then the board is one without our firmware.
_LOOK = """
def names(folder):
    try:
        return sorted(e[0] for e in os.ilistdir(folder))
    except OSError:
        return []
def build(folder):
    sys.path[:] = [folder]
    sys.modules.pop('rheo_build', None)
    try:
        import rheo_build as b
        return b.ORIGIN, b.BOARD, b.HASH
    except Exception:
        return None
named = '/lib'
try:
    with open('/main.py', 'rb') as f:
        for line in f:
            if line.startswith(b'FILES = "'):
                named = line.split(b'"')[1].decode()
except OSError:
    pass
room = os.statvfs('/')
print(repr({
    'mpy': getattr(sys.implementation, '_mpy', 0), 'version': tuple(sys.implementation.version[:3]),
    'frozen': build('.frozen'), 'build': build(named), 'named': named,
    'slots': names('/rheo'), 'lib': names('/lib'), 'block': room[0], 'free': room[3],
    'entries': {n: sha(n) for n in %r},
}))
"""

_TREE = """
r = {p: sha(p) for p in %r}
def walk(folder):
    for e in os.ilistdir(folder):
        p = folder + '/' + e[0]
        if e[1] & 0x4000:
            walk(p)
        else:
            r[p] = sha(p)
try:
    walk(%r)
except OSError:
    pass
print(repr(r))
"""

_WRITER = """
import os
from binascii import a2b_base64 as A
from deflate import DeflateIO, RAW
from io import BytesIO
def W(p, d, n):
    with open(p, 'wb') as f:
        if f.write(DeflateIO(BytesIO(A(d)), RAW, %d).read()) != n:
            raise OSError('short write')
for d in %r:
    try:
        os.mkdir(d)
    except OSError as e:
        if e.errno != 17:
            raise
for p in %r:
    os.remove(p)
"""

_SWEEP = """
import os
def sweep(p):
    try:
        for e in os.ilistdir(p):
            sweep(p + '/' + e[0])
        os.rmdir(p)
    except OSError as e:
        if e.errno != 20:  # not a folder
            raise
        os.remove(p)
for p in %r:
    sweep(p)
"""


def look(entries):
    """Prints what deploy must know: kind of MicroPython, what is frozen, what main.py names, our names, room, hashes.

    entries: files of which to tell the SHA-256, None for one that is not there.
    """
    return _HASH + _LOOK % list(entries)


def hashes(folder, entries=()):
    """Prints {path: SHA-256} of every file below `folder`, which need not be there, and of each of `entries`."""
    return _HASH + _TREE % (list(entries), folder)


def write(files, surplus=()):
    """Texts, to be run one after another in one session, that write {path: content} and remove `surplus`."""
    folders = sorted({p[:i] for p in files for i, c in enumerate(p) if c == "/" and i})
    parts = [_WRITER % (_WINDOW_BITS, folders, list(surplus))]
    for path in sorted(files):
        deflate = zlib.compressobj(9, wbits=-_WINDOW_BITS)
        packed = deflate.compress(files[path]) + deflate.flush()
        line = f"W({path!r}, {binascii.b2a_base64(packed, newline=False)!r}, {len(files[path])})\n"
        if len(parts[-1]) + len(line) > PART_BYTES:
            parts.append("")
        parts[-1] += line
    return parts


def rename(pairs):
    """Renames each (from, to), in this order."""
    return "import os\n" + "".join(f"os.rename({old!r}, {new!r})\n" for old, new in pairs)


def sweep(paths):
    """Removes files and whole folders."""
    return _SWEEP % list(paths)
