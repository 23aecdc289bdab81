"""Pictures: what they are made from is measured here, that they are pictures is checked; how they look is for eyes."""

import subprocess
import sys

import pytest
from record.make_record import begin, session
from rheobase import library, plots, vcd_read
from rheobase.emulator.vcd import VcdWriter
from rheobase.errors import HostError, UsageError
from rheobase.record import RecordReader
from rheocore.compact import compact


def config(name, ua, duration_ms=10_000):
    return compact(library.load(name), ua, duration_ms)


def dump(path, pulses=3, ua=2000.0):
    writer = VcdWriter(path, {"CH1_A": "wire", "CH1_B": "wire", "CH2_A": "wire", "CH2_B": "wire", "CH1_UA": "real"})
    writer.change(10, "CH1_UA", ua)
    for n in range(pulses):
        t_ns = 1000 + n * 10_000_000
        for after_ns, leg, level in ((0, "A", 1), (100_000, "A", 0), (150_000, "B", 1), (250_000, "B", 0)):
            writer.change(t_ns + after_ns, f"CH1_{leg}", level)
    writer.close(1_000_000_000)
    return vcd_read.read(path)


def shown(monkeypatch):
    """Texts of the next pictures, as drawn."""
    texts = []
    save = plots.save

    def keep(figure, path):
        from matplotlib.text import Text

        texts.extend(text.get_text() for text in figure.findobj(Text))
        save(figure, path)

    monkeypatch.setattr(plots, "save", keep)
    return texts


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n") and path.stat().st_size > 10_000


def test_planned_pulses_have_the_plans_times_and_the_envelopes_amplitude():
    pulses = plots.pulses_of_plan(config("edn_2hz_foot", 4000))
    assert pulses[1].a_ns[0] - pulses[0].a_ns[0] == 500_000_000
    assert pulses[0].a_ns[1] - pulses[0].a_ns[0] == pulses[0].b_ns[1] - pulses[0].b_ns[0] == 250_000
    assert pulses[0].b_ns[0] - pulses[0].a_ns[1] == 50_000
    assert pulses[0].ua == 0 and pulses[6].ua == 4000  # 3 s of ramp
    assert len(plots.pulses_of_plan(config("tens_conventional", 1000), most=5)) == 5


def test_captured_pulses_have_the_dumps_edges_and_the_set_point_at_their_start(tmp_path):
    pulses = plots.pulses_of_vcd(dump(tmp_path / "a.vcd"))
    assert list(pulses) == [1]
    assert [p.a_ns for p in pulses[1]][:2] == [(1000, 101_000), (10_001_000, 10_101_000)]
    assert (pulses[1][0].b_ns, pulses[1][0].ua) == ((151_000, 251_000), 2000.0)


def test_the_pulse_picture_says_its_widths_and_that_it_is_modelled(tmp_path, monkeypatch):
    texts = shown(monkeypatch)
    plots.pulses_png(tmp_path / "p.png", dump(tmp_path / "a.vcd"), "tens_conventional", modelled=True)
    assert is_png(tmp_path / "p.png")
    assert texts.count("100 µs") == 2 and "gap 50 µs" in texts
    assert "tens_conventional: first pulses (modelled, emulated board)" in texts
    assert "pulse 1: 2 mA, 0.2 µC a phase" in texts
    plots.pulses_png(tmp_path / "p.png", dump(tmp_path / "a.vcd"), modelled=False)
    assert not any("modelled" in text for text in texts[texts.index("First pulses (as captured)") :])


@pytest.mark.parametrize("name", ["tens_burst", "tens_modulated", "ea_2_100hz", "nmes_quadriceps"])
def test_a_plan_of_any_kind_can_be_drawn(tmp_path, monkeypatch, name):
    texts = shown(monkeypatch)
    plots.pulses_png(tmp_path / "p.png", {1: config(name, 5000, 60_000), 2: config("ea_2hz", 0)}, name)
    assert is_png(tmp_path / "p.png")
    assert f"{name}: first pulses (planned)" in texts
    assert any(text.endswith("the current is 0") for text in texts)  # channel 2: legs only


def test_the_envelope_picture_says_how_the_session_ended(tmp_path, monkeypatch):
    texts = shown(monkeypatch)
    reader = RecordReader(session(tmp_path))
    plots.envelope_png(tmp_path / "e.png", reader)
    assert is_png(tmp_path / "e.png")
    assert "tens_conventional: set and measured amplitude (modelled, emulated board)" in texts
    assert "measured\n(modelled)" in texts and "200 pulses" in texts
    assert f"{reader.id}: ended by time_over after 2 s" in texts
    assert {"ramp up", "run"} <= set(texts)


def test_states_begin_when_the_board_said_so_not_with_the_next_telemetry(tmp_path):
    with begin(tmp_path) as writer:
        for dev_us, state in ((1_000_000, "ramp_up"), (5_000_001, "run")):
            writer.write("event", dev_us, event="state", detail=state)
            writer.write("telemetry", dev_us + 90_000, state=state, channels={})
        writer.write("telemetry", 6_000_000, state="done", channels={})  # its event was lost
    timeline = plots._timeline(RecordReader(writer.path))
    assert timeline == [(1_000_000, "ramp_up"), (5_000_001, "run"), (6_000_000, "done")]


def test_a_fault_is_drawn_by_its_name_and_a_crash_is_said(tmp_path, monkeypatch):
    texts = shown(monkeypatch)
    reader = RecordReader(session(tmp_path, fault="interlock_open", close=False, modelled=False))
    plots.envelope_png(tmp_path / "e.png", reader)
    assert " interlock_open" in texts and f"{reader.id}: no end on record" in texts
    assert "190 pulses at the last telemetry" in texts
    assert not any("modelled" in text for text in texts)


def test_a_sessions_pictures_are_made_from_its_record_or_its_dump(tmp_path, monkeypatch):
    texts = shown(monkeypatch)
    reader = RecordReader(session(tmp_path))
    made = plots.pictures(reader, tmp_path / "out")
    assert made == [str(tmp_path / "out" / "pulses.png"), str(tmp_path / "out" / "envelope.png")]
    assert "tens_conventional: first pulses (planned)" in texts
    assert "pulse 401: 20 mA, 2 µC a phase" in texts  # after 4 s of ramp at 100 Hz
    plots.pictures(reader, tmp_path / "out", dump(tmp_path / "a.vcd"))
    assert "tens_conventional: first pulses (modelled, emulated board)" in texts


def test_a_session_without_telemetry_has_no_envelope(tmp_path):
    with begin(tmp_path) as writer:
        assert plots.pictures(RecordReader(writer.path), tmp_path) == [str(tmp_path / "pulses.png")]


def test_nothing_to_draw_is_a_sentence(tmp_path):
    with pytest.raises(UsageError) as caught:
        plots.pulses_png(tmp_path / "p.png", dump(tmp_path / "a.vcd", pulses=0))
    assert caught.value.code == "no_pulses"
    with begin(tmp_path) as writer, pytest.raises(UsageError) as caught:
        plots.envelope_png(tmp_path / "e.png", RecordReader(writer.path))
    assert caught.value.code == "no_telemetry"


def test_a_picture_that_cannot_be_written_is_a_sentence(tmp_path):
    with pytest.raises(HostError) as caught:
        plots.pulses_png(tmp_path / "no" / "p.png", {1: config("ea_2hz", 1000)})
    assert caught.value.code == "picture_not_writable"


def test_matplotlib_is_not_imported_before_a_picture_is_made():
    words = "import sys, rheobase.plots, rheobase.record, rheobase.library; print('matplotlib' in sys.modules)"
    paths = f"import sys; sys.path[:0] = {sys.path!r}; "
    run = subprocess.run([sys.executable, "-c", paths + words], capture_output=True, text=True, timeout=60)
    assert run.stdout.strip() == "False", run.stderr
