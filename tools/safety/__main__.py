"""`make safety`: the matrix from hazards to results, the figures in the pages, and whether anything is missing.

--check: compare with what is there, write nothing. --ran: only say, by the exit status, whether every test that shows
something has run on this tree. Exit status 1 with a sentence for each gap: a hazard without control, software that no
test shows, a test that failed or did not run, a claim or figure that there is not.
"""

import argparse
import difflib
import sys

import case as cases
import figures
import ledger
import matrix
import proof

MOST = 20  # gaps shown


def pages(case, run):
    """{path: text} of what is made, as it should be."""
    known = figures.all_figures(case, run)
    made = {page: figures.filled(page, known)[0] for page in figures.pages()}
    return {**made, cases.FOLDER / "matrix.md": matrix.page(case, run)}


def differences(made):
    """Lines of a diff of what is there from what should be."""
    found = []
    for path, text in made.items():
        old = path.read_text() if path.exists() else ""
        name = path.relative_to(cases.ROOT).as_posix()
        found += difflib.unified_diff(old.splitlines(), text.splitlines(), name, f"{name} as made", lineterm="", n=0)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--ran", action="store_true")
    options = parser.parse_args()
    run = ledger.last_run()
    if options.ran:
        return 0 if proof.is_whole(run) else 1
    case, gaps = cases.read()
    gaps = gaps or proof.problems(case, run)
    gaps = gaps or figures.problems(case, figures.all_figures(case, run))
    made = {} if gaps else pages(case, run)
    if options.check:
        gaps = gaps or differences(made)
    for path, text in made.items():
        if not options.check and (not path.exists() or path.read_text() != text):
            path.write_text(text)
    for gap in gaps[:MOST] + [f"… and {len(gaps) - MOST} more."] * (len(gaps) > MOST):
        print(gap, file=sys.stderr)
    counts = f"{len(case.hazards)} hazards, {len(case.requirements)} requirements, {len(proof.layers(run))} tests"
    print(f"{counts}: {'RED' if gaps else 'green'}")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())
