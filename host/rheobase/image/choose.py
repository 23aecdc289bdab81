"""Which image a command would use, and getting one if none is there. Builds through builder, never fetches."""

from rheobase import boards
from rheobase.errors import HostError
from rheobase.image import builder, debian, firmware_files, info, toolchain
from rheobase.image.official import BOARD as STOCK

_WHAT_TO_DO = "Run `rheo image build`, or `rheo image build --micropython DIR`, or `rheo image fetch`."


def which(board: str | None = None) -> info.ImageInfo:
    """The image that would be used for `board` (None: boards.chosen()) now, with `why`. Builds nothing.

    In this order: one built from what is here now; the official stock image that was fetched (on a board of ours the
    firmware must then be deployed as files). Raises HostError when there is neither.
    """
    board = firmware_files.check_board(board or boards.chosen())
    built = info.all_of(board)
    current = _current(board, built)
    if current:
        return current
    official = _official()
    if official and not (built and _rebuild_source(built)[1]):
        stock = "" if board == STOCK else "; it has no firmware inside, which must be deployed as files"
        official.why = "the official image, fetched" + stock
        return official
    if built:
        raise HostError(
            "stale_image",
            f"The image of {board} at {built[0].path} is older than the firmware or board files here.",
            "Build it again: rheo image build (commands that need an image do so by themselves where they can).",
        )
    raise HostError("no_image", f"There is no image for {board} yet.", _WHAT_TO_DO)


def ensure(board: str | None = None, log=None, install_tools=False) -> info.ImageInfo:
    """The image to use for `board` (None: boards.chosen()), built first if that is needed and the toolchain is there.

    A build is said through log(text). Raises HostError (exit 8) with what to do next.
    """
    board = board or boards.chosen()
    try:
        return which(board)
    except HostError as error:
        if error.code not in ("stale_image", "no_image"):
            raise
        built = info.all_of(board)
        path, possible = _rebuild_source(built) if built else (None, _debian_possible() or install_tools)
        if not possible and not install_tools:
            raise HostError(error.code, error.message, _not_possible(path)) from error
    return builder.build(board, path, log, install_tools)


def _current(board, built):
    """The newest built image whose inputs are what is here now."""
    ours = builder.inputs(board) if built else ""
    for image in built:
        if image.inputs == ours and _source_unchanged(image.source):
            image.why = f"{image.origin}; nothing has changed since"
            return image
    return None


def _source_unchanged(source):
    """True unless the sources are here and differ from what was built."""
    if source.get("kind") == info.BUILT_CHECKOUT:
        try:
            return builder.checkout(source["path"])["id"] == source["id"]
        except HostError:
            return True  # the checkout is gone: nothing says that the image is wrong
    record = debian.present()
    return record is None or record["packages"] == source.get("packages")


def _rebuild_source(built):
    """(checkout or None for Debian's packages, can it be built) of the newest built image."""
    source = built[0].source
    if source.get("kind") == info.BUILT_CHECKOUT:
        try:
            builder.checkout(source["path"])
            return source["path"], not toolchain.missing(debian_sources=False)
        except HostError:
            return None, _debian_possible()
    return None, _debian_possible()


def _debian_possible():
    return debian.possible() and not toolchain.missing(debian_sources=True)


def _not_possible(path):
    if path is None and not debian.possible():
        return "Use the official image (rheo image fetch) or a checkout (rheo image build --micropython DIR)."
    packages = toolchain.missing(debian_sources=path is None)
    return f"Install the toolchain: {toolchain.apt_line(packages)}   or use a ready image: rheo image fetch"


def _official():
    for image in info.all_of(STOCK):
        if image.source.get("kind") == info.OFFICIAL:
            return image
    return None
