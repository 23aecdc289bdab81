"""Fixtures of the therapist's path: a person at a terminal, an emulated board with the real image, a fake board."""

import pytest
from host.fake_board import FakeBoard
from rheobase.emulator import launch
from therapist.person import Person

NEEDLES = """schema = 1
id = "needles"
title = "Needles, for tests"
mode = "dnes"
electrode = "needle"
conditions = ["sciatica"]
pairs = {pairs}
[train]
kind = "continuous"
frequency_hz = 50
width_us = 200
gap_us = 50
[envelope]
ramp_up_s = 0.5
ramp_down_s = 0.5
[session]
duration_s = 60
[limits]
max_ma = 10
[[source]]
tag = "D"
for = ["frequency_hz", "conditions"]
cite = "For tests of sciatica only."
"""


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    """Where emulated boards and control sockets of these tests are registered."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("runtime")
        patch.setenv("RHEO_RUNTIME", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def private_folders(runtime, tmp_path, monkeypatch):
    """No test sees this user's boards, records, protocols or settings; one protocol of the user's own is there."""
    monkeypatch.setenv("RHEO_DATA", str(tmp_path))
    monkeypatch.setenv("RHEO_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("RHEO_PORT", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "protocols").mkdir()
    for name, pairs in (("needles", 1), ("needles2", 2), ("needles4", 4)):
        text = NEEDLES.format(pairs=pairs).replace('"needles"', f'"{name}"')
        (tmp_path / "protocols" / f"{name}.toml").write_text(text)


@pytest.fixture(scope="module")
def emulated(runtime, board_image):
    """An emulated board with the real image, at a pty."""
    with launch.start(image_bin=board_image) as board:
        yield board


@pytest.fixture
def board():
    """A fake board: five times as fast as time, its interlock in the test's hand."""
    with FakeBoard() as fake:
        yield fake


@pytest.fixture
def sit_down():
    """sit_down(*words, **answers) -> Person at a terminal that runs `rheo run words`."""
    seated = []

    def begin(*words, **options):
        seated.append(Person(*words, **options))
        return seated[-1]

    yield begin
    for person in seated:
        person.close()
