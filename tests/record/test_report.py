"""The report: what stands on the page is what the record holds, above all when it went wrong. Wall: 8 s.

The page is read as a browser reads it; pictures are stubbed where they are not what is asked about.
"""

import json
import random
from html.parser import HTMLParser

import pytest
from record.make_record import AFTER, SCREENED, START_US, begin, channels, session, treatment
from rheobase import report
from rheobase.cli.main import main
from rheobase.record import RecordReader, RecordWriter
from rheobase.wording import WORDING

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>${7*7}{{7*7}}"
VOID = ("meta", "img", "br")


class Page(HTMLParser):
    """text: all of it, in one line. tags: [(name, attributes)]. tables: rows of cell texts."""

    def __init__(self, source):
        super().__init__()
        self.words, self.tags, self.open, self.rows = [], [], [], []
        self.feed(source)
        self.close()
        assert self.open == [], "a tag is left open"
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"{tag} is closed in another"

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip("\n")

    def row(self, name, nth=0):
        """Cells beside the nth row that begins with `name`."""
        return [row[1:] for row in self.rows if row and row[0] == name][nth]


@pytest.fixture
def plain(monkeypatch):
    """No picture is drawn."""
    for name in ("planned", "delivered"):
        monkeypatch.setattr(f"rheobase.report.pictures.{name}", lambda *_: "data:,")


def page_of(path):
    return Page(report.page(RecordReader(path)))


def change(path, kind, nth=0, **fields):
    """Overwrite fields of the nth line of a kind."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    [line for line in lines if line["kind"] == kind][nth].update(fields)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


# -- the page itself -------------------------------------------------------------------------------------------------


def test_the_page_is_whole_in_itself_and_runs_nothing(tmp_path):
    source = report.page(RecordReader(treatment(tmp_path)))
    page = Page(source)
    names = {name for name, _ in page.tags}
    assert not names & {"script", "link", "iframe", "object", "embed", "form", "base", "svg"}
    for name, attributes in page.tags:
        assert not any(key.startswith("on") for key in attributes)
        assert attributes.get("src", "data:").startswith("data:") and "href" not in attributes, name
    assert "http:" not in source and "https:" not in source and "@import" not in source and "url(" not in source
    policy = next(a["content"] for n, a in page.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    images = [a for n, a in page.tags if n == "img"]
    assert len(images) == 6 and all(a["alt"] for a in images)


def test_every_text_of_a_users_is_text(tmp_path, plain):
    """A title, a note, a site, a reason, an id: none of them becomes a tag, an attribute or a template."""
    path = treatment(tmp_path, channel_count=1)
    opened = json.loads(path.read_text().splitlines()[0])
    protocol = {**next(iter(opened["protocols"].values())), "title": EVIL}
    protocol["source"] = [{"tag": EVIL, "for": [EVIL], "cite": EVIL}]
    change(path, "open", protocols={"tens_conventional": protocol}, person=EVIL, serial=EVIL, board=EVIL, host=EVIL)
    answers = {**SCREENED, "pairs": [{"channel": EVIL, "lead_a": EVIL, "site": EVIL}], "stops": {EVIL: EVIL}}
    change(path, "screening", answers=answers, acknowledged=[EVIL], reason=EVIL)
    change(path, "screening", 1, adverse=EVIL, response=EVIL, skin=EVIL)
    change(path, "event", 1, event="note", text=EVIL)
    change(path, "event", 2, event=EVIL, detail=EVIL)
    change(path, "close", stop_reason=EVIL)
    page = page_of(path)
    assert page.text.count("<script>alert(1)</script>") >= 15
    assert "${7*7}{{7*7}}" in page.text
    assert not [1 for name, attributes in page.tags if name == "script" or "onerror" in attributes]
    assert [a["src"] for n, a in page.tags if n == "img"] == ["data:,", "data:,"]


def test_the_pictures_are_svg_without_script_or_reference(tmp_path):
    from base64 import b64decode
    from xml.etree import ElementTree

    page = page_of(treatment(tmp_path, channel_count=1, preset="tens_modulated"))
    for _, attributes in [tag for tag in page.tags if tag[0] == "img"]:
        kind, _, data = attributes["src"].partition(",")
        assert kind == "data:image/svg+xml;base64"
        tree = ElementTree.fromstring(b64decode(data))
        for element in tree.iter():
            assert not element.tag.endswith("script")
            for name, value in element.attrib.items():
                assert not name.endswith("href") or value.startswith("#")


@pytest.mark.parametrize("preset", ["ea_2hz", "ea_2_100hz", "tens_burst", "nmes_quadriceps"])
def test_a_pulse_and_its_train_are_drawn_at_the_amplitude_of_the_caption(preset):
    """However short the session: one of a second never gets beyond its ramps."""
    from matplotlib.figure import Figure
    from rheobase import library
    from rheobase.report import pictures
    from rheocore.compact import compact

    for duration_ms in (1000, 60_000):
        cfg = compact(library.load(preset), 400, duration_ms)
        for draw in (pictures._pulse, pictures._train):
            axis = Figure().subplots()
            draw(axis, cfg)
            drawn = [y for line in axis.lines for y in line.get_ydata() if y == y]
            assert (min(drawn), max(drawn)) == (-0.4, 0.4)
        assert min(x for line in axis.lines[:2] for x in line.get_xdata() if x == x) == 0  # the first pulse


def test_it_carries_the_wording_the_aftercare_the_sources_with_tags_and_every_hash(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    page, opened = page_of(path), RecordReader(path).opened
    assert WORDING in page.text
    assert "Some redness under the pads is common and passes. [G]" in page.text and "Soreness" not in page.text
    assert "[V] frequency_hz, width_us 80 to 150 Hz" in page.text and "[V-low] read in a weak source" in page.text
    assert opened["hash"]["tens_conventional"] in page.text and opened["firmware"]["hash"] in page.text
    import hashlib

    assert hashlib.sha256(path.read_bytes()).hexdigest() in page.text


# -- planned and delivered -------------------------------------------------------------------------------------------


def test_planned_and_delivered_stand_side_by_side(tmp_path, plain):
    page = page_of(treatment(tmp_path, channel_count=2, stop_ms=30_000, end="operator_key"))
    assert page.row("train")[0] == "100 Hz, 100 µs a phase, gap 50 µs"
    assert page.row("duration") == ["1 min", "30 s"]
    assert page.row("target") == ["8 mA", "highest set-point 8 mA"]
    assert page.row("whole pulses") == ["6\u202f000", "2\u202f990 (49.83 %), none cut"]
    assert page.row("charge a phase") == ["0.8 µC", "0.8 µC"]
    assert page.row("current density") == ["0.0453 mA/cm² (limit 2 [V])", "0.0453 mA/cm²"]
    assert page.row("energy a pulse") == ["0.0064 mJ (limit 300 [V])", "0.0064 mJ"]
    assert "[V] current density RMS; more needs the operator's acknowledgement" in page.text
    assert all(row[0] != "Shannon k" for row in page.rows if row)  # bounds needles only
    assert page.row("charge of one phase, in sum")[0] == "4.48 mC"
    assert page.row("time at amplitude") == ["52.8 s", "26.2 s"]
    assert page.row("highest allowed")[0].startswith("50 mA: the board's rating")
    assert len([row for row in page.rows if row and row[0] == "whole pulses"]) == 2
    assert "Ended before its time. Stopped by the operator's key. Output lasted 30 s." in page.text


def test_a_target_that_the_operator_raised_is_told_as_such(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1, ua=0, screened=False)
    change(path, "event", 1, event="amplitude", channel=1, ua=2400)
    page = page_of(path)
    assert page.row("target")[0] == "0, raised by the operator, at most to 2.4 mA"
    assert page.row("charge of one phase, in sum")[0] == "–"
    assert "Channel 1: the operator set the target to 2.4 mA." in page.text


def test_a_session_that_was_never_raised_is_not_told_as_delivered(tmp_path, plain):
    page = page_of(treatment(tmp_path, channel_count=1, ua=0))
    assert "! No current was given. The session time is over. The output was on for 1 min, at set-point" in page.text
    assert "! No current was given on channel 1." in page.text and "Ran to its planned end" not in page.text
    assert page.row("whole pulses")[1] == "6\u202f000 (100 %), all at set-point zero, none cut"
    assert page.row("target")[0] == "0, never raised" and page.row("1")[0].endswith(", all at set-point zero")


def test_a_channel_that_was_never_raised_is_told_beside_one_that_was(tmp_path, plain):
    path = treatment(tmp_path, channel_count=2)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        if line["kind"] in ("telemetry", "close"):
            line["channels"]["2"].update(set_ua=0, charge_nc=0)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    text = page_of(path).text
    assert "! No current was given on channel 2." in text and "on channel 1" not in text
    assert "Ran to its planned end" in text


def test_an_exact_board_measures_what_was_set_however_it_was_raised(tmp_path, plain):
    """Compared with the set-point of the same sample: steps of a titration are no error of the board's."""
    with begin(tmp_path) as writer:
        writer.write("event", START_US, event="state", detail="run")
        for k in range(100):
            ua = 200 + 200 * (k // 10)
            if k % 10 == 0:
                writer.write("event", START_US + k * 100_000, event="amplitude", channel=1, ua=ua)
            row = {"set_ua": ua, "meas_ua": ua, "ohms": 1000, "pulses": k, "charge_nc": k}
            writer.write("telemetry", START_US + k * 100_000, state="run", channels={"1": row})
    assert page_of(writer.path).row("current at amplitude")[1] == (
        "mean of the measured 1.1 mA (100.0 % of the set-point then)"
    )


def test_more_pulses_than_planned_or_a_set_point_above_the_limit_are_loud(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1, preset="nmes_quadriceps", ua=30_000)  # its ramps climb 25 mA
    assert page_of(path).row("contractions") == ["1", "1 begun"]  # a minute of it
    change(path, "close", channels={"1": {"pulses": 99_999, "truncated": 0, "charge_nc": 1}})
    page = page_of(path)
    assert "!! Channel 1: other pulses than planned." in page.text and "99 999 are reported" in page.text
    assert "!! Channel 1: the set-point was above the limit. 30 mA; the highest allowed is 25 mA." in page.text


def test_the_limits_are_those_that_the_board_told_when_the_session_began(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    assert "above the limit" not in page_of(path).text
    page = page_of(change(path, "open", limits={"max_ua": 7_000, "full_scale_ua": 50_000}))
    assert "!! Channel 1: the set-point was above the limit. 8 mA; the highest allowed is 7 mA." in page.text
    assert page.row("highest allowed")[0].startswith("7 mA: the board's rating")


def test_fewer_pulses_than_planned_in_a_session_that_ran_to_its_end_are_told(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    assert "other pulses" not in page_of(path).text
    change(path, "close", channels={"1": {"pulses": 5999, "truncated": 0, "charge_nc": 1}})
    assert "! Channel 1: other pulses than planned. 6 000 were planned, 5 999" in page_of(path).text


def test_a_pause_makes_a_duty_cycle_begin_anew_which_is_explained_and_no_alarm(tmp_path, plain):
    at = {"channel_count": 1, "preset": "nmes_quadriceps", "ua": 20_000, "minutes": 3}
    page = page_of(treatment(tmp_path, pause=(8_000, 5_000), **at))
    assert page.row("contractions") == ["3", "4 begun, restarted after a pause"]
    planned, delivered = page.row("whole pulses")
    assert delivered.endswith("none cut, restarted after a pause") and delivered > planned
    assert "other pulses than planned" not in page.text and "!" not in page.text.replace("What this is not", "")
    page = page_of(treatment(tmp_path, pause=(30_000, 5_000), **at))  # in a rest
    assert page.row("contractions")[1] == "4 begun, restarted after a pause"
    path = treatment(tmp_path, pause=(8_000, 5_000), **at)
    change(path, "close", channels={"1": {"pulses": 5000, "truncated": 0, "charge_nc": 1}})
    assert "!! Channel 1: other pulses than planned." in page_of(path).text  # more than any restart explains


# -- when it went wrong ----------------------------------------------------------------------------------------------


def test_a_fault_comes_first_with_its_cause_and_what_to_do(tmp_path, plain):
    page = page_of(treatment(tmp_path, channel_count=1, fault="electrode_open", stop_ms=9_000))
    assert "!! Ended by a fault: electrode open. An electrode or a lead has no contact. Check leads" in page.text
    assert "Ran to its planned end" not in page.text
    assert page.text.count("Fault: An electrode or a lead has no contact.") == 1  # the board's event; not twice


def test_a_crash_is_said_and_nothing_is_made_up_for_what_came_after(tmp_path, plain):
    page = page_of(treatment(tmp_path, channel_count=1, close=False, stop_ms=20_000))
    assert "!! The record breaks off: no end is on record." in page.text
    assert "19.9 s of output" in page.text and "What the board did after that is not on record" in page.text
    assert page.row("duration")[1] == "19.9 s so far"
    assert page.row("whole pulses")[1].endswith("so far (33.17 %); whether one was cut is unknown")
    assert "!! Needles were not counted out. 8 went in; no count of what came out is on record." in page.text
    assert "! The steps after the session are not on record." in page.text


def test_a_guided_session_that_was_killed_tells_what_was_answered(tmp_path, plain):
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        writer.write("open", None, modelled=True)
        for answers in ({"history": True}, {"stops": SCREENED["stops"]}, {"pain": 6}):
            writer.write("screening", phase="so_far", part="before", answers=answers)
    page = page_of(writer.path)
    assert "!! The record breaks off: no output is on record. The host ended" in page.text
    assert "The session had not started. The last word came" in page.text and "after the start" not in page.text
    assert "unknown so far" not in page.text and "No telemetry is on record" not in page.text
    assert page.row("history") == ["yes"] and page.row("stops") == ["4 asked, none applies"]
    assert page.row("cautions") == ["not recorded"] and "Pain (0 to 10): 6 before" in page.text
    assert "Before, as far as it was answered" in page.text and "No question was asked" not in page.text
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        writer.write("screening", phase="before", answers={}, yes=False)  # it ended before the first question
    text = page_of(writer.path).text
    assert "No answer is on record." in text and "--yes" not in text and "No question was asked" not in text


def test_a_host_killed_after_the_output_leaves_the_boards_own_end(tmp_path, plain):
    lines = treatment(tmp_path, channel_count=1).read_text().splitlines()
    path = tmp_path / "record.jsonl"
    so_far = {"kind": "screening", "phase": "so_far", "part": "after", "answers": {"leads_off": True}}
    path.write_text("\n".join([*lines[:-2], json.dumps(so_far)]) + "\n")
    page = page_of(path)
    head = "!! The record breaks off after the end of the output. The board told its end: The session time is over."
    assert f"{head} Output lasted 1 min." in page.text and "What the board did after" not in page.text
    assert "!! Needles were not counted out." in page.text and page.row("leads off") == ["yes"]
    assert "! The steps after the session were not finished." in page.text
    assert "After, as far as it was answered" in page.text


def test_a_session_whose_record_is_being_written_is_called_running(tmp_path, plain):
    with begin(tmp_path) as writer:
        writer.write("telemetry", START_US, state="run", channels=channels(0))
        assert "! The session is still running." in page_of(writer.path).text


def test_a_lost_board_is_told_with_the_counts_that_are_known(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1, end="host_lost", stop_ms=5_000)
    change(path, "close", channels={"1": {"pulses": 490, "truncated": None, "charge_nc": 5}})
    page = page_of(path)
    assert "!! Ended by a fault: host lost." in page.text and "Inferred by the host" in page.text
    assert "Output lasted at least 5 s; counts are those of the board's last telemetry." in page.text
    assert page.row("duration")[1] == "5 s so far" and "so far, by its last telemetry" in page.text
    assert page.row("1")[0] == "490 so far" and page.row("charge of one phase, in sum")[1] == "5 nC so far"
    assert "whether one was cut is unknown" in page.row("whole pulses")[1]


def test_a_session_that_never_started_says_that_nothing_came_out(tmp_path, plain):
    with begin(tmp_path) as writer:
        writer.write("close", None, stop_reason=None, fault=None, duration_ms=0, channels={})
    page = page_of(writer.path)
    assert "! Nothing came out. Why is not on record. The session was not started." in page.text
    why = {"code": "screening_stop", "message": "Not started: pacemaker."}
    assert "Not started: pacemaker. The session" in page_of(change(writer.path, "close", not_started=why)).text
    assert "There is no telemetry to draw." in page.text and "No telemetry is on record" not in page.text
    assert "Aftercare" not in page.text  # nothing was done


def test_times_of_a_session_that_never_started_are_from_the_beginning_of_its_record(tmp_path, plain):
    with begin(tmp_path) as writer:
        change(writer.path, "open", dev_us=None), change(writer.path, "screening", dev_us=None)
        writer.write("event", 7_000_000, event="needles_in", **{"in": 1})
        writer.write("telemetry", 8_000_000, state="armed", channels=channels(0, 0))
        writer.write("event", 9_500_000, event="state", detail="idle")
    page = page_of(writer.path)
    assert "seconds from the beginning of the record, by the board's clock" in page.text
    assert "first pulse" not in page.text
    assert [row[0] for row in page.rows if row[-1] == "The board is idle: output off."] == ["0:02.500"]
    assert "seconds from the first pulse, by the board's clock" in page_of(treatment(tmp_path)).text


def test_torn_damaged_and_missing_lines_are_counted(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    lines = path.read_bytes().split(b"\n")
    lines[50] = lines[50][:40]
    path.write_bytes(b"\n".join(lines[:-2])[:-9])
    text = page_of(path).text
    assert "! Lines of this record are lost. 1 damaged, 1 missing, the last one torn." in text


def test_missing_telemetry_is_listed_and_drawn_as_a_gap(tmp_path):
    from rheobase.report.track import Track

    path = treatment(tmp_path, channel_count=1, lost=[(20_000, 25_000), (40_000, 40_500)])
    track = Track(RecordReader(path))
    assert track.gaps == [(19_900_000, 25_000_000), (39_900_000, 40_500_000)]
    inside = [v for t, v in zip(track.times, track.columns["1"]["set_ua"], strict=True) if 19.9e6 < t < 25e6]
    assert len(inside) == 1 and inside[0] != inside[0]  # NaN: no line is drawn across
    page = page_of(path)
    assert (
        "! Telemetry is missing. 5.7 s in 2 gaps, hatched in the pictures: 19.9 to 25.0 s, 39.9 to 40.5 s." in page.text
    )
    assert page.row("time at amplitude")[1] == "47.6 s"  # 52.7 s but for the gaps; 0.3 s of each still stand


def test_telemetry_from_before_a_reset_is_not_mixed_with_what_came_after(tmp_path, plain):
    with begin(tmp_path) as writer:
        for us in (9_000_000, 9_100_000, 100_000, 200_000, 9_200_000):
            writer.write("telemetry", us, state="run", channels=channels(1))
    text = page_of(writer.path).text
    assert "!! The board's clock went back. 2 samples after it are left out" in text


def test_a_protocol_that_was_changed_in_the_record_is_found_by_its_hash(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    assert "does not match its hash" not in page_of(path).text
    protocols = RecordReader(path).opened["protocols"]
    protocols["tens_conventional"]["limits"]["max_ma"] = 61
    change(path, "open", protocols=protocols)
    assert "!! A protocol on record does not match its hash. tens_conventional" in page_of(path).text


@pytest.mark.parametrize("modelled", [True, False])
def test_an_emulated_board_is_loud_and_a_real_one_is_not_called_modelled(tmp_path, plain, modelled):
    text = page_of(treatment(tmp_path, channel_count=1, modelled=modelled)).text
    assert ("EMULATED BOARD, MODELLED LOAD" in text) == modelled
    assert ("odelled" in text) == modelled


# -- screening -------------------------------------------------------------------------------------------------------


def test_screening_before_and_after_stand_side_by_side(tmp_path, plain):
    page = page_of(treatment(tmp_path))
    assert page.row("stops") == ["4 asked, none applies"]
    assert page.row("cautions") == ["Takes blood thinners: low dose aspirin, agreed with the clinic"]
    assert page.row("consent") == ["yes"] and page.row("needles in") == ["8, of these 2 dwell without current"]
    assert page.row("needles were in for") == ["25 min"] and page.row("needles out") == ["8"]
    assert "Pain (0 to 10): 6 before, 3 after." in page.text
    assert ["2", "red", "black", "right upper trapezius"] in page.rows
    assert "!" not in page.text.replace("What this is not", "")


def test_needles_that_do_not_add_up_are_loud(tmp_path, plain):
    head = "!! Needles in and needles out do not agree. 8 in, 7 out."
    assert head in page_of(treatment(tmp_path, needles_out=7)).text
    path = treatment(tmp_path)
    change(path, "screening", 1, needles_out=9, mismatch=False)  # whatever the record says of it
    assert "!! Needles in and needles out do not agree. 8 in, 9 out." in page_of(path).text
    text = page_of(treatment(tmp_path, after=False)).text
    assert "!! Needles were not counted out. 8 went in" in text
    assert "! The steps after the session are not on record." in text


def test_an_overridden_stop_an_adverse_event_and_a_missing_step_are_told_with_their_reasons(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(
        path, "screening", answers={**SCREENED, "stops": {"pregnancy": "arm only, midwife agrees", "implant": False}}
    )
    change(path, "screening", 1, **{**AFTER, "adverse": "fainted, recovered", "sharps": False})
    text = page_of(path).text
    assert "!! A screening stop was overridden. Pregnancy: arm only, midwife agrees" in text
    assert "!! An adverse event was noted. fainted, recovered" in text
    assert "! Not confirmed. needles into the sharps container" in text


def test_a_stop_that_ended_the_session_stands_and_is_not_called_overridden(tmp_path, plain):
    stops = {**SCREENED["stops"], "implant": True}
    with begin(tmp_path) as writer:
        why = {"code": "screening", "message": "Not started: pacemaker."}
        writer.write("close", None, stop_reason=None, fault=None, duration_ms=0, channels={}, not_started=why)
    change(writer.path, "screening", answers={"condition": "neck_pain", "stops": stops}, yes=False)
    page = page_of(writer.path)
    assert "! A screening stop stands: the session was refused. Pacemaker, defibrillator" in page.text
    assert page.row("stops")[0].endswith(": it stands")
    assert "overridden" not in page.text and "The steps after" not in page.text  # nothing began: nothing to undo
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", answers={**SCREENED, "stops": stops})
    assert "!! A screening stop stood, and the session was started all the same. Pacemaker" in page_of(path).text


def test_steps_that_were_left_unfinished_are_told_and_none_is_taken_for_done(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", 1, **{**dict.fromkeys(AFTER), "needles_in": 8})  # the terminal was closed
    page = page_of(path)
    assert "! The steps after the session were not finished." in page.text
    assert "!! Needles were not counted out. 8 went in" in page.text
    assert page.row("leads off") == ["not recorded"] and "6 before, not recorded after" in page.text


@pytest.mark.parametrize(
    ("event", "fields", "says"),
    [
        ("needles_in", {"in": 6, "unstimulated": 2}, "6 went in; no count of what came out is on record."),
        ("needles_begun", {"in": None}, "Needles were being inserted, nobody knows how many; no count of what"),
    ],
)
def test_needles_of_a_killed_host_are_known_from_their_events(tmp_path, plain, event, fields, says):
    """Before any answer's line is there, and before any output; not while somebody may still count them out."""
    with begin(tmp_path) as writer:
        writer.write("event", None, event=event, **fields)
        change(writer.path, "screening", answers=None, phase="so_far", part="before", yes=False)
        assert "counted out" not in page_of(writer.path).text.replace(says, "")
    text = page_of(writer.path).text
    assert f"!! Needles were not counted out. {says}" in text
    assert "! The steps after the session are not on record." in text


def test_needles_that_nobody_could_count_in_agree_with_no_count_out(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", answers={**SCREENED, "needles": {"in": None}})
    change(path, "screening", 1, **{**AFTER, "needles_in": None, "needles_out": 5})
    page = page_of(path)
    assert "!! Needles in and needles out do not agree. unknown in, 5 out." in page.text
    assert page.row("needles in") == ["unknown"]


def test_overrides_and_needles_in_are_told_in_words(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "event", 1, **{"in": 8, "unstimulated": 2, "dwell_planned_ms": 1_200_000})
    change(path, "event", 2, event="override", what="fewer_pairs", reason="3 of 4 pairs, confirmed")
    page = page_of(path)
    assert "Needles are in: 8, 2 of them without current. The dwell time begins: 20 min are planned." in page.text
    assert "Override: fewer pairs. 3 of 4 pairs, confirmed" in page.text


def test_an_acknowledgement_says_of_what(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    change(path, "screening", acknowledged=["limit_current_density"])
    change(path, "event", 1, event="acknowledged", code="limit_current_density", value=3331)
    page = page_of(path)
    assert "Acknowledged before the start: more than 2 mA/cm² RMS." in page.text
    assert "Acknowledged: more than 2 mA/cm² RMS, from 3.331 mA on." in page.text


def test_the_operators_own_ceiling_is_not_called_the_protocols(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1)
    assert "the protocol's limit" in page_of(path).row("highest allowed")[0]
    channels = RecordReader(path).opened["channels"]
    channels["1"]["config"]["max_ua"] = 9_000
    change(path, "open", channels=channels)
    assert page_of(path).row("highest allowed")[0].startswith("9 mA: the operator's ceiling")


def test_a_session_without_questions_says_so_and_why(tmp_path, plain):
    text = page_of(treatment(tmp_path, screened=False)).text
    assert "! No screening: the session was started with --yes. Reason given: bench" in text


def test_every_event_has_its_device_and_host_time_and_a_sentence(tmp_path, plain):
    path = treatment(tmp_path, channel_count=1, pause=(20_000, 3_000))
    page, events = page_of(path), RecordReader(path).of("event")
    line = next(line for line in events if line["event"] == "pause")
    assert ["0:20.000", "0:23.000", line["host_utc"][11:23], "The operator paused."] in page.rows
    assert page.text.count("Output on: ramping up from zero.") == 2
    assert "1, 3 s in all, not counted as duration" in page.text and page.row("duration")[1] == "1 min"


# -- anything that calls itself a record -----------------------------------------------------------------------------

FUZZ = 150
JUNK = (None, True, -1, 10**12, 0.5, "", "x" * 300, [], [None], {}, {"a": []}, EVIL)


def test_any_record_however_mangled_makes_a_page(tmp_path, plain):
    """Every field of every kind of line replaced by junk or taken away, lines dropped: a page, never a traceback."""
    source = treatment(tmp_path, channel_count=2, fault="electrode_open", stop_ms=3_000).read_text().splitlines()
    lines = [json.loads(line) for line in source]
    rng = random.Random(4)

    def mangle(value, depth=0):
        if isinstance(value, dict) and value and (depth == 0 or rng.random() < 0.75):
            key = rng.choice(list(value))
            if key == "kind":
                return value
            if rng.random() < 0.2:
                return {k: v for k, v in value.items() if k != key}
            return {**value, key: mangle(value[key], depth + 1)}
        return rng.choice(JUNK)

    telling = [k for k, line in enumerate(lines) if line["kind"] != "telemetry"]
    for _ in range(FUZZ):
        mangled = list(lines)
        for _ in range(rng.randrange(1, 4)):
            k = rng.choice(telling) if rng.random() < 0.8 else rng.randrange(len(lines))
            mangled[k] = mangle(mangled[k])
        if rng.random() < 0.2:
            del mangled[rng.randrange(len(mangled))]
        path = tmp_path / "record.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in mangled))
        page_of(path)


def test_an_empty_record_makes_a_page(tmp_path):
    with RecordWriter.create("A", 1000, tmp_path) as writer:
        pass
    assert "!! The record breaks off" in page_of(writer.path).text


# -- pictures thin out without lying ---------------------------------------------------------------------------------


def test_thinning_keeps_every_excursion_the_ends_and_the_breaks():
    from math import isnan, nan

    from rheobase.report.track import thin

    times = list(range(0, 18_000_000, 1000))
    values = [1000.0 + k % 7 for k in range(18_000)]
    values[7_777], values[9_001] = 5000.0, 3.0  # one sample each
    values[12_000:12_003] = [nan] * 3
    kept_t, kept_v = thin(times, values, 600)
    assert len(kept_t) <= 4 * 600 + 2
    assert (7_777_000, 5000.0) in zip(kept_t, kept_v, strict=True)
    assert (9_001_000, 3.0) in zip(kept_t, kept_v, strict=True)
    assert kept_t == sorted(kept_t) and (kept_t[0], kept_t[-1]) == (0, 17_999_000)
    assert any(isnan(v) and 12_000_000 <= t < 12_003_000 for t, v in zip(kept_t, kept_v, strict=True))
    for bucket in range(600):  # the outline is that of all samples
        whole = [v for v in values[bucket * 30 : bucket * 30 + 30] if not isnan(v)]
        seen = [v for t, v in zip(kept_t, kept_v, strict=True) if bucket <= t / 29_998.33 < bucket + 1 and not isnan(v)]
        assert min(seen) <= min(whole[1:-1]) and max(seen) >= max(whole[1:-1])
    assert thin(times[:50], values[:50]) == (times[:50], values[:50])


# -- the command -----------------------------------------------------------------------------------------------------


def test_log_report_writes_the_page_and_answers_its_path(tmp_path, plain, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    name = session(tmp_path / "logs").parent.name

    def rheo(*words):
        code = main(["--log-dir", str(tmp_path / "logs"), "--json", "log", "report", *words])
        return code, json.loads(capsys.readouterr().out)

    code, answer = rheo("last")
    assert (code, answer["data"]) == (0, {"path": f"{name}.html", "session_id": name})
    assert name in (tmp_path / f"{name}.html").read_text("utf-8")
    assert rheo(name[:-2], "-o", str(tmp_path / "other.html"))[1]["data"]["path"] == str(tmp_path / "other.html")
    code, answer = rheo("last", "-o", str(tmp_path / "no" / "such.html"))
    assert (code, answer["errors"][0]["code"]) == (8, "report_not_writable")
    code, answer = rheo("last", "-o", str(tmp_path))
    assert (code, answer["errors"][0]["code"]) == (8, "report_not_writable")
    assert rheo("nope")[1]["errors"][0]["code"] == "unknown_record"
    assert not list(tmp_path.glob("**/*.part"))
