"""Slow tests are where the workers of a run begin, by xdist's own scheduler; none is lost, others keep their order."""

import random
from pathlib import Path
from types import SimpleNamespace

import pytest
from running_order import slow_first
from xdist.scheduler import worksteal


class Item:
    """As much of a test as its order depends on."""

    def __init__(self, path, seconds):
        self.path, self.seconds = Path(path), seconds

    def get_closest_marker(self, name):
        return name == "slow" and self.seconds > 20


class Worker:
    """A node of xdist's that runs its queue."""

    shutting_down = False

    def __init__(self):
        self.queue, self.asked = [], None
        self.gateway = SimpleNamespace(id=id(self))

    def send_runtest_some(self, tests):
        self.queue += tests

    def send_steal(self, tests):
        self.asked = tests

    def shutdown(self):
        self.shutting_down = True


class Config:
    def getvalue(self, name):
        return {"tx": ["popen", "popen"], "dist": "worksteal", "maxprocesses": None}[name]

    getoption = getvalue


def busy_s(items):
    """(end of the run, when the first worker had nothing left) by the scheduler that `make test` uses."""
    scheduler = worksteal.WorkStealingScheduling(Config())
    workers = [Worker(), Worker()]
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, list(map(str, range(len(items)))))
    scheduler.schedule()
    clock = {worker: 0.0 for worker in workers}
    while True:
        able = [w for w in workers if len(w.queue) > 1 or (w.queue and w.shutting_down)]  # it keeps one to come
        if not able:
            return max(clock.values()), min(clock.values())
        worker = min(able, key=clock.get)
        test = worker.queue.pop(0)
        clock[worker] += items[test].seconds
        scheduler.mark_test_complete(worker, test)
        for robbed in workers:
            if robbed.asked is not None:
                given = [test for test in robbed.asked if test in robbed.queue[2:]]
                robbed.queue, robbed.asked = [test for test in robbed.queue if test not in given], None
                scheduler.remove_pending_tests_from_node(robbed, given)


def suite(rng, slow_files):
    """Some hundred quick tests in files, and slow files of three tests wherever the alphabet has them."""
    files = [[Item(f"{n:03}", rng.uniform(0.01, 12)) for _ in range(rng.randint(1, 20))] for n in range(60)]
    for n in rng.sample(range(60), slow_files):
        files[n] = [Item(f"{n:03}", rng.uniform(21, 70)) for _ in range(3)]
    return [item for file in files for item in file]


@pytest.mark.parametrize("workers", [2, 3, 5])
def test_every_test_is_there_once_slow_ones_head_the_blocks_and_the_others_keep_their_order(workers):
    items = suite(random.Random(workers), 6)
    ordered = slow_first(items, workers)
    assert sorted(map(id, ordered)) == sorted(map(id, items))
    quick = [item for item in items if item.seconds <= 20]
    assert [item for item in ordered if item.seconds <= 20] == quick
    begin = 0
    for block in range(workers):
        size = (len(items) - begin) // (workers - block)
        seconds = [item.seconds > 20 for item in ordered[begin : begin + size]]
        assert seconds == sorted(seconds, reverse=True) and any(seconds)
        begin += size


def test_one_worker_runs_them_as_they_stand():
    items = suite(random.Random(1), 6)
    assert slow_first(items, 1) == items


@pytest.mark.parametrize("seed", range(20))
def test_a_run_of_two_workers_ends_with_both_at_work(seed):
    """Within three of its quick tests, which last 12 s at most; as the files stand by name it may be minutes."""
    end_s, first_s = busy_s(slow_first(suite(random.Random(seed), 8), 2))
    assert end_s - first_s <= 3 * 12


def test_as_the_files_stand_it_may_end_with_one_worker_at_work():
    """So that the test above can fail."""
    gaps = [end_s - first_s for end_s, first_s in (busy_s(suite(random.Random(seed), 8)) for seed in range(20))]
    assert max(gaps) > 3 * 12
