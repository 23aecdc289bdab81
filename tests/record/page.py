"""A report as a browser reads it, and a record changed after the fact: shared by the report's tests."""

import json
from html.parser import HTMLParser

from rheobase import report
from rheobase.record import RecordReader

VOID = ("meta", "img", "br")


class Page(HTMLParser):
    """text: all of it, in one line. tags: [(name, attributes)]. tables: rows of cell texts."""

    def __init__(self, source):
        super().__init__()
        self.words, self.tags, self.open, self.rows = [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == [], "a tag is left open"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} is closed in another"

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip("\n")

    def row(self, name, nth=0):
        """Cells beside the nth row that begins with `name`."""
        return [row[1:] for row in self.rows if row and row[0] == name][nth]


def page_of(path):
    return Page(report.page(RecordReader(path)))


def change(path, kind, nth=0, **fields):
    """Overwrite fields of the nth line of a kind."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    [line for line in lines if line["kind"] == kind][nth].update(fields)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
