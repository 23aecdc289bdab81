"""The report of a sweep: one HTML page made from its result alone, for somebody who was not there. Judges nothing.

No script, nothing fetched from elsewhere, every text of a user's escaped. It prints on A4.
"""

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def page(result):
    """The HTML of a result (results.document or results.load)."""
    from rheobase import report
    from rheobase.bench.sheet.story import tell

    style = (Path(report.__file__).parent / "page.css").read_text(encoding="utf-8")
    style += (_HERE / "page.css").read_text(encoding="utf-8")
    return report.template(_HERE).render(style=style, **tell(result))
