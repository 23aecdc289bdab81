"""The report of a session: one HTML page with everything in it, made from its record alone. Never changes a record.

No script, nothing fetched from elsewhere, every text of a user's escaped. It prints on A4.
"""

from functools import cache
from pathlib import Path

from rheobase import ondisk
from rheobase.errors import HostError
from rheobase.record import RecordReader

FILE = "report.html"
_HERE = Path(__file__).resolve().parent


def page(reader):
    """The HTML of a RecordReader, whatever state its record is in."""
    from rheobase.report.story import tell

    style = (_HERE / "page.css").read_text(encoding="utf-8")
    return template(_HERE).render(style=style, **tell(reader))


@cache
def template(folder):
    """page.html of a folder: every text is shown as text, and a name that nobody gives is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(folder)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("page.html")


def write(reader, path):
    """Write the report of a RecordReader to `path`. Returns the path as text. Raises HostError."""
    text = page(reader)
    try:
        ondisk.write_whole(path, text.encode())  # a page that breaks off in the middle would not tell that it does
    except OSError as error:
        hint = "Check the folder, its rights and the free space, or name another file with -o."
        raise HostError("report_not_writable", f"{path} cannot be written: {error.strerror}.", hint) from None
    return str(path)


def beside(path, warn):
    """Write the report of the record at `path` beside it. Returns the report's path as text.

    Never fails the session that it tells of: whatever goes wrong is told to `warn(text)`, and the path is None.
    """
    try:
        reader = RecordReader(path)
        return write(reader, reader.path.with_name(FILE))
    except KeyboardInterrupt:
        warn("The report was interrupted; `rheo log report last` makes it.")
    except Exception as error:  # a bug here must not hide how the session ended
        warn(f"There is no report: {error} The record is kept; `rheo log report last` tries again.")
    return None
