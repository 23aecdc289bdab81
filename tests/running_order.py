"""The order that tests run in on several workers, so that a run does not end with one of them at work. Runs nothing."""


def slow_first(items, workers):
    """The items of pytest's, those marked slow before the others, which stay as they were; for one worker, all do.

    xdist's worksteal deals consecutive blocks, one a worker, and steals from their ends. So slow files are dealt to the
    beginnings of the blocks, each file whole, since what its tests share is dear. Every worker must come to the same.
    """
    if workers < 2:
        return list(items)
    slow = {}
    for item in items:
        if item.get_closest_marker("slow"):
            slow.setdefault(item.path, []).append(item)
    rest = [item for item in items if not item.get_closest_marker("slow")]
    ordered = []
    for block in range(workers):
        room = (len(items) - len(ordered)) // (workers - block)
        mine = [item for path in list(slow)[block::workers] for item in slow[path]]
        others = max(0, room - len(mine))
        ordered += mine + rest[:others]
        rest = rest[others:]
    return ordered
