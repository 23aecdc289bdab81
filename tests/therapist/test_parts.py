"""The parts of the therapist's path without a board: keys, gate, screen, screening data, plan, live decisions."""

import contextlib
import json
import os
import re
import time
import tomllib

import pytest
from rheobase import library, record
from rheobase.errors import Refused, RheoError, UsageError
from rheobase.keys import ESCAPE_S, QUIET_S, Keys, RaiseGate, decode, unfinished
from rheobase.therapist import assess, plan, screen, screening
from rheobase.therapist.live import STEP_UA, Live
from rheobase.therapist.visit import Visit

# -- keys ------------------------------------------------------------------------------------------------------


@pytest.mark.req("REQ-102")
@pytest.mark.parametrize(
    "data", [b"\x1b", b" ", b"q", b"Q", b"\x03", b"\x04", b"\x1c", b"\x1b\x1b", b"\x1bx", b"\x1b["]
)
def test_every_stop_key_and_every_escape_that_is_no_cursor_key_stops(data):
    assert "stop" in decode(data)


@pytest.mark.parametrize(
    "data, names",
    [
        (b"\x1b[A", ["up"]),
        (b"\x1bOA", ["up"]),
        (b"\x1b[1;5B", ["down"]),
        (b"\x1b[C\x1b[D", ["right", "left"]),
        (b"\x1b[15~\x1b[3~", []),  # F5, Delete
        (b"+-\t2p", ["up", "down", "right", "2", "p"]),
        (b"\x1b[A\x1b", ["up", "stop"]),
        ("ò²€".encode(), ["ò", "²", "€"]),  # each is a key, and none of them one of ours
        (b"\xe9q\xc3", ["\ufffd", "stop", "\ufffd"]),  # another encoding's bytes: a stop beside them is a stop
    ],
)
def test_cursor_keys_are_never_taken_for_esc(data, names):
    assert decode(data) == names


def test_a_cursor_key_that_comes_in_pieces_is_put_together_and_esc_alone_waits_for_25_ms_at_most():
    assert ESCAPE_S <= 0.025
    assert all(map(unfinished, (b"\x1b", b"x\x1b[", b"\x1b[1;", b"\x1bO")))
    assert not any(map(unfinished, (b"", b"q", b"\x1b[A", b"\x1b\x1bx")))
    read, write = os.pipe()
    keys = Keys(read)
    pieces = [b"\x1b", b"[", b"A"]
    keys._bytes = lambda timeout_s: pieces.pop(0) if pieces else b""
    assert keys.read() == ["up"]
    del keys._bytes
    os.write(write, b"\x1b")
    assert keys.read() == ["stop"]
    assert keys.read() == []
    os.close(write)
    assert keys.read() is None  # the end of the terminal is no empty answer
    os.close(read)


@pytest.mark.req("REQ-051")
def test_a_held_key_passes_the_gate_once_and_pressing_again_after_a_pause_passes():
    gate = RaiseGate()
    assert gate.press(1, 0.0)
    times = [0.5 + 0.033 * n for n in range(60)]
    assert not any(gate.press(1, t) for t in times)
    assert gate.press(1, times[-1] + QUIET_S)
    assert not gate.press(3, times[-1] + 10 * QUIET_S)  # several at once are a repeat that was read late


# -- screen ----------------------------------------------------------------------------------------------------


def model(count=3, **fields):
    about = ("15 Hz and 30 Hz in turn, 250 µs a phase", "steps of 0.2 mA, at most 10 mA (the limit of this electrode)")
    rows = [screen.Row(n, "left upper trapezius, near the shoulder bl", about) for n in range(1, count + 1)]
    shown = screen.Model(
        "pens_15_30hz+tens_modulated+ea_2_100hz", "modelled", rows, lambda: "needles in 12:31 of 30:00"
    )
    for name, value in fields.items():
        setattr(shown, name, value)
    return shown


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("state", ["armed", "ramp_up", "run", "paused", "ramp_down", "done", "fault"])
def test_the_screen_fits_80_by_24_with_everything_in_it(count, state):
    shown = model(count, state=state, t_left_ms=1_799_000, pause_left_ms=300_000 if state == "paused" else None)
    shown.message = "Amplitude 0.2 mA is above the board's rating: the highest that passes is 0.1 mA. " * 2
    for row in shown.rows:
        row.target_ua = row.set_ua = row.meas_ua = 10_000
        row.ohms, row.pulses, row.marks = 123_456, 720_000, {"sensory": 800, "comfortable": 10_000}
    text = screen.lines(shown)
    assert len(text) == 24 and max(map(len, text)) <= 79
    whole = "\n".join(text)
    for words in ("Esc, Space, q or Ctrl-C", "time left 29:59", "needles in 12:31 of 30:00", "comfortable 10.00"):
        assert words in whole
    assert whole.count("10.00") >= 3 * count and whole.count("720000") == count


def test_the_screen_says_where_the_contractions_are_and_what_starts():
    shown = model(1, state="loaded")
    assert "STARTING" in screen.lines(shown)[1] and "time left" not in screen.lines(shown)[1]
    shown.state = "ramp_up"  # its event comes before the first telemetry: still not known
    assert "RAMPING UP" in screen.lines(shown)[1] and "time left" not in screen.lines(shown)[1]
    shown.rows[0].about = ("50 Hz, 300 µs a phase, 10 s on, 50 s off", "steps of 1 mA, at most 25 mA")
    shown.rows[0].contractions = (3, 15)
    [line] = [line for line in screen.lines(shown) if "10 s on" in line]
    assert line.endswith("50 s off; contractions 3 of 15")


def test_the_output_is_said_in_words():
    shown = model(1, state="run")
    assert shown.output == "OUTPUT ZERO"
    shown.rows[0].target_ua = 200
    assert "at zero for the moment" in shown.output  # between two contractions
    shown.rows[0].set_ua = 200
    assert shown.output == "OUTPUT ON"
    shown.rows[0].set_ua = 10_001
    assert "MORE THAN 10 mA" in shown.output
    shown.state = "fault"
    assert shown.output == "OUTPUT ZERO"


def test_a_terminal_that_takes_nothing_never_blocks_the_painter_and_is_found_out(monkeypatch):
    monkeypatch.setattr("rheobase.therapist.live.HUNG_S", -1.0)
    master, slave = os.openpty()
    painter = screen.Painter(screen.open_terminal(os.ttyname(slave)))
    live = Live(Told(), model(1), {1: (300, "x")}, warn, painter, print, painter.bell)
    for n in range(2000):
        painter.draw([f"{n} " + "x" * 70] * 24)
    assert painter.hung_s > 0 and live.hung
    painter.close()
    os.close(slave)
    os.close(master)


def test_the_dwell_goes_on_while_the_computer_sleeps(monkeypatch):
    clocks = {time.CLOCK_BOOTTIME: 1000.0, time.CLOCK_MONOTONIC: 500.0}
    monkeypatch.setattr(time, "clock_gettime", lambda clock: clocks[clock])
    one = Visit(type("Request", (), {"acknowledged": ()})(), None, 0)
    one.session, one.console = Told(), type("Console", (), {})()
    one.needles_are_in(2, 0)
    clocks[time.CLOCK_BOOTTIME] += 1200  # asleep all the time: the other clock stood still
    assert one.stayed_ms() == 1_200_000


@pytest.mark.req("REQ-102")
def test_without_a_terminal_that_is_ours_alone_the_live_part_is_not_entered(monkeypatch):
    monkeypatch.setattr("rheobase.therapist.visit.single_keys", lambda: contextlib.nullcontext(None))
    one = Visit(type("Request", (), {"acknowledged": ()})(), None, 0)
    with pytest.raises(RheoError, match="not ours alone"), one.live(Told()):
        pytest.fail("it would have been armed")


# -- live ------------------------------------------------------------------------------------------------------


class Told:
    """A session that notes what is asked of it. refuses: the board's sentence."""

    class order:
        class part:
            n = 1
            cfg = {"electrode": "needle"}

        parts = [part]

    def __init__(self):
        self.targets = {1: 0}
        self.notes = []
        self.refuses = None

    def aim(self, n, ua):
        if self.refuses:
            raise Refused("refused", self.refuses)
        self.targets[n] = ua
        return True

    def note(self, event, **fields):
        self.notes.append((event, fields))


def warn(n, ua):
    return ["Shannon's k is above 1.5."] if ua >= 300 else []


def live_with(session, said, bells, state="run", cap=300):
    caps = {1: (cap, "your --amplitude")}
    live = Live(session, model(1, state=state), caps, warn, None, said.append, lambda: bells.append(1))
    live.gate.press = lambda times: times == 1
    return live


@pytest.mark.req("REQ-051")
def test_steps_are_0_2_ma_on_needles_and_1_ma_on_skin_and_end_at_the_ceiling():
    assert STEP_UA == {"needle": 200, "skin": 1000}  # the device's own
    session, said = Told(), []
    live = live_with(session, said, [])
    live.typed(["up"])
    assert said == ["Channel 1: set to 0.2 mA."]
    live.typed(["up"])
    assert said[-1] == "Channel 1: set to 0.3 mA. Shannon's k is above 1.5."
    live.typed(["up"])
    assert session.targets[1] == 300 and "0.3 mA is the highest allowed" in said[-1]
    live.typed(["down"])
    live.typed(["down"])
    live.typed(["down"])
    assert session.targets[1] == 0


def test_a_key_that_means_nothing_does_nothing():
    session, said = Told(), []
    live = live_with(session, said, [])
    for name in ("ò", "²", "³", "¹", "٣", "x", "9", "\ufffd", "é"):
        live.typed([name])
    assert said == [] and session.targets == {1: 0} and session.notes == [] and live.model.selected == 0
    live.typed(["1"])
    assert said == ["Channel 1 is chosen."]


@pytest.mark.req("REQ-051")
def test_nothing_is_raised_while_paused_and_a_refusal_is_said():
    session, said = Told(), []
    live = live_with(session, said, [], state="paused")
    live.typed(["up"])
    assert session.targets[1] == 0 and "paused" in said[-1]
    live.model.state = "run"
    session.refuses = "Too much for all channels together."
    live.typed(["up"])
    assert session.targets[1] == 0 and said[-1] == session.refuses


@pytest.mark.req("REQ-023")
def test_a_held_or_hammered_pause_key_pauses_and_never_resumes_by_itself(monkeypatch):
    session, said, now_s = Told(), [], [100.0]
    monkeypatch.setattr("rheobase.keys.time.monotonic", lambda: now_s[0])
    live, asked = live_with(session, said, []), []
    session.pause = lambda: asked.append("pause") or {"state": "paused"}
    session.resume = lambda: asked.append("resume") or {"state": "ramp_up"}
    live.typed(["p"])
    live.model.state = "paused"
    for _ in range(90):  # three seconds of a keyboard that repeats
        now_s[0] += 0.033
        live.typed(["p"])
    assert asked == ["pause"] and "let go" in said[-1]
    now_s[0] += QUIET_S
    live.typed(["p", "p"])  # two that come together are a repeat as well
    assert asked == ["pause"]
    now_s[0] += QUIET_S
    live.typed(["p"])
    assert asked == ["pause", "resume"]
    live.model.state = "run"
    live.typed(["p"])  # a pause needs no quiet key
    assert asked == ["pause", "resume", "pause"]


def at(live, set_ua, state="run"):
    row = {"set_ua": set_ua, "meas_ua": set_ua, "ohms": 1, "pulses": 1}
    live.telemetry({"state": state, "t_left_ms": 1000}, {"1": row})


def marked(session):
    return [fields["ua"] for event, fields in session.notes if event == "titration"]


def test_a_level_is_marked_only_at_a_current_that_has_flowed():
    session, said = Told(), []
    live = live_with(session, said, [], cap=1000)
    at(live, 0)
    live.typed(["up"])
    for set_ua in (0, 100, 194):  # on the way up
        at(live, set_ua)
        live.typed(["s"])
        assert marked(session) == [] and "wait until Now is at Set" in said[-1]
    at(live, 196)  # 0.20 mA on the screen, as the target
    live.typed(["s"])
    assert marked(session) == [200] and said[-1] == "Channel 1: sensory at 0.2 mA, recorded."
    live.typed(["up"])
    live.typed(["c"])  # at once: telemetry still tells of the old target
    assert marked(session) == [200]
    at(live, 400)
    live.typed(["down"])
    at(live, 300)  # on the way down
    live.typed(["c"])
    at(live, 200)
    at(live, 150, state="ramp_down")
    live.typed(["c"])
    assert marked(session) == [200]


def test_a_contraction_is_marked_once_it_has_reached_its_target_and_not_between_two():
    session, said = Told(), []
    session.journal = type("Journal", (), {"dose": type("Dose", (), {"contractions": lambda self, n: 1})()})
    live = live_with(session, said, [], cap=1000)
    live.rows[1].contractions = (0, 5)
    live.typed(["up"])
    for set_ua, marks in ((0, 0), (100, 0), (200, 1), (150, 1), (0, 0), (100, 0)):
        session.notes.clear()
        at(live, set_ua)
        live.typed(["c"])
        assert len(marked(session)) == marks
        assert marks or "wait until Now is at Set of a contraction" in said[-1]


@pytest.mark.req("REQ-105")
def test_a_sound_when_output_becomes_active_when_it_passes_10_ma_and_at_a_fault():
    session, bells = Told(), []
    live = live_with(session, [], bells, cap=20_000)

    def item(ua, state="run"):
        live.rows[1].target_ua = ua
        live.telemetry(
            {"state": state, "t_left_ms": 1000}, {"1": {"set_ua": ua, "meas_ua": ua, "ohms": 1, "pulses": 1}}
        )
        return len(bells)

    assert [item(ua) for ua in (0, 200, 400, 10_001, 10_201, 0)] == [0, 1, 1, 2, 2, 2]
    assert item(200) == 3
    live.event("fault", "electrode_open")
    assert len(bells) == 4 and "no contact" in live.model.message


# -- screening -------------------------------------------------------------------------------------------------

# What clinical-facts asks for, item by item: id -> kind. A new one there has to come here, and then into the data.
FACTS = {
    "stop": "implant route epilepsy_uncontrolled pregnancy malignancy infection skin clotting needle_phobia "
    "hypersensitivity unwilling undiagnosed_pain thrombosis high_frequency",
    "caution": "blood_thinners weak_immunity skin_disease diabetes reduced_sensation heart_disease epilepsy_controlled "
    "metal_implant allergy recent_surgery frail_or_child adverse_reaction communication anxiety thorax",
    "before": "licensed history risks_told consent pain_before sterile needles_in output_zero stop_shown "
    "interlock_tested",
    "after": "output_off leads_off dwell needles_out sharps skin_check pain_after twitch response adverse aftercare",
}


@pytest.mark.req("REQ-100")
def test_the_data_cover_every_item_of_the_clinical_facts_and_nothing_else():
    rows = tomllib.loads(screening.FILE.read_text("utf-8"))["item"]
    for kind, names in FACTS.items():
        assert [row["id"] for row in rows if row["kind"] == kind] == names.split()
    assert len({row["id"] for row in rows}) == len(rows) == sum(len(names.split()) for names in FACTS.values())


def test_every_item_is_whole_short_enough_for_a_line_and_tagged():
    for row in screening.tables()["item"]:
        assert set(row) <= {"kind", "id", "ask", "tag", "electrode", "override", "answer"}
        assert row["kind"] in screening.KINDS and row["tag"] in ("PC", "G", "D") and len(row["ask"]) <= 74
        assert (row.get("answer") in screening.ANSWERS) == (row["kind"] in ("before", "after"))
        assert row.get("electrode") in (None, "needle", "skin")
    assert [row["id"] for row in screening.tables()["item"] if "override" in row] == ["pregnancy"]


def test_risks_are_those_of_the_clinical_facts():
    [risks] = screening.risks(["needle"])
    for word in ["infection", "bleeding", "bruising", "pain", "broken", "deep", "allergy"]:
        assert word in risks


def test_needle_items_are_not_asked_for_skin():
    asked = {item["id"] for kind in screening.KINDS for item in screening.items(kind, ["skin"])}
    assert not asked & {
        "clotting",
        "needle_phobia",
        "thorax",
        "sterile",
        "needles_in",
        "needles_out",
        "sharps",
        "dwell",
    }


@pytest.mark.parametrize(
    "text, picked", [("none", []), ("No", []), ("3", [2]), ("3, 1", [0, 2]), ("2 2", [1]), ("0", [])]
)
def test_a_checklist_takes_numbers_and_none(text, picked):
    assert screening.pick(text, 3) == picked


@pytest.mark.req("REQ-100")
@pytest.mark.parametrize("text", ["", "4", "x", "1 none", "-1", "²"])
def test_a_checklist_that_is_not_answered_is_asked_again(text):
    with pytest.raises(ValueError):
        screening.pick(text, 3)


class Answering:
    """A visit and its console at once: `picked` of each list by id, `reason` for every text, `says` to yes and no."""

    electrodes = ("needle", "skin")
    console = property(lambda self: self)

    def __init__(self, kind, picked, reason="agreed with the doctor", says=True):
        self.kind, self.picked, self.reason, self.says = kind, picked, reason, says
        self.answers, self.overrides = {}, []

    def say(self, *lines):
        self.shown = [item["id"] for item in screening.items(self.kind, self.electrodes)]

    title = say

    def ask(self, question, check):
        return check(str(self.shown.index(self.picked) + 1))

    def yes(self, question):
        return self.says

    def text(self, question, least=1, most=200):
        assert len(self.reason) >= least
        return self.reason

    def override(self, what, reason):
        self.overrides.append((what, reason))


@pytest.mark.req("REQ-100")
@pytest.mark.parametrize("name", [item["id"] for item in screening.items("stop", Answering.electrodes)])
def test_every_stop_refuses_by_itself_whatever_else_is_said(name):
    for says in (True, False):
        one = Answering("stop", name, says=says)
        with pytest.raises(Refused, match="Not started"):
            assess._stops(one)
        assert one.answers["stops"][name] is True and one.overrides == []


@pytest.mark.req("REQ-100")
@pytest.mark.parametrize("name", [item["id"] for item in screening.items("caution", Answering.electrodes)])
def test_every_caution_goes_on_with_a_reason_on_record_or_ends(name):
    one = Answering("caution", name)
    assess._cautions(one)
    assert one.answers["cautions"] == {name: "agreed with the doctor"}
    with pytest.raises(Refused, match="Not started"):
        assess._cautions(Answering("caution", name, reason="Stop"))


@pytest.mark.req("REQ-100")
@pytest.mark.parametrize("name", [i["id"] for i in screening.items("before", ["needle"]) if i["answer"] == "yes"])
def test_every_question_before_the_start_that_wants_a_yes_refuses_a_no(name):
    where = {}
    with pytest.raises(Refused, match="Not started"):
        assess.must(Answering("before", name, says=False), name, where)
    assert where == {name: False}


def test_conditions_that_pages_name_a_dwell_for_exist():
    known = {c for name in library.shipped_ids() for c in library.shipped(name)["conditions"]}
    for row in screening.tables()["dwell"]:
        assert set(row["conditions"]) <= known
    assert screening.dwell_ms("hip_pain") == (600_000, 600_000, "PC") and screening.dwell_ms("sciatica") is None


# -- plan ------------------------------------------------------------------------------------------------------


@pytest.mark.req("REQ-107")
@pytest.mark.parametrize(
    "text",
    ["Jo Smith", "JosephineSmith", "a\tb", "ä", "a/b", "Smith", "Smith1", "JS", "A-B", "jones-85"]
    + ["120385", "1985312", "19850312", "12-03-1985", "1985-3-12"]
    + ["JS19850312", "JS850312", "A-120385", "JS-12-3-85", "D-1985-3-12"],
)
def test_what_could_be_a_name_or_a_date_is_no_code(text):
    with pytest.raises(UsageError, match="code"):
        plan.check_code(text)


@pytest.mark.parametrize("text", ["A-017", "B-2", "KNE-3", "12345", "A12345", "S1-2-3", "1-2"])
def test_a_code_of_a_list_is_a_code(text):
    assert plan.check_code(f" {text} ") == text


def made(folder, code, *lines, number=1):
    writer = record.RecordWriter.create("S1", 1000, folder)
    with writer:
        writer.write("open", person=code, plan={"course": "acute", "number": number, "planned": 3}, protocol="ea_2hz",
                     channels={"1": {}, "2": {}})  # fmt: skip
        for kind, fields in lines:
            writer.write(kind, **fields)
    return writer


RAN = ("event", {"event": "state", "detail": "ramp_up"})


def test_sessions_done_are_those_of_the_code_in_which_current_was_given(tmp_path):
    made(tmp_path, "A", RAN)
    made(tmp_path, "B", RAN)
    made(tmp_path, "A", ("close", {"stop_reason": None}))
    crashed = made(tmp_path, "A", RAN)
    with crashed.path.open("a") as torn:
        torn.write('{"n": 3, "ki')
    given, none = ({"channels": {"1": {"pulses": 9, "peak_ua": ua, "charge_nc": ua // 10}}} for ua in (200, 0))
    made(tmp_path, "D", RAN, ("close", none))  # never raised: output was on, and nobody got anything
    made(tmp_path, "D", RAN, ("close", given))
    assert [session["ran"] for session in plan.past("D", tmp_path)].count(True) == 1
    assert [session["ran"] for session in plan.past("A", tmp_path)].count(True) == 2
    assert len(plan.past("B", tmp_path)) == 1 and plan.past("C", tmp_path) == []
    assert plan.past("b", tmp_path) == plan.past("B", tmp_path)  # however it is typed, it is the same code


def test_the_reminder_has_the_comfortable_level_or_the_highest_set_and_the_response(tmp_path):
    made(
        tmp_path, "A",
        ("screening", {"phase": "before", "answers": {"pain": 7, "needles": {"in": 3},
                                               "pairs": [{"channel": 1, "site": "gluteus"}]}}),
        ("event", {"event": "order", "protocol": "ea_2hz", "channels": {"1": {}, "2": {}},
                   "load": {"needle": {"diameter_um": 250, "length_um": 30000}}}),
        RAN,
        ("event", {"event": "amplitude", "channel": 1, "ua": 2000}),
        ("event", {"event": "titration", "channel": 1, "level": "comfortable", "ua": 1800}),
        ("event", {"event": "amplitude", "channel": 1, "ua": 2200}),
        ("event", {"event": "amplitude", "channel": 2, "ua": 600}),
        ("screening", {"phase": "after", "pain": 3, "response": "less stiff"}),
        ("close", {"stop_reason": "time_over", "duration_ms": 1_200_040}),
    )  # fmt: skip
    text = "\n".join(plan.reminder(plan.past("A", tmp_path)))
    told = ["3 needles, 0.25 x 30 mm", "20 min", "gluteus): 1.8 mA, comfortable", "channel 2: 0.6 mA at most"]
    for words in [*told, "7 before, 3 after", "less stiff"]:
        assert words in text
    assert "starts at 0 mA" in text


@pytest.mark.req("REQ-106")
def test_every_adverse_event_of_a_code_is_told_also_of_a_session_that_never_started_or_broke_off(tmp_path):
    after = {"phase": "after", "response": "", "adverse": "a bruise"}
    made(tmp_path, "A-1", RAN, ("screening", after), ("close", {"stop_reason": "time_over"}))
    made(tmp_path, "a-1", ("screening", {**after, "adverse": "fainted at the needle"}), ("close", {}))
    given = {"phase": "so_far", "part": "after", "answers": {"adverse": "a burn"}}
    made(tmp_path, "A-1", RAN, ("screening", given))  # its host was killed
    made(tmp_path, "A-1", RAN, ("screening", {**after, "adverse": None}), ("close", {"stop_reason": "time_over"}))
    text = "\n".join(plan.reminder(plan.past("A-1", tmp_path)))
    assert text.count("ADVERSE EVENT on 20") == 3
    for words in ("a bruise", "fainted at the needle", "a burn"):
        assert words in text


def test_telemetry_is_not_even_parsed_when_sessions_are_counted(tmp_path, monkeypatch):
    writer = made(tmp_path, "A", RAN, *[("telemetry", {"seq": n}) for n in range(50)])
    read = []
    monkeypatch.setattr(plan.json, "loads", lambda raw, loads=json.loads: read.append(raw) or loads(raw))
    assert len(plan.past("A", tmp_path)) == 1 and len(read) == 2
    assert len(re.findall("telemetry", writer.path.read_text())) == 50


@pytest.mark.parametrize(
    "number, planned, words",
    [(1, 3, "session 1 of 3, acute"), (4, 3, "beyond the plan"), (9, None, "session 9, acute")],
)
def test_the_plan_is_advice(number, planned, words):
    assert words in plan.words("acute", number, planned)
