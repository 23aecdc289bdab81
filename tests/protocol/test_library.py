"""Finding protocols: by a person's words, by id, by path; the user's own beside the shipped; files that are broken."""

import hashlib
import json

import pytest
from rheobase import library
from rheobase.errors import EXIT_REFUSED, EXIT_USAGE, RheoError

MINE = """schema = 1
id = "{id}"
title = "Mine"
mode = "tens"
electrode = "skin"
conditions = ["elbow_stiffness"]

[train]
kind = "continuous"
frequency_hz = 80
width_us = 100
gap_us = 50

[envelope]
ramp_up_s = 4
ramp_down_s = 4

[session]
duration_s = 600

[limits]
max_ma = 20
"""


@pytest.fixture(autouse=True)
def own(monkeypatch, tmp_path):
    monkeypatch.setenv("RHEO_DATA", str(tmp_path / "data"))
    folder = tmp_path / "data" / "protocols"
    folder.mkdir(parents=True)
    return folder


def refusal(call, *args, **kwargs):
    with pytest.raises(RheoError) as caught:
        call(*args, **kwargs)
    return caught.value


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        ("heel pain", "plantar_fasciitis"),
        ("Heel-Pains", "plantar_fasciitis"),
        ("low back", "back_pain"),
        ("Low Back Pain", "back_pain"),
        ("BACK_PAIN", "back_pain"),
        ("knot", "muscle_pain"),
        ("Knots", "muscle_pain"),
        ("trigger point", "muscle_pain"),
        ("trigger-points", "muscle_pain"),
        ("tenniselbow", "tennis_elbow"),
        ("Tennis elbows", "tennis_elbow"),
        ("golfer's elbow", "golfers_elbow"),
        ("golfer elbow", "golfers_elbow"),
        ("headaches", "headache"),
        ("Achilles", "achilles"),
        ("Carpal Tunnel Syndrome", "carpal_tunnel"),
        ("tendinitis", "tendonitis"),
    ],
)
def test_a_condition_is_found_in_a_persons_words(words, slug):
    assert {p["id"] for p in library.catalogue(condition=words)[0]} == {
        p["id"] for p in library.catalogue(condition=slug)[0]
    }


def test_an_unknown_condition_names_the_nearest_known_one():
    error = refusal(library.catalogue, condition="siatica")
    assert (error.code, error.exit_code) == ("unknown_condition", EXIT_USAGE)
    assert "sciatica" in error.hint


@pytest.mark.req("REQ-068")
@pytest.mark.parametrize("words", ["jaw", "TMJ", "face", "head", "head pain", "jaw joint", "TMJ disorder", "left eye"])
def test_routes_over_head_and_jaw_are_not_offered(words):
    error = refusal(library.catalogue, condition=words)
    assert (error.code, error.exit_code) == ("not_offered", EXIT_REFUSED)


def test_mode_and_electrode_filter_and_an_unknown_one_is_refused():
    assert {p["mode"] for p in library.catalogue(mode="nmes")[0]} == {"nmes"}
    assert {p["electrode"] for p in library.catalogue(electrode="needle")[0]} == {"needle"}
    assert refusal(library.catalogue, mode="ems").hint == "Known: dnes, tens, nmes."
    assert refusal(library.catalogue, electrode="glove").code == "unknown_electrode"


def test_the_users_own_protocols_stand_beside_the_shipped_ones(own):
    (own / "mine.toml").write_text(MINE.format(id="mine"))
    found, problems = library.catalogue(condition="elbow stiffness")
    assert [p["id"] for p in found] == ["mine"] and problems == []
    assert library.load("mine")["train"]["frequency_hz"] == 80


def test_a_broken_file_of_the_users_is_a_problem_and_hides_nothing(own):
    (own / "broken.toml").write_text("schema = \n")
    (own / "shadow.toml").write_text(MINE.format(id="ea_2hz"))
    found, problems = library.catalogue()
    assert len(found) == len(library.shipped_ids())
    assert len(problems) == 2 and "line 1" in problems[0] and "ea_2hz is taken" in problems[1]
    assert library.load("ea_2hz")["mode"] == "dnes"  # the shipped one


@pytest.mark.parametrize(
    ("ref", "near"), [("ea-2hz", "ea_2hz"), ("tens_convential", "tens_conventional"), ("pens", "pens_")]
)
def test_an_unknown_preset_names_the_nearest_known_one(ref, near):
    error = refusal(library.load, ref)
    assert (error.code, error.exit_code) == ("unknown_preset", EXIT_USAGE)
    assert near in error.hint


def test_a_path_is_read_wherever_it_is(tmp_path, monkeypatch):
    file = tmp_path / "p.toml"
    file.write_text(MINE.format(id="mine"))
    assert library.load(str(file))["id"] == "mine"
    monkeypatch.chdir(tmp_path)
    assert library.load("p.toml")["id"] == "mine"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"schema = 1\nid = \n", "line 2, column 6: invalid value"),
        (b'schema = 1\nid = "x\n', "line 2"),
        (b"[train\n", "line 1"),
        (b"a = 1\na = 2\n", "line 2"),
        (b"schema = 1\n[[source]\n", "line 2"),
        (b'schema = 1\ntitle = "\xff"\n', "line 2: not UTF-8"),
        (b"x = [1,", "end of the file"),
        (b"x = " + b"[" * 30_000, "nested too deeply"),
        (b"#" * 70_000, "larger than a protocol"),
        (b"", "schema is missing"),
        (MINE.format(id="x").replace("width_us = 100", "width_us = 2000").encode(), "train.width_us = 2000"),
    ],
)
def test_a_file_that_is_no_protocol_is_refused_with_its_line_or_key(tmp_path, content, says):
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    error = refusal(library.load, str(file))
    assert error.exit_code == EXIT_USAGE
    assert str(file) in error.message and says in error.message


def test_a_line_that_is_no_toml_is_shown_without_what_a_terminal_would_obey(tmp_path):
    file = tmp_path / "bad.toml"
    file.write_bytes(b'title = "\x1b]0;owned\x07"\n')
    error = refusal(library.load, str(file))
    assert "The line reads: title" in error.hint and (error.message + error.hint).isprintable()


def test_what_is_no_file_is_refused_with_a_sentence(tmp_path):
    assert refusal(library.load, str(tmp_path)).code == "not_a_file"
    assert refusal(library.load, str(tmp_path / "no.toml")).code == "no_such_file"
    assert refusal(library.load, "").code == "unknown_preset"
    assert refusal(library.load, "x" * 5000).code == "unknown_preset"


def test_the_hash_is_sha256_of_canonical_json_and_tells_protocols_apart():
    preset = library.load("ea_2hz")
    text = json.dumps(preset, sort_keys=True, separators=(",", ":"))
    assert library.protocol_hash(preset) == hashlib.sha256(text.encode()).hexdigest()
    assert len({library.protocol_hash(library.load(name)) for name in library.shipped_ids()}) == 22


def test_the_hash_does_not_change_with_the_order_or_form_of_the_file(tmp_path):
    one, other = tmp_path / "a.toml", tmp_path / "b.toml"
    one.write_text(MINE.format(id="mine"))
    other.write_text(
        "# a note\n" + MINE.format(id="mine").replace("= 80", "= 80.0").replace("gap_us = 50\n", "gap_us=50\n\n")
    )
    assert library.protocol_hash(library.load(one)) == library.protocol_hash(library.load(other))
