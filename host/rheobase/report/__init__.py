"""The report of a session: one HTML page with everything in it, made from its record alone. Never changes a record.

No script, nothing fetched from elsewhere, every text of a user's escaped. It prints on A4.
"""

from pathlib import Path

from rheobase.errors import HostError
from rheobase.record import RecordReader

FILE = "report.html"
_HERE = Path(__file__).resolve().parent


def page(reader):
    """The HTML of a RecordReader, whatever state its record is in."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from rheobase.report.story import tell

    loader = FileSystemLoader(_HERE)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(style=style, **tell(reader))


def write(reader, path):
    """Write the report of a RecordReader to `path`. Returns the path as text. Raises HostError."""
    text = page(reader)
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        hint = "Check the folder, its rights and the free space, or name another file with -o."
        raise HostError("report_not_writable", f"{path} cannot be written: {error.strerror}.", hint) from None
    return str(path)


def beside(path):
    """Write the report of the record at `path` beside it. Returns the report's path as text. Raises HostError."""
    reader = RecordReader(path)
    return write(reader, reader.path.with_name(FILE))
