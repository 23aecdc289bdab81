"""The report: what stands on the page is what the record holds, above all when it went wrong. Wall: 8 s.

The page is read as a browser reads it; pictures are stubbed where they are not what is asked about.
"""

import json
import random

import pytest
from record.make_record import SCREENED, START_US, begin, session, treatment
from record.page import Page, change, page_of
from rheobase import report
from rheobase.cli.main import main
from rheobase.record import RecordReader, RecordWriter
from rheobase.wording import WORDING

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>${7*7}{{7*7}}"
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


@pytest.mark.req("REQ-108")
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


@pytest.mark.req("REQ-112")
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
