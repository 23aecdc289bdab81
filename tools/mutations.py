"""The mutants of one Python source: each differs from it in one small thing that may be wrong. Runs nothing.

Not made: names and attributes taken for one another, deleted imports and definitions, words of docstrings, and what
Python would refuse at once everywhere (a deleted constant, a renamed key).
"""

import ast
import copy
import re
from dataclasses import dataclass, field

COMPARED = {
    ast.Lt: ("<", "<=", ">="),
    ast.LtE: ("<=", "<", ">"),
    ast.Gt: (">", ">=", "<="),
    ast.GtE: (">=", ">", "<"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
COMPUTED = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "//"),
    ast.Pow: ("**", "*"),
    ast.LShift: ("<<", ">>"),
    ast.RShift: (">>", "<<"),
    ast.BitOr: ("|", "&"),
    ast.BitAnd: ("&", "|"),
}
OTHER_CALL = {"min": "max", "max": "min", "any": "all", "all": "any"}
OPERATORS = ("statement", "condition", "comparison", "and/or/not", "arithmetic", "constant", "return", "call", "list")


@dataclass(frozen=True)
class Mutant:
    """line, text: where it is, as it was. lines: those of which one must run for a test to notice; None: any test."""

    file: str
    line: int
    text: str
    operator: str
    change: str
    lines: tuple[int, int] | None
    source: str = field(repr=False)

    @property
    def key(self) -> tuple[str, str, str]:
        return self.file, self.text, self.change


class Maker:
    """Collects the mutants of a source, in the order of its lines."""

    def __init__(self, file: str, source: str):
        self.file = file
        self.source = source
        self.rows = source.splitlines()
        self.offsets = [0]
        for row in source.splitlines(keepends=True):
            assert row.isascii(), f"{file}: columns are counted in ASCII"
            self.offsets.append(self.offsets[-1] + len(row))
        self.found: list[tuple[int, int, Mutant]] = []
        self.seen: set[str] = {source}
        self.statement: ast.stmt | None = None
        self.inside = False  # a function

    # -- text

    def span(self, node) -> tuple[int, int]:
        return (
            self.offsets[node.lineno - 1] + node.col_offset,
            self.offsets[node.end_lineno - 1] + node.end_col_offset,
        )

    def said(self, node) -> str:
        start, end = self.span(node)
        return " ".join(self.source[start:end].split())

    def _lines(self) -> tuple[int, int] | None:
        if not self.inside or self.statement is None:
            return None
        body = getattr(self.statement, "body", None)
        last = body[0].lineno - 1 if body else self.statement.end_lineno
        return self.statement.lineno, max(self.statement.lineno, last)

    def edit(self, operator: str, node, start: int, end: int, new: str, change: str) -> None:
        made = self.source[:start] + new + self.source[end:]
        if made in self.seen:
            return
        self.seen.add(made)
        text = self.rows[node.lineno - 1].strip()
        mutant = Mutant(self.file, node.lineno, text, operator, change, self._lines(), made)
        self.found.append((node.lineno, start, mutant))

    def put(self, operator: str, node, new: str) -> None:
        """The node's text becomes another."""
        start, end = self.span(node)
        self.edit(operator, node, start, end, new, f"{self.said(node)} -> {new}")

    def between(self, operator: str, node, left, right, old: str, new: str) -> None:
        """The operator between two operands becomes another."""
        start, end = self.span(left)[1], self.span(right)[0]
        at = re.search(re.escape(old).replace(r"\ ", r"\s+"), self.source[start:end])
        assert at, (self.said(node), old)
        whole = self.said(node)
        shown = f"{self.said(left)} {old} {self.said(right)} -> {new}" if len(whole) < 100 else f"{old} -> {new}"
        self.edit(operator, left, start + at.start(), start + at.end(), new, shown)

    # -- what is changed

    def visit(self, node) -> None:
        if isinstance(node, ast.stmt):
            outer = self.statement, self.inside
            self.statement = node
            self.on_statement(node)
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                for default in getattr(getattr(node, "args", None), "defaults", []):
                    self.visit(default)
                self.inside = self.inside or isinstance(node, ast.FunctionDef)
                for child in node.body:
                    self.visit(child)
            elif not isinstance(node, (ast.Import, ast.ImportFrom)) and not documents(node):
                self.children(node)
            self.statement, self.inside = outer
        else:
            self.on_expression(node)
            self.children(node)

    def children(self, node) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child)

    def on_statement(self, node) -> None:
        whole = isinstance(node, (ast.For, ast.While, ast.Try)) or (isinstance(node, ast.If) and self._has_else(node))
        plain = (ast.Expr, ast.Assign, ast.AugAssign, ast.Raise, ast.Return, ast.Break, ast.Continue, ast.Delete)
        if self.inside and (whole or isinstance(node, plain)) and not documents(node):
            start, end = self.span(node)
            self.edit("statement", node, start, end, "pass", "deleted")
        if isinstance(node, ast.Assign) and len(node.targets) > 1:
            for k, target in enumerate(node.targets):
                start = self.span(target)[0]
                end = self.span([*node.targets, node.value][k + 1])[0]
                self.edit("statement", node, start, end, "", f"{self.said(target)} = -> gone")
        if isinstance(node, ast.AugAssign):
            old, new = COMPUTED[type(node.op)]
            self.between("arithmetic", node, node.target, node.value, old + "=", new + "=")
            self.between("arithmetic", node, node.target, node.value, old + "=", "=")
        if isinstance(node, (ast.If, ast.While)):
            self.condition(node.test)
        if isinstance(node, ast.Return) and node.value and not is_constant(node.value, None):
            self.put("return", node.value, "None")
        if isinstance(node, (ast.Break, ast.Continue)):
            self.put("statement", node, "break" if isinstance(node, ast.Continue) else "continue")

    def _has_else(self, node: ast.If) -> bool:
        return bool(node.orelse) and self.source.startswith("if", self.span(node)[0])

    def condition(self, test) -> None:
        for new in ("True", "False"):
            self.put("condition", test, new)
        if not isinstance(test, (ast.Compare, ast.UnaryOp)) or len(getattr(test, "ops", "1")) > 1:
            self.put("condition", test, f"not ({self.said(test)})")

    def on_expression(self, node) -> None:
        if isinstance(node, ast.IfExp):
            self.condition(node.test)
        elif isinstance(node, ast.comprehension):
            for test in node.ifs:
                self.condition(test)
        elif isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            for k, operator in enumerate(node.ops):
                old, *others = COMPARED[type(operator)]
                for new in others:
                    self.between("comparison", node, operands[k], operands[k + 1], old, new)
        elif isinstance(node, ast.BoolOp):
            old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                self.between("and/or/not", node, left, right, old, new)
            self.fewer("and/or/not", node, "values")
        elif isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
            self.put(
                "and/or/not" if isinstance(node.op, ast.Not) else "arithmetic", node, f"({self.said(node.operand)})"
            )
        elif isinstance(node, ast.BinOp):
            old, new = COMPUTED[type(node.op)]
            self.between("arithmetic", node, node.left, node.right, old, new)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            self.statement_of_key(node)
        elif isinstance(node, ast.Constant):
            self.constant(node)
        elif isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, (ast.Tuple, ast.List)) and isinstance(node.ctx, ast.Load):
            self.fewer("list", node, "elts")
        elif isinstance(node, ast.Dict):
            self.fewer("list", node, "keys", "values")

    def statement_of_key(self, node) -> None:
        """A string in brackets is left alone: nothing has the other key."""
        if isinstance(node.slice.value, str):
            node.slice = ast.Name(node.slice.value, ast.Load(), **where(node.slice))

    def constant(self, node) -> None:
        value = node.value
        if isinstance(value, bool):
            self.put("constant", node, str(not value))
        elif isinstance(value, int):
            self.put("constant", node, str(value + 1))
            self.put("constant", node, f"({value - 1})" if value < 1 else str(value - 1))
        elif isinstance(value, (str, bytes)):
            self.put("constant", node, repr(value + type(value)(b"_" if isinstance(value, bytes) else "_")))

    def call(self, node) -> None:
        for arg in [*node.args, *(keyword.value for keyword in node.keywords)]:
            if not (isinstance(arg, ast.Constant) and not arg.value) and not isinstance(arg, ast.Starred):
                self.put("call", arg, "None")
        self.fewer("call", node, "args", least=0)
        self.fewer("call", node, "keywords", least=0)
        if isinstance(node.func, ast.Name):
            if node.func.id in OTHER_CALL:
                self.put("call", node.func, OTHER_CALL[node.func.id])
            if node.args:
                self.put("call", node, f"({self.said(node.args[0])})")
        elif isinstance(node.func, ast.Attribute) and not node.args and not is_self(node.func.value):
            self.put("call", node, f"({self.said(node.func.value)})")

    def fewer(self, operator: str, node, *names: str, least: int = 1) -> None:
        """Each member of a list, tuple, call or chain of and/or left out once."""
        count = len(getattr(node, names[0]))
        for k in range(count if count > least else 0):
            other = copy.copy(node)
            for name in names:
                kept = list(getattr(node, name))
                gone = kept.pop(k)
                setattr(other, name, kept)
            start, end = self.span(node)
            new = ast.unparse(other.values[0] if isinstance(other, ast.BoolOp) and count == 2 else other)
            new = f"({new})" if isinstance(other, ast.BoolOp) else new
            self.edit(operator, node, start, end, new, f"{self.said(gone)} -> gone")


def where(node) -> dict[str, int]:
    return {name: getattr(node, name) for name in ("lineno", "col_offset", "end_lineno", "end_col_offset")}


def documents(node) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def is_constant(node, value) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def is_self(node) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def mutants(file: str, source: str) -> list[Mutant]:
    """All of them. Two that look the same on lines of the same text are told apart by #2, #3."""
    maker = Maker(file, source)
    maker.children(ast.parse(source))
    out: list[Mutant] = []
    times: dict[tuple[str, str, str], int] = {}
    for _, _, mutant in sorted(maker.found, key=lambda item: item[:2]):
        times[mutant.key] = nth = times.get(mutant.key, 0) + 1
        if nth > 1:
            mutant = Mutant(**{**vars(mutant), "change": f"{mutant.change} #{nth}"})
        compile(mutant.source, file, "exec")
        out.append(mutant)
    return out
