"""A short soak on the real image, and that its oracle can say no: each planted error is found. Long: `make soak`.

Times are simulated. Some 10 s of three channels in all; the planted errors judge what was seen once, without a board.
"""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
from rheobase import boards
from soak import books, draw, page, pins, planted
from soak.afterwards import PASS_MS, Afterwards
from soak.driver import Soak
from soak.oracle import judge

BOARD = boards.load()
if len(BOARD["channels"]) < 3:
    pytest.skip("a soak has three channels", allow_module_level=True)
pytestmark = pytest.mark.slow
ASKED_MS = {6: 8_000, 2: 2_400}
SHORT = {**draw.PLAYING, **draw.ENDING, "interlock_blip": 12, "stop_by_socket": 8, "pause": 14}  # more happens


def soak(image, seed, folder):
    """(Soak, its result, its log)."""
    log = []
    played = Soak(image, seed, ASKED_MS[seed], folder, log.append, keep=True, weights=SHORT)
    return played, played.run(), log


@pytest.fixture(scope="module")
def played(board_image, tmp_path_factory):
    return soak(board_image, 6, tmp_path_factory.mktemp("soak"))


@pytest.mark.req("REQ-138")
def test_counts_charge_and_record_are_exact_after_random_acts(played):
    """Pulses to the count, edges to 8 ns, charge within what the set-point's steps leave open, records line by line."""
    made, result, _log = played
    assert result["differences"] == []
    assert result["sessions"] >= 3 and sum(result["acts"].values()) >= 6
    assert sum(row["truncated"] for row in result["channels"].values()) >= 2
    assert 0 < result["delivered_s"] * 1000 <= ASKED_MS[6] + PASS_MS * result["sessions"]
    assert max(result["worst_ns"].values()) <= pins.EDGE_NS
    told_to = 0.001 * result["sessions"]  # a nC a session
    for row in result["channels"].values():
        least, most = row["counted"]["charge_by_pins_uc"]
        assert row["pulses"] > 0 and row["counted"]["told"] == row["counted"]["pins"]
        assert least - told_to <= row["counted"]["charge_uc"] <= most and most <= 1.05 * least + 1


@pytest.mark.req("REQ-138")
def test_the_same_seed_is_the_same_run(board_image, tmp_path):
    """Every act at the same nanosecond, every edge, set-point and byte the same, every record the same bytes."""
    one, two = (soak(board_image, 2, tmp_path / name) for name in "ab")
    assert one[2] == two[2]
    assert one[1] == two[1] and one[1]["differences"] == []
    assert [path.read_bytes() for path, _ in one[0].records] == [path.read_bytes() for path, _ in two[0].records]


# -- the oracle can say no ---------------------------------------------------------------------------------------------


def edges_of(seen, name):
    return [i for i, item in enumerate(seen) if item[0] == "edge" and item[2] == name]


def without_a_pulse(seen):
    """The fifth pulse of channel 1 is not on the pins."""
    gone = edges_of(seen, "CH1_A")[8:10] + edges_of(seen, "CH1_B")[8:10]
    return [item for i, item in enumerate(seen) if i not in gone]


def with_a_pulse_more(seen):
    """After everything: a pulse that nobody started."""
    end_ns = seen[-1][1]
    return [*seen, ("edge", end_ns, "CH2_A", 1), ("edge", end_ns + 100_000, "CH2_A", 0)]


def shifted(seen, name, number, by_ns):
    at = edges_of(seen, name)[number]
    kind, t_ns, *rest = seen[at]
    return [*seen[:at], (kind, t_ns + by_ns, *rest), *seen[at + 1 :]]


def a_longer_phase(seen):
    return shifted(seen, "CH3_B", 5, 16)


def a_late_pulse(seen):
    """All four edges of one pulse, 16 ns late."""
    for name, numbers in (("CH1_A", (8, 9)), ("CH1_B", (8, 9))):
        for number in numbers:
            seen = shifted(seen, name, number, 16)
    return seen


def both_legs_high(seen):
    at = edges_of(seen, "CH1_A")[8]
    kind, t_ns, _name, _level = seen[at]
    return [*seen[: at + 1], (kind, t_ns + 8, "CH1_B", 1), *seen[at + 1 :]]


def told_otherwise(change):
    """The board's last `result` after output says something else."""

    def plant(seen):
        at = max(i for i, item in enumerate(seen) if item[0] == "came" and b'"stop_reason"' in whole(seen, i))
        first, line, rest = split(seen, at)
        message = json.loads(line.rpartition(b" ")[0])
        change(message["result"]["channels"])
        from rheocore import frames

        changed = ("came", seen[at][1], frames.encode(message) + rest)
        return [*seen[:first], *[item for item in seen[first:at] if item[0] != "came"], changed, *seen[at + 1 :]]

    return plant


def whole(seen, at):
    return split(seen, at)[1]


def split(seen, at):
    """(index of its first packet, the line that ends in packet `at`, what follows it there)."""
    data, first = seen[at][2], at
    line, end, rest = data.rpartition(b"\n")
    if not end:
        return at, b"", b""
    line = line.rpartition(b"\n")[2]
    while not line.startswith(b'{"') and first:
        first -= 1
        if seen[first][0] == "came":
            before = seen[first][2]
            line = before.rpartition(b"\n")[2] + line
            if b"\n" in before and not line.startswith(b'{"'):
                return at, b"", b""
    return first, line, rest


def one_pulse_less(channels):
    channels["2"]["pulses"] -= 1


def one_truncated(channels):
    channels["1"]["truncated"] += 1


def more_charge(channels):
    channels["1"]["charge_nc"] += channels["1"]["charge_nc"] // 20 + 100


def a_set_point_that_stays(seen):
    """The last step to zero of channel 1 does not come."""
    at = max(i for i, item in enumerate(seen) if item[0] == "ua" and item[2] == "CH1_UA" and item[3] == 0)
    return seen[:at] + seen[at + 1 :]


def a_set_point_too_high(seen):
    highest = max((item[3], i) for i, item in enumerate(seen) if item[0] == "ua" and item[2] == "CH3_UA")[1]
    kind, t_ns, name, ua = seen[highest]
    return [*seen[:highest], (kind, t_ns, name, ua + 200), *seen[highest + 1 :]]


PLANTED = {
    "a pulse is missing": without_a_pulse,
    "a pulse comes by itself": with_a_pulse_more,
    "a phase is 16 ns longer": a_longer_phase,
    "a pulse is 16 ns late": a_late_pulse,
    "both legs are high": both_legs_high,
    "one pulse less is told": told_otherwise(one_pulse_less),
    "a cut pulse is told and none was cut": told_otherwise(one_truncated),
    "5 % more charge is told": told_otherwise(more_charge),
    "a set-point stays": a_set_point_that_stays,
    "a set-point passes its target": a_set_point_too_high,
}


@pytest.mark.req("REQ-138")
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_found(played, name):
    seen = played[0].oracle.seen
    assert not judge(BOARD, seen).wrong
    assert judge(BOARD, PLANTED[name](list(seen))).wrong, name


@pytest.mark.req("REQ-138")
@pytest.mark.parametrize("name", planted.PLANTED)
def test_another_planted_error_is_found_for_what_it_is(played, name):
    plant, words = planted.PLANTED[name]
    assert any(words in sentence for _t_ns, sentence in judge(BOARD, plant(list(played[0].oracle.seen))).wrong)


@pytest.mark.req("REQ-138")
def test_an_end_that_comes_too_late_is_found(played, monkeypatch):
    """A bound that nobody keeps: 1 ms from the last keep-alive."""
    monkeypatch.setattr(pins, "SILENT_NS", 1_000_000)
    assert "keep-alive" in judge(BOARD, played[0].oracle.seen).wrong[0][1]


def removed(lines, kind):
    at = next(i for i, line in enumerate(lines) if f'"kind":"{kind}"' in line and i > 3)
    return lines[:at] + lines[at + 1 :]


def invented(lines, kind):
    """A line of this kind twice, and every number in its place."""
    at = next(i for i, line in enumerate(lines) if f'"kind":"{kind}"' in line and i > 3)
    out = []
    for line in [*lines[: at + 1], lines[at], *lines[at + 1 :]]:
        out.append(json.dumps({**json.loads(line), "n": len(out) + 1}))
    return out


def renumbered(lines):
    return [json.dumps({**json.loads(line), "n": i}) for i, line in enumerate(lines, 1)]


@pytest.mark.req("REQ-138")
@pytest.mark.parametrize("kind", ["event", "telemetry", "close"])
def test_a_line_that_is_missing_from_the_record_is_found(played, tmp_path, kind):
    """Also where the numbers have been made whole again."""
    path, seen = played[0].records[0]
    assert books.compare(path, seen) == []
    lines = path.read_text().splitlines()
    for number, changed in enumerate((removed(lines, kind), renumbered(removed(lines, kind)))):
        planted = tmp_path / f"{number}.jsonl"
        planted.write_text("\n".join(changed) + "\n")
        assert books.compare(planted, seen)


@pytest.mark.req("REQ-138")
@pytest.mark.parametrize("kind", ["event", "telemetry"])
def test_a_line_that_nobody_wrote_is_found(played, tmp_path, kind):
    path, seen = played[0].records[0]
    planted = tmp_path / "record.jsonl"
    planted.write_text("\n".join(invented(path.read_text().splitlines(), kind)) + "\n")
    assert books.compare(planted, seen)


@pytest.mark.req("REQ-138")
def test_a_result_that_rheo_had_otherwise_than_on_the_wire_or_not_at_all_is_found(played):
    path, seen = next((path, seen) for path, seen in played[0].records if seen.result)
    n, row = next(iter(seen.result["channels"].items()))
    other = {**seen.answered, "channels": {**seen.answered["channels"], n: {**row, "pulses": row["pulses"] + 1}}}
    assert any("on the wire was" in sentence for sentence in books.compare(path, replace(seen, answered=other)))
    assert any("without" in sentence for sentence in books.compare(path, replace(seen, result=None, failed=False)))


class Judged(Afterwards):
    """What is judged after a session, of figures; `no` takes what is wrong."""

    def __init__(self, **what):
        self.no, self.untold, self.was_reset, self.forgot, self.end_act = [], 0, False, False, None
        self.remainder_ms, self.live_before_ns, self.most_before_ns, self.uncounted_ms = 10_000, 0, 0, 0
        self.oracle = SimpleNamespace(pins=SimpleNamespace(live_ns=3_900_000_000, most_ns=4_000_000_000))
        self.__dict__.update(what)

    def claim(self, holds, sentence):
        self.no += [] if holds else [sentence]


@pytest.mark.req("REQ-138")
def test_an_end_that_no_act_explains_lost_counts_and_a_wrong_remainder_are_found():
    for act, reason, error, right in (
        (None, "time_over", None, True), (None, "stop_command", None, False), (None, "time_over", "lost", False),
        (None, None, "no_answer", False), ("interlock", "interlock_open", "fault", True),
        ("interlock", "stop_command", None, False), ("stop_key", "host_lost", "lost", False),
    ):  # fmt: skip
        judged = Judged(end_act=act)
        judged.judge_end(SimpleNamespace(stop_reason=reason, error=error))
        assert (not judged.no) == right, (act, reason, judged.no)
    for state, right in (({}, False), ({"was_reset": True}, True), ({"forgot": True}, True)):
        judged = Judged(**state)
        judged.take_counts({"channels": {}})
        assert (not judged.no) == right
    for left_ms, right in ((6_000, True), (6_100, True), (6_200, False), (5_900, False), (0, False)):
        judged = Judged()
        judged.judge_remainder(left_ms)
        assert (not judged.no) == right, left_ms


# -- the long run's result ---------------------------------------------------------------------------------------------


def test_the_page_is_what_the_result_says():
    result = json.loads(page.JSON.read_text())
    assert page.MARKDOWN.read_text() == page.markdown(result)


@pytest.mark.req("REQ-138")
def test_the_long_run_was_5_min_of_three_channels_and_found_nothing():
    result = json.loads(page.JSON.read_text())
    assert result["asked_s"] >= 300 and result["delivered_s"] >= 0.95 * result["asked_s"]
    assert result["differences"] == []
    assert max(result["worst_ns"].values()) <= pins.EDGE_NS
    told_to = 0.001 * result["sessions"]  # a nC a session
    assert len(result["faults"]) >= 4 and len(result["acts"]) >= 25
    assert sum(row["truncated"] for row in result["channels"].values()) >= 3
    assert result["acts"]["late"] >= 3 and min(result["acts"].get(name, 0) for name in ("pause", "resume")) >= 5
    for row in result["channels"].values():
        least, most = row["counted"]["charge_by_pins_uc"]
        assert row["pulses"] > 2_000 and row["counted"]["told"] == row["counted"]["pins"]
        assert least - told_to <= row["counted"]["charge_uc"] <= most and most <= 1.01 * least
