"""The picture and the sketch of a protocol show what its file commands: pulses, rates, widths, ramps, contractions."""

import tomllib
from itertools import islice, pairwise

import pytest
from presets import commanded
from rheobase import boards, figures, library, planned, plots
from rheobase.errors import HostError
from rheobase.order import rate_words
from rheocore.compact import compact

NAMES = library.shipped_ids()


def config(name, ua=None):
    preset = library.load(name)
    return compact(preset, figures.limits_of(preset, boards.load())["amplitude_max_ua"] if ua is None else ua)


def sketched(name):
    return planned.sketch(config(name), name, library.load(name)["title"])


def drawn(monkeypatch, path, name):
    """Texts of the picture."""
    texts, save = [], plots.save

    def keep(figure, path):
        from matplotlib.text import Text

        texts.extend(text.get_text() for text in figure.findobj(Text))
        save(figure, path)

    monkeypatch.setattr(plots, "save", keep)
    planned.png(path, config(name), name, library.load(name)["title"])
    assert path.read_bytes().startswith(b"\x89PNG")
    return " | ".join(texts)


@pytest.mark.parametrize("name", NAMES)
def test_the_pulses_drawn_are_those_the_file_commands(name):
    doc = tomllib.loads((library.presets_dir() / f"{name}.toml").read_text())
    cfg = config(name)
    pulses = planned.train(cfg)
    asked = list(islice(commanded.pulses(doc), len(pulses) + 1))
    assert [(t, width) for t, width, _ in pulses] == asked[:-1]
    assert [interval for *_, interval in pulses] == [b[0] - a[0] for a, b in pairwise(asked)]
    assert asked[-2][0] < planned.span_us(cfg) <= asked[-1][0]


@pytest.mark.parametrize("name", NAMES)
def test_a_sketch_fits_80_columns_and_names_the_numbers(name):
    text, cfg = sketched(name), config(name)
    assert max(map(len, text.splitlines())) <= 80
    assert planned.train_title(cfg) in text and f"gap {cfg['gap_us']} \u00b5s" in text
    assert f"ramps: up {cfg['ramp_up_ms'] // 1000} s, down {cfg['ramp_down_ms'] // 1000} s" in text


def test_a_sketch_shows_the_kind_of_the_train():
    def train(name):
        lines = sketched(name).splitlines()
        return lines[next(n for n, line in enumerate(lines) if "the train" in line) + 1][4:]

    assert train("ea_2hz").count("\u2502") == 8
    slow, dense = train("ea_2_100hz")[:36], train("ea_2_100hz")[36:]
    assert slow.count("\u2502") == 6 and dense == "\u2588" * 36
    bars = train("tens_burst").split()
    assert len(bars) == 3 and {bar.count("\u2502") + 2 * bar.count("\u2503") for bar in bars} == {8}
    assert train("tens_modulated").index("\u2588") == pytest.approx(36, abs=1)  # the highest rate in the middle


def test_a_sketch_shows_ramps_and_contractions():
    top = sketched("nmes_quadriceps").splitlines()[-6]
    assert len(top.split()) == 2  # two contractions, and rest between them
    assert "15 contractions of 10 s, 50 s between them" in sketched("nmes_quadriceps")
    bottom = sketched("edn_2hz_foot").splitlines()[-4]
    assert bottom[4] == "\u2581" and "\u2588  \u2026  \u2588" in bottom  # up from nothing, a break, down again


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("ea_2hz", ["the train: 2 Hz, a pulse every 500 ms", "300 \u00b5s", "ramps: up 3 s, down 2 s"]),
        ("tens_burst", ["bursts of 8 at 100 Hz, 2 Hz", "180 \u00b5s", "30 min"]),
        ("ea_2_100hz", ["2 Hz and 100 Hz in turn, 3 s each", "| 2 Hz |", "| 100 Hz |"]),
        ("tens_modulated", ["2 Hz to 125 Hz and back, 200 to 100 \u00b5s, in 12 s", "rate (Hz)", "width of a phase"]),
        ("nmes_quadriceps", ["15 contractions of 10 s, 50 s between them; ramps: up 2 s, down 2 s"]),
    ],
)
def test_a_picture_names_what_it_shows(monkeypatch, tmp_path, name, says):
    text = drawn(monkeypatch, tmp_path / "p.png", name)
    assert all(words in text for words in [*says, "(planned)", "Not a medical device", "gap 50 \u00b5s"])


@pytest.mark.parametrize(
    "change",
    [
        {"amplitude_ua": 0},
        {"duration_ms": 1000, "ramp_up_ms": 500, "ramp_down_ms": 500},  # never at full amplitude
        {"on_ms": 1000, "off_ms": 0, "ramp_up_ms": 500, "ramp_down_ms": 500, "duration_ms": 1000},
        {"kind": "burst", "burst_period_us": 1_000_000, "burst_pulses": 1},
        {"kind": "alternating", "period_us": 1_000_000, "alt_period_us": 1_000_000, "dwell_ms": 100},
    ],
)
def test_odd_protocols_are_sketched_too(change):
    cfg = {**config("tens_conventional"), **change}
    assert max(map(len, planned.sketch(cfg, "odd", "x" * 72).splitlines())) <= 80


def test_a_modulation_of_one_pulse_a_cycle_without_current_is_drawn(tmp_path):
    cfg = config("tens_modulated", 0) | {"lo_millihz": 1000, "hi_millihz": 1000, "cycle_ms": 1000}
    planned.png(tmp_path / "p.png", cfg, "odd", "Odd")
    assert "\u2502" in planned.sketch(cfg, "odd", "Odd")


def test_a_picture_that_cannot_be_written_is_the_hosts_error(tmp_path):
    with pytest.raises(HostError):
        planned.png(tmp_path / "no" / "p.png", config("ea_2hz"), "ea_2hz", "EA")


@pytest.mark.parametrize(
    ("period", "says"),
    [(8333, "120 Hz"), (500_000, "2 Hz"), (400_000, "2.5 Hz"), (8016, "124.75 Hz"), (2500, "400 Hz")],
)
def test_a_rate_is_told_as_it_was_written(period, says):
    assert rate_words(period) == says
