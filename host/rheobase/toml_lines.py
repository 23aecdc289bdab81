"""Where in a TOML file something stands, and what to do about what tomllib says. Text only; judges no protocol."""

import re

FIXES = {  # what tomllib's words begin with: what to do
    "Cannot overwrite": "It is there already: keep one of the two.",
    "Cannot declare": "It is there already: keep one of the two.",
    "Expected newline": "A line is key = value and no more; the unit is in the key's name, notes begin with #.",
    "Expected '='": "Write key = value.",
    "Expected ']": "Close the bracket.",
    "Illegal character": "Close the quotes.",
    "Invalid statement": "Write key = value lines under [section] lines.",
    "Invalid value": "Write a number, true, false, a text in quotes, or a list in brackets.",
    "Unclosed": "Close the bracket.",
    "Unterminated": "Close the quotes.",
}


def sentence(path, text, said):
    """(message, hint) from what tomllib said of the file `path`: "Invalid value (at line 3, column 5)"."""
    what, _, where = said.partition(" (at ")
    place = where.rstrip(")")
    fix = next((fix for words, fix in FIXES.items() if what.startswith(words)), "")
    what = what[:1].lower() + what[1:]
    if not place.startswith("line "):
        return f"{path}, end of the file: {what}.", f"The file ends too early. {fix}".strip()
    lines, line = text.splitlines(), int(place[5:].split(",")[0])
    shown = f"The line reads: {lines[line - 1].strip()[:60]}" if line <= len(lines) else ""
    shown = "".join(c if c.isprintable() else "?" for c in shown)  # a terminal would obey the rest
    return f"{path}, {place}: {what}.", f"{fix} {shown}".strip() or None


def line_of(text, where):
    """Number of the line where the key `where` stands: "id", "train.width_us", "source[2].tag", or a table's name.

    A key that is missing: its table's line. None if that is not there either.
    """
    table, _, key = where.rpartition(".")
    name, _, which = table.partition("[")
    wanted = int(which.rstrip("]")) if which else 1
    here, seen, found = "", 0, None
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\[?\s*([^\[\]]+?)\s*\]", line)
        word = re.match(r"\s*([^=#\s]+)\s*=", line)
        if header:
            here = header[1].strip("\"'")
            seen += here == name
            if here == where:
                return number
            if here == name and seen == wanted:
                found = number
        elif word:
            written = word[1].strip("\"'")
            at_top = not here and written in (where, name)  # name: a table in one line
            if at_top or (here == name and seen == wanted and written == key):
                return number
    return found
