"""The known word that an unknown one most likely meant. Text only."""


def nearest(word, known):
    """The member of `known` that `word` most likely meant; None if none is near (a third of it in edits)."""
    if len(word) < 3:
        return None
    for candidate in known:
        if candidate.startswith(word.lower()):
            return candidate
    best, least = None, max(2, len(word) // 3) + 1
    for candidate in known:
        distance = _distance(word.lower(), candidate.lower(), least)
        if distance < least:
            best, least = candidate, distance
    return best


def _distance(a, b, stop):
    """Edits (insert, delete, replace, swap of neighbours) from a to b; `stop` or more is as good as far."""
    if abs(len(a) - len(b)) >= stop:
        return stop
    before, row = [], list(range(len(b) + 1))
    for i in range(len(a)):
        last, before, row = before, row, [i + 1]
        for j in range(len(b)):
            cost = min(before[j + 1] + 1, row[j] + 1, before[j] + (a[i] != b[j]))
            if i and j and a[i] == b[j - 1] and a[i - 1] == b[j]:
                cost = min(cost, last[j - 1] + 1)
            row.append(cost)
    return row[-1]
