"""Which board came back and whether it may be called good: every other case is an error with a name."""

import hashlib

import pytest
from flash_files import OURS, UF2, volume
from rheobase import comeback, discovery, flash, mpremote
from rheobase.errors import DeviceLost, HostError, Incompatible

HASH = "0123456789abcdef"  # the firmware in OURS
OLD = ("/dev/ttyACM0", False, "E60")
BACK = ("/dev/ttyACM1", False, "E61")


def running(firmware=HASH):
    return {"serial": "e61", "board": "RHEO_PICO", "state": "idle", "firmware": {"hash": firmware}}


@pytest.fixture
def scene(monkeypatch, tmp_path):
    """What the computer sees: looks (lists of candidates, the last one stays), answers (of the greeting), flash."""

    class Scene:
        looks = [[OLD], [OLD], [OLD, BACK]]
        answers = [running()]
        flash = None
        greeted = []

        def prove(self, data=OURS, serial=None, timeout_s=5.0):
            path = tmp_path / "x.uf2"
            path.write_bytes(data)
            checked = flash.check(path)
            self.flash = self.flash or checked.image
            return comeback.prove(checked, tmp_path / "RPI-RP2", comeback.there(), serial, timeout_s)

    it = Scene()
    it.greeted = []

    def look():
        return it.looks.pop(0) if len(it.looks) > 1 else it.looks[0]

    def greet(port, emulated=None, serial=None, boot=True):
        it.greeted.append(port)
        answer = it.answers.pop(0) if len(it.answers) > 1 else it.answers[0]
        known = isinstance(answer, dict)
        return discovery.Found(port, emulated, answer if known else None, None if known else answer, serial)

    monkeypatch.setattr(discovery, "candidates", look)
    monkeypatch.setattr(discovery, "try_port", greet)
    monkeypatch.setattr(mpremote, "evaluate", lambda port, code: (hashlib.sha256(it.flash).hexdigest(), "e61"))
    monkeypatch.setattr(comeback, "_POLL_S", 0.001)
    return it


def problem(code):
    return (Incompatible if code in ("no_firmware", "wire_mismatch") else DeviceLost)(code, f"It said {code}.")


def test_the_board_that_was_not_there_before_is_the_one(scene):
    found, serial = scene.prove()
    assert (found.port, serial) == ("/dev/ttyACM1", "e61")
    assert "/dev/ttyACM0" not in scene.greeted


def test_a_port_that_is_busy_or_silent_at_first_is_asked_again(scene):
    scene.answers = [problem("no_access"), problem("busy"), problem("no_answer"), running()]
    assert scene.prove()[0].info


def test_a_known_board_is_waited_for_by_its_serial_number(scene):
    scene.looks = [[OLD], [OLD, ("/dev/ttyACM2", False, "E69")], [OLD, ("/dev/ttyACM2", False, "E69"), BACK]]
    assert scene.prove(serial="e61")[0].port == "/dev/ttyACM1"


def test_a_board_that_came_back_to_its_old_port_is_a_board_that_came_back(scene):
    gone = ("/dev/ttyACM0", False, None)
    scene.looks = [[gone], [], [gone]]
    assert scene.prove()[0].port == "/dev/ttyACM0"


def test_two_boards_that_come_up_at_once_are_listed_and_neither_called_good(scene):
    scene.looks = [[], [OLD, BACK]]
    with pytest.raises(DeviceLost, match="ttyACM0, /dev/ttyACM1") as caught:
        scene.prove()
    assert caught.value.code == "several_boards"


@pytest.mark.parametrize(
    ("looks", "data", "says"),
    [
        ([[OLD]], OURS, "no board came back in 0 s, which a program that is not MicroPython"),
        ([[], [BACK]], OURS, "no board came back in 0 s: It said no_answer."),
    ],
)
def test_a_board_that_does_not_come_back_is_lost_and_never_done(scene, looks, data, says):
    scene.looks, scene.answers = looks, [problem("no_answer")]
    with pytest.raises(DeviceLost, match=says) as caught:
        scene.prove(data, timeout_s=0.05)
    assert caught.value.code == "not_back"


def test_a_boot_loader_that_keeps_its_volume_has_not_taken_the_file(scene, tmp_path):
    scene.looks = [[OLD]]
    volume(tmp_path)
    with pytest.raises(DeviceLost, match="is still there: the boot loader did not take the file"):
        scene.prove(timeout_s=0.05)


def test_a_board_that_comes_up_while_the_volume_is_still_there_is_another_one(scene, tmp_path):
    """It runs the same image, so its flash reads back the same; the one that was written to stands in BOOTSEL."""
    volume(tmp_path)
    with pytest.raises(DeviceLost, match="is still there: the boot loader did not take the file"):
        scene.prove(timeout_s=0.05)
    assert scene.greeted == []


@pytest.mark.req("REQ-036")
def test_a_board_without_a_usb_serial_number_is_told_from_the_known_one_by_its_own(scene):
    scene.looks = [[], [("/dev/ttyACM1", False, None)]]
    with pytest.raises(DeviceLost, match="board e61 came up on /dev/ttyACM1, and not E69"):
        scene.prove(serial="E69")


@pytest.mark.req("REQ-036")
def test_flash_that_reads_back_otherwise_is_not_taken_though_the_firmware_answers(scene):
    scene.flash = flash_with_one_other_bit = bytearray(comeback_image())
    flash_with_one_other_bit[-1] ^= 1
    with pytest.raises(Incompatible, match="its flash is not what was written") as caught:
        scene.prove()
    assert caught.value.code == "not_taken"


def comeback_image():
    from rheobase.image import uf2

    return uf2.to_bin(OURS)


@pytest.mark.req("REQ-036")
def test_another_firmware_than_the_one_in_flash_is_not_taken(scene):
    scene.answers = [running("f" * 16)]  # files in its file system win over what is frozen
    with pytest.raises(Incompatible, match="runs firmware f{16}"):
        scene.prove()


@pytest.mark.parametrize("code", ["no_firmware", "no_answer"])
def test_firmware_that_does_not_start_is_said_though_the_flash_is_right(scene, code):
    scene.answers = [running(), problem(code)]
    with pytest.raises(HostError, match=f"does not start: It said {code}") as caught:
        scene.prove()
    assert caught.value.code == "not_started"


def test_an_older_firmware_of_ours_that_this_rheo_cannot_talk_to_is_what_was_written(scene):
    scene.answers = [problem("wire_mismatch")]
    assert scene.prove()[0].problem.code == "wire_mismatch"


def test_a_foreign_file_is_proved_by_reading_it_back_alone(scene):
    scene.answers = [problem("no_firmware")]
    found, serial = scene.prove(UF2)
    assert (found.info, serial) == (None, "e61")
