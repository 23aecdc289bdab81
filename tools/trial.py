"""Tries mutants: forks a process that has loaded the tests, breaks one thing in the fork, runs tests until one fails.

A test can notice only what it runs, so a first run of the source as it is finds which tests run which lines and what
each costs; of those, the ones that noticed a neighbour go first, then the cheapest. What stands outside of functions
is broken before the tests are loaded, in a fork that loads them itself. Judges no survivor.
"""

import contextlib
import importlib.abc
import importlib.util
import json
import os
import resource
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import coverage
import hypothesis
import pytest
from _pytest.main import pytest_runtestloop as run_tests
from mutations import Mutant

ROOT = Path(__file__).resolve().parents[1]
WORKERS = 2
SLOWER = 20  # times a test's own processor time, and
SPARE_S = 1  # on top: a test that takes longer does not end, and the mutant counts as killed
MEMORY_BYTES = 2 << 30  # of address space, beyond which a test fails
PYTEST = ["-q", "-x", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:ledger", "--no-header", "--tb=no"]


@dataclass
class Target:
    """A module, its source, the files of its own tests, and further files that may notice what those do not."""

    module: str
    path: Path
    own: list[str]
    others: list[str]
    root: Path = ROOT

    def pytest(self, plugin) -> int:
        os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # none is needed, and each fork would load them
        os.chdir(self.root)
        return pytest.main([*PYTEST, "--rootdir", str(self.root), *self.own, *self.others], plugins=[plugin])


class Ground:
    """Of the source as it is: what each test costs in s of processor time, and which run a line."""

    def __init__(self, costs: dict[str, float], lines: dict[str, list[str]], own: list[str]):
        self.costs = costs
        self.lines = {int(line): {test for test in tests if test} for line, tests in lines.items()}
        self.own = own
        self.killers: list[tuple[int, str]] = []  # (line, test) in the order found
        self.only: dict[tuple[str, str, str], str] = {}  # {key of a mutant: the one test to run}

    def order(self, mutant: Mutant) -> list[str]:
        """Tests that can notice it, likeliest and cheapest first."""
        if mutant.key in self.only:
            return [self.only[mutant.key]]
        able = set(self.costs)
        if mutant.lines:
            able = set().union(*(self.lines.get(at, ()) for at in range(mutant.lines[0], mutant.lines[1] + 1)))
        near = [test for line, test in reversed(self.killers) if abs(line - mutant.line) <= 3 and test in able]
        able = sorted(able, key=lambda test: (test.split("::")[0] not in self.own, self.costs[test], test))
        return list(dict.fromkeys([*near[:8], *able]))


class _Other(importlib.abc.MetaPathFinder, importlib.abc.SourceLoader):
    """Gives one module another source."""

    def __init__(self, target: Target, source: str):
        self.target = target
        self.source = source

    def find_spec(self, name, path, target=None):
        if name == self.target.module:
            return importlib.util.spec_from_file_location(name, self.target.path, loader=self)
        return None

    def get_filename(self, name):
        return str(self.target.path)

    def get_data(self, path):
        return self.source.encode()

    def path_stats(self, path):
        raise OSError  # so that no bytecode is kept


class _Loaded:
    """pytest's plugin: once the tests are loaded, `work(session)` is done instead of running them."""

    def __init__(self, work: Callable):
        self.work = work

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        self.work(session)
        return True


class _Watch:
    """pytest's plugin: each test within its processor time; the first that fails."""

    def __init__(self, costs: dict[str, float]):
        self.costs = costs
        self.failed = ""

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        signal.setitimer(signal.ITIMER_PROF, SPARE_S + SLOWER * self.costs.get(item.nodeid, 1))
        yield
        signal.setitimer(signal.ITIMER_PROF, 0)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed = self.failed or report.nodeid


class _Record:
    """pytest's plugin: the processor time of each test, the lines it runs, and which fail."""

    def __init__(self, measured: coverage.Coverage):
        self.measured = measured
        self.costs: dict[str, float] = {}
        self.broken: list[str] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item):
        self.measured.switch_context(item.nodeid)
        begun = sum(os.times()[:2])
        yield
        self.costs[item.nodeid] = round(sum(os.times()[:2]) - begun, 3)
        self.measured.switch_context("")

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.broken.append(report.nodeid)


# -- forks ---------------------------------------------------------------------------------------------------------


def _begin(work: Callable) -> tuple[int, int]:
    """Fork; the child writes what work() returns. -> (process, end of the pipe to read)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    try:
        os.close(reading)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        warnings.simplefilter("ignore")
        said = json.dumps(work()).encode()
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(said)
    finally:
        os._exit(0)


def _read(reading: int):
    with os.fdopen(reading, "rb") as pipe:
        return json.loads(pipe.read() or b"null")


def _pool(jobs: list[Mutant], begin: Callable, ended: Callable) -> None:
    """begin(mutant) for all, WORKERS at a time; ended(mutant, killer) for each."""
    running: dict[int, tuple[Mutant, int]] = {}
    jobs = list(reversed(jobs))
    while jobs or running:
        while jobs and len(running) < WORKERS:
            mutant = jobs.pop()
            pid, reading = begin(mutant)
            running[pid] = mutant, reading
        pid, status = os.wait()
        mutant, reading = running.pop(pid)
        said = _read(reading)
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGPROF
        ended(mutant, "time" if late else "crash" if said is None else said)


def _settle() -> None:
    """Hypothesis: the same examples each time, and one that fails is enough: it is not made smaller."""
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None, deadline=None, phases=phases)
    hypothesis.settings.load_profile("mutants")


# -- what the tests run, and what they notice -------------------------------------------------------------------------


def _measure(target: Target) -> dict:
    measured = coverage.Coverage(data_file=None, config_file=False, include=[str(target.path)])
    record = _Record(measured)
    _settle()
    sys.meta_path.insert(0, _Other(target, target.path.read_text() + "\n"))  # the mutants' way, with no mutant
    measured.start()
    code = target.pytest(record)
    measured.stop()
    lines = measured.get_data().contexts_by_lineno(str(target.path))
    return {"costs": record.costs, "lines": lines, "broken": record.broken or (["loading"] if code else [])}


def ground(target: Target) -> Ground:
    """Run the tests on the source as it is. They must pass."""
    pid, reading = _begin(lambda: _measure(target))
    said = _read(reading)
    os.waitpid(pid, 0)
    if not said or said["broken"]:
        raise SystemExit(f"error: without any mutant these fail: {said and ', '.join(said['broken'])}")
    return Ground(said["costs"], said["lines"], target.own)


def _transplant(target: Target, source: str) -> None:
    """Give every function of the loaded module the mutant's code."""
    spec = importlib.util.spec_from_loader(target.module, _Other(target, source))
    other = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(other)
    _give(vars(sys.modules[target.module]), vars(other), target.module)


def _give(old: dict, new: dict, module: str) -> None:
    for name, thing in new.items():
        if isinstance(thing, type) and thing.__module__ == module:
            _give(vars(old[name]), vars(thing), module)
        function = getattr(thing, "__func__", thing)
        if getattr(function, "__module__", None) == module and hasattr(function, "__code__"):
            getattr(old[name], "__func__", old[name]).__code__ = function.__code__


def _run(session, order: list[str], costs: dict[str, float]) -> str:
    """The test that fails, or "" ."""
    items = {item.nodeid: item for item in session.items}
    session.items[:] = [items[test] for test in order if test in items]
    watch = _Watch(costs)
    session.config.pluginmanager.register(watch)
    with contextlib.suppress(session.Failed):
        run_tests(session)
    return watch.failed


def _inside(target: Target, mutants: list[Mutant], on: Ground, told: Callable) -> None:
    """Mutants in functions: the tests are loaded once, and each fork gets other code."""

    def work(session):
        def begin(mutant):
            order = on.order(mutant)

            def child():
                _transplant(target, mutant.source)
                return _run(session, order, on.costs)

            return _begin(child)

        _pool(mutants, begin, told)

    target.pytest(_Loaded(work))


def _outside(target: Target, mutants: list[Mutant], on: Ground, told: Callable) -> None:
    """Mutants outside of functions: each fork loads the tests."""

    def begin(mutant):
        order = on.order(mutant)

        def child():
            _settle()
            sys.meta_path.insert(0, _Other(target, mutant.source))
            failed: list[str] = []
            code = target.pytest(_Loaded(lambda session: failed.append(_run(session, order, on.costs))))
            return failed[0] if failed else "loading" if code else ""

        return _begin(child)

    _pool(mutants, begin, told)


def outcomes(target: Target, mutants: list[Mutant], on: Ground) -> Iterator[tuple[Mutant, str]]:
    """(mutant, how it ended) of each as it ends: the test that failed, "time", "loading", or "": all passed."""
    noticed = [m for m in mutants if on.order(m)]
    yield from ((m, "") for m in mutants if not on.order(m))  # no test runs it
    for way, some in ((_outside, [m for m in noticed if not m.lines]), (_inside, [m for m in noticed if m.lines])):
        if some:
            yield from _told(way, target, some, on)


def _told(way: Callable, target: Target, mutants: list[Mutant], on: Ground) -> Iterator[tuple[Mutant, str]]:
    """In a process of its own, so that this one never loads a test. Passes on what it hears."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(reading)
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(nowhere, stream)
            _settle()
            at = {mutant.key: k for k, mutant in enumerate(mutants)}

            def tell(mutant, killer):
                if "::" in killer:
                    on.killers.append((mutant.line, killer))
                os.write(writing, (json.dumps([at[mutant.key], killer]) + "\n").encode())

            way(target, mutants, on, tell)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        for line in pipe:
            k, killer = json.loads(line)
            yield mutants[k], killer
    os.waitpid(pid, 0)
