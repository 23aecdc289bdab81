"""From requirements to tests: which tests say that they show one, and what they did in the last run. Runs nothing."""

import ast
from collections import Counter
from dataclasses import dataclass, field

import ledger
from case import ON_THE_IMAGE, ROOT


@dataclass
class Shown:
    """One test function of one requirement: where it ran, and how often it did what."""

    layer: str
    outcomes: Counter = field(default_factory=Counter)

    def says(self):
        """`9 passed`, as a table has it."""
        return ", ".join(f"{self.outcomes[name]} {name}" for name in ledger.WORST if self.outcomes[name])


def marked(root=ROOT / "tests"):
    """{"tests/file.py::test_name": {requirements}} of every test function, as the sources have it."""
    found = {}
    for path in sorted(root.rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        module = {name for node in tree.body if isinstance(node, ast.Assign) for name in asked(node.value)}
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                own = {name for decorator in node.decorator_list for name in asked(decorator)}
                if own | module:
                    found[f"{path.relative_to(root.parent).as_posix()}::{node.name}"] = own | module
    return found


def asked(node):
    """The ids in `pytest.mark.req("REQ-001", …)`, wherever it stands in an expression."""
    for call in ast.walk(node):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "req":
            yield from (word.value for word in call.args if isinstance(word, ast.Constant))


def shown(run):
    """{requirement: {test function: Shown}} of a run, all boards and cases of a test together."""
    found = {}
    for tests in run["boards"].values():
        for nodeid, test in tests.items():
            function = nodeid.split("[")[0]
            for name in test["requirements"]:
                here = found.setdefault(name, {}).setdefault(function, Shown(test["layer"]))
                here.outcomes[test["outcome"]] += 1
    return {name: dict(sorted(found[name].items())) for name in sorted(found)}


def layers(run):
    """{test function: layer} of a run's tests that show something."""
    return {function: one.layer for group in shown(run).values() for function, one in group.items()}


def is_whole(run):
    """True if the last run was of this tree and no test that shows something is left to run (on some board)."""
    return run["tree"] == ledger.tree() and set(marked()) <= ran(run)


def ran(run):
    """The test functions that did something: those of the hardware may be skipped, others must have run somewhere."""
    tests = {function: one for group in shown(run).values() for function, one in group.items()}
    return {name for name, one in tests.items() if one.layer == "hardware" or set(one.outcomes) - {"skipped"}}


def problems(case, run):
    """Sentences: what the tests do not show."""
    if run["tree"] != ledger.tree():
        return ["No test has run on this tree as it is: `make safety` runs those that show something, `make test` all."]
    tests = shown(run)
    took_part = ran(run)
    found = []
    for function, names in marked().items():
        found += [f"{function} shows {name}, which is no requirement." for name in names - set(case.requirements)]
        if function not in took_part:
            found.append(f"{function} shows {', '.join(sorted(names))} and did not run.")
    for name in case.requirements:
        found += of_requirement(name, tests.get(name, {}))
    for hazard, control, use in case.uses():
        named = use.get("requirements", ())
        where = {one.layer for name in named for one in tests.get(name, {}).values() if one.outcomes["passed"]}
        if named and control["kind"] in ON_THE_IMAGE and "real image" not in where:
            found.append(f'{hazard["id"]}: nothing shows "{use["by"]}" on the real image ({", ".join(named)}).')
    return found


def of_requirement(name, tests):
    """Problems of one requirement, given {test function: Shown}."""
    found = []
    for function, one in tests.items():
        if one.outcomes["failed"]:
            found.append(f"{name}: {function} failed.")
    if not any(one.outcomes["passed"] and one.layer != "hardware" for one in tests.values()):
        found.append(f"{name} has no test that passed.")
    return found
