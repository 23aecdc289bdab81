"""`rheo protocol`: the contract's shapes, 80 columns for people, sentences and exit codes for mistakes."""

import json

import pytest
from rheobase import library
from rheobase.cli.main import main


@pytest.fixture(autouse=True)
def own(monkeypatch, tmp_path):
    monkeypatch.setenv("RHEO_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rheo(capsys):
    def call(*words):
        code = main(list(words))
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_list_has_the_contracts_shape(rheo):
    code, out, _ = rheo("protocol", "list", "--json", "--condition", "heel pain")
    assert code == 0
    assert json.loads(out)["data"] == {
        "protocols": [
            {
                "id": "edn_2hz_foot",
                "title": "2 Hz: heel and sole",
                "mode": "dnes",
                "electrode": "needle",
                "conditions": ["plantar_fasciitis"],
                "pairs": 4,
            }
        ]
    }


def test_list_filters_by_mode_and_electrode(rheo):
    code, out, _ = rheo("--json", "protocol", "list", "--mode", "TENS", "--electrode", "Skin")
    assert code == 0
    assert {p["id"] for p in json.loads(out)["data"]["protocols"]} == {
        name for name in library.shipped_ids() if name.startswith("tens_")
    }


def test_list_says_what_it_left_out(rheo, tmp_path):
    folder = tmp_path / "data" / "protocols"
    folder.mkdir(parents=True)
    (folder / "broken.toml").write_text("x")
    code, out, err = rheo("protocol", "list")
    assert code == 0 and "broken.toml" in err and "ea_2hz" in out


def test_show_gives_the_protocol_its_figures_and_limits(rheo):
    code, out, _ = rheo("--json", "protocol", "show", "tens_conventional")
    data = json.loads(out)["data"]
    assert code == 0
    assert data["protocol"] == library.load("tens_conventional")
    assert data["hash"] == library.protocol_hash(data["protocol"])
    assert data["derived"]["pulses"] == 180_000
    assert data["derived"]["shapes"] == [{"period_us": 10_000, "width_us": 100}]
    assert data["limits"]["binds"] == "board"


def test_show_takes_the_electrode_and_prints_every_limit_with_what_binds(rheo):
    code, out, _ = rheo("protocol", "show", "ea_100hz", "--needle", "0.25x30mm")
    assert code == 0
    assert "needles of 0.25 x 30 mm inserted, 0.236 cm\u00b2 each\n" in out
    assert "at most     2.356 mA, bound by 2 mA/cm\u00b2 RMS, not acknowledged" in out
    assert "with --acknowledge limit_current_density: 10 mA, bound by the" in out
    table = {line[2:18].strip(): line[18:].split() for line in out.partition("\nLimits")[2].splitlines()[2:13]}
    assert table["charge a phase"] == ["0.471", "\u00b5C"]
    assert table["charge density"] == ["2", "\u00b5C/cm\u00b2", "20", "\u00b5C/cm\u00b2", "D", "23.56", "mA"]
    assert table["Shannon k"] == ["-0.0258", "1.75", "D", "18.199", "mA"]
    assert table["current density"] == ["2", "mA/cm\u00b2", "2", "mA/cm\u00b2", "V", "2.356", "mA", "binds"]
    assert {"RMS current", "energy a pulse", "power density", "electrode's cap"} < set(table)
    data = json.loads(rheo("--json", "protocol", "show", "ea_100hz", "--needle", "0.25x30mm")[1])["data"]
    assert data["load"] == {"needle": {"diameter_um": 250, "length_um": 30_000}} and data["assumed"] == []
    assert data["limits"]["caps"]["k"] == 18_199 and data["limits"]["binds"] == "current_density"


def test_show_says_which_electrode_it_assumed(rheo):
    assert "0.16 x 15 mm inserted, 0.0753 cm\u00b2 each (assumed)" in rheo("protocol", "show", "ea_2hz")[1]
    assert "pads of 25 cm\u00b2 (assumed)" in rheo("protocol", "show", "tens_burst")[1]
    assert "pads of 50 cm\u00b2\n" in rheo("protocol", "show", "tens_burst", "--pad", "50cm2")[1]


@pytest.mark.parametrize("name", library.shipped_ids())
def test_what_people_read_fits_80_columns_and_shows_every_tag(rheo, name):
    code, out, _ = rheo("protocol", "show", name)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    preset = library.load(name)
    assert all(f"\n  {source['tag']} " in out for source in preset["source"])
    assert all(f"{source['tag']} = " in out for source in preset["source"])


def test_the_list_fits_80_columns_with_whole_titles(rheo):
    _, out, _ = rheo("protocol", "list")
    assert max(map(len, out.splitlines())) <= 80
    assert all(library.load(name)["title"] in out for name in library.shipped_ids())


def test_validate_accepts_a_good_file_and_names_the_fault_of_a_bad_one(rheo, tmp_path):
    good = (library.presets_dir() / "ea_2hz.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(good.replace('id = "ea_2hz"', 'id = "mine"'))
    code, out, _ = rheo("--json", "protocol", "validate", str(file))
    assert (code, json.loads(out)["data"]["id"]) == (0, "mine")
    file.write_text(good.replace("width_us = 300", "widht_us = 300"))
    code, out, err = rheo("protocol", "validate", str(file))
    assert (code, out) == (2, "")
    assert "train.widht_us is not a key" in err and "Did you mean width_us?" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("name", "old", "new", "says", "fix"),  # the line is that of `new`, or of its table where a key was taken out
    [
        ("ea_2hz", "width_us = 300", "widht_us = 300", "train.widht_us is not a key", "Did you mean width_us?"),
        ("ea_2hz", "width_us = 300", 'width_us = "300us"', "is not a number", "the unit is in the key's name"),
        (
            "ea_2hz",
            "width_us = 300",
            "width_us = 300us",
            "column 15: expected newline",
            "the unit is in the key's name",
        ),
        ("ea_2hz", "width_us = 300", "width_ms = 0.3", "train.width_ms is not a key", "width_us"),
        ("ea_2hz", "width_us = 300", "width_us = 300\nwidth_us = 2", "cannot overwrite", "keep one of the two"),
        ("ea_2hz", "max_ma = 8.3", "max_ua = 8300", "limits.max_ua is not a key", "max_ma"),
        ("ea_2hz", "max_ma = 8.3", "max_ma = 300", "above 100 mA", "Use 0 to 100 mA"),
        ("ea_2hz", "frequency_hz = 2", "frequency_hz = 500", "above 400 Hz", "Use 1 to 400 Hz"),
        ("ea_2hz", "duration_s = 1200", "duration_s = 2400", "above 1800 s", "Use 1800 s or less"),
        ("ea_2hz", 'mode = "dnes"', "mode = dnes", "invalid value", "a text in quotes"),
        ("ea_2hz", "pairs = 1", 'pairs = "1"', "is not a number", "1 to 6"),
        ("ea_2hz", "[train]", "[train", "expected ']'", "Close the bracket. The line reads: [train"),
        ("ea_2hz", "[train]", "[trian]", "trian is not a key", "Did you mean train?"),
        ("ea_2hz", 'tag = "G"', 'tag = "W"', 'source[2].tag = "W"', '"V", "V-low", "G", "PC" or "D"'),
        ("edn_2hz_shoulder", '    "achilles",', '    "Achilles tendon",', "is not a name", "small letters"),
        ("nmes_quadriceps", "ramp_up_s = 2", "ramp_up_s = 9", "envelope.on_s is 10 s", "Shorten the ramps"),
        ("nmes_quadriceps", "contractions = 15", "contractions = 45", "above 1800 s", "contractions x (on_s + off_s)"),
        ("nmes_quadriceps", "off_s = 50\n", "", "envelope.off_s is missing", "Add it"),
        ("tens_burst", "burst_pulses = 8", "burst_pulses = 60", "50 at most", "Lower burst_pulses or burst_hz"),
        ("tens_modulated", "[2, 125]", "[125, 2]", "falls", "the lower rate first"),
    ],
)
def test_validate_names_the_line_and_the_fix(rheo, tmp_path, name, old, new, says, fix):
    good = (library.presets_dir() / f"{name}.toml").read_text()
    assert good.count(old) == 1 or old in ("pairs = 1", "frequency_hz = 2")
    text = good.replace(old, new, 1)
    where = {"ramp_up_s = 9": "on_s = 10", "": "[envelope]", '    "Achilles tendon",': "conditions = ["}.get(new, new)
    line = text[: text.index(where)].count("\n") + 1 + new.count("\n")
    (tmp_path / "mine.toml").write_text(text)
    code, out, err = rheo("protocol", "validate", "mine.toml")
    assert (code, out) == (2, "")
    assert f"mine.toml, line {line}" in err and says in err and fix in err and "Traceback" not in err


def test_validate_takes_what_windows_editors_write(rheo, tmp_path):
    good = (library.presets_dir() / "ea_2hz.toml").read_bytes()
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf" + good.replace(b"\n", b"\r\n"))
    assert rheo("protocol", "validate", "mine.toml")[0] == 0


def test_validate_tells_what_is_allowed_and_should_be_known(rheo, tmp_path):
    good = (library.presets_dir() / "ea_2hz.toml").read_text().replace('"ea_2hz"', '"mine"')
    file = tmp_path / "mine.toml"
    file.write_text(good)
    assert json.loads(rheo("--json", "protocol", "validate", "mine.toml")[1])["data"]["notes"] == []
    file.write_text(good.replace("max_ma = 8.3", "max_ma = 30"))
    code, out, _ = rheo("protocol", "validate", "mine.toml")
    assert code == 0 and "line 25: no more than 10 mA is allowed with needles" in out
    file.write_text(good.replace('for = ["frequency_hz", "width_us"]', 'for = ["frequency_hz"]'))
    code, out, _ = rheo("protocol", "validate", "mine.toml")
    assert code == 0 and "line 14: no source for width_us. Add [[source]] with tag" in out


def test_validate_refuses_a_shipped_id_for_anything_else(rheo, tmp_path):
    good = (library.presets_dir() / "ea_2hz.toml").read_text()
    file = tmp_path / "mine.toml"
    file.write_text(good)
    assert rheo("protocol", "validate", "mine.toml")[0] == 0  # the very same
    file.write_text(good.replace("width_us = 300", "width_us = 200"))
    code, out, err = rheo("protocol", "validate", "mine.toml")
    assert (code, out) == (2, "")
    assert "mine.toml, line 3: the id ea_2hz is a shipped protocol's" in err and 'id = "my_ea_2hz"' in err


def test_every_shipped_preset_is_valid_without_a_note(rheo):
    for name in library.shipped_ids():
        code, out, _ = rheo("--json", "protocol", "validate", str(library.presets_dir() / f"{name}.toml"))
        assert (code, json.loads(out)["data"]["notes"]) == (0, [])


def test_plot_writes_a_picture_or_says_why_not(rheo, tmp_path):
    code, out, _ = rheo("--json", "protocol", "plot", "edn_2hz_foot")
    assert (code, json.loads(out)["data"]["path"]) == (0, "edn_2hz_foot.png")
    assert (tmp_path / "edn_2hz_foot.png").read_bytes().startswith(b"\x89PNG")
    code, _, err = rheo("protocol", "plot", "edn_2hz_foot", "-o", str(tmp_path / "no" / "x.png"))
    assert code == 8 and "cannot be written" in err


def test_push_hands_the_protocol_over_and_says_that_output_is_off(rheo, monkeypatch):
    from rheobase import push

    pushed = []
    monkeypatch.setattr(push, "push", lambda asked, protocol: pushed.append((asked.port, protocol)) or "loaded")
    code, out, _ = rheo("--json", "-p", "/dev/x", "protocol", "push", "ea_2hz")
    preset = library.load("ea_2hz")
    assert (code, pushed) == (0, [("/dev/x", preset)])
    assert json.loads(out)["data"] == {"id": "ea_2hz", "hash": library.protocol_hash(preset), "state": "loaded"}
    assert "Output is off." in rheo("protocol", "push", "ea_2hz")[1]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("show", "ea_2hzz"), 2, "Did you mean ea_2hz?"),
        (("show", "nope.toml"), 2, "no file nope.toml"),
        (("show", "ea_2hz", "--pad", "25cm2"), 2, "--pad does not apply"),
        (("show", "ea_2hz", "--needle", "30mm"), 2, "is not a needle"),
        (("list", "--condition", "jaw"), 5, "not offered"),
        (("list", "--condition", "bakc pain"), 2, "back_pain"),
        (("list", "--mode", "x"), 2, "Known: dnes, tens, nmes."),
        (("list", "--electrode", "glove"), 2, "Known: needle, skin."),
        (("list", "--condition", "my back hurts"), 2, "Did you mean back_pain?"),
        (("list", "--condition", "elbow"), 2, "Did you mean golfers_elbow or tennis_elbow?"),
        (("list", "--condition", "head injury"), 2, "Known: achilles,"),
    ],
)
def test_a_mistake_is_a_sentence_and_the_right_exit_code(rheo, words, code, says):
    got, out, err = rheo("protocol", *words)
    assert (got, out) == (code, "")
    assert says in err and "Traceback" not in err
