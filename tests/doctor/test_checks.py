"""Each check is ok when its thing is right, and warns or fails, names it and says what to do when it is wrong."""

import os
import shutil
import subprocess
import sys
from collections import namedtuple
from importlib import metadata

import pytest
from host.fake_board import CALIBRATED, FakeBoard
from rheobase import doctor as service
from rheobase import record
from rheobase.doctor import computer, ports, rules
from rheobase.errors import EXIT_FAULT, EXIT_HOST, EXIT_INCOMPATIBLE, EXIT_NO_DEVICE, EXIT_USAGE, HostError
from rheocore import faults, messages

# what is wrong with a fake board -> the check that says so, how, a word of its sentence, the exit status
ILL = {
    "another firmware": ({"info": {"firmware": {"version": "0.0.9", "hash": "f00d", "origin": "frozen"}}}, {},
                         "firmware", "warn", "f00d", 0),
    "another firmware, as files": ({"info": {"firmware": {"version": "0.0.9", "hash": "f00d", "origin": "files"}}}, {},
                                   "firmware", "warn", "deploy", 0),
    "an old MicroPython": ({"info": {"micropython": "1.24.1"}}, {}, "micropython", "fail", "1.24.1", EXIT_INCOMPATIBLE),
    "a newer MicroPython": ({"info": {"micropython": "1.27.0-preview"}}, {}, "micropython", "warn", "1.27.0", 0),
    "no hook": ({"info": {"c_hook": False}}, {}, "hook", "warn", "soft reset", 0),
    "a watchdog reset": ({"info": {"reset_cause": "watchdog", "was": "run"}}, {}, "reset", "warn", "watchdog", 0),
    "another clock": ({}, {"clk_sys_hz": 48_000_000}, "clock", "fail", "48 MHz", EXIT_FAULT),
    "a high leg": ({}, {"legs_low": False}, "guard", "fail", "leg is high", EXIT_FAULT),
    "an open gate": ({}, {"gate_open": True}, "guard", "fail", "gate is open", EXIT_FAULT),
    "a guard that is off": ({}, {"guard": "off"}, "guard", "fail", "guard is off", EXIT_FAULT),
    "a low supply": ({}, {"supply_mv": 6_900}, "supply", "warn", "6.9 V", 0),
    "no calibration": ({"info": {"calibration": {"problem": None, "channels": {"1": CALIBRATED, "2": None}}}}, {},
                       "calibration", "warn", "2 uncalibrated", 0),
    "a damaged calibration": ({"info": {"calibration": {"problem": "damaged", "channels": {"1": None, "2": None}}}}, {},
                              "calibration", "fail", "is damaged", EXIT_FAULT),
    "a stray file": ({}, {"files": ["main.py", "notes.txt"]}, "files", "warn", "main.py.", 0),
    "a stray library": ({}, {"files": ["lib/", "lib/rheocore/"]}, "files", "warn", "lib/rheocore/.", 0),
    "no file system": ({}, {"flash_free": None, "flash_bytes": None}, "flash", "warn", "no file system", 0),
}  # fmt: skip
FILES = {"version": "0.1.0", "hash": "f00d", "origin": "files"}


def test_the_ids_are_these_for_programs_that_look_for_one():
    assert " ".join([*service.COMPUTER, "boards", *service.BOARD]) == (
        "python packages emulator toolchain image settings cache records disk last_sessions access udev modem_manager "
        "boards handshake firmware micropython hook reset fault interlock inspection clock guard supply calibration "
        "files flash"
    )


def test_a_board_in_order_has_every_check_of_the_table_and_all_are_ok(board, doctor):
    checks, code = doctor()
    wrong = {name: check for name, check in checks.items() if check["status"] != "ok"}
    assert code == 0 and not {name for name in wrong if wrong[name]["port"]}, wrong
    assert set(checks) == {*service.COMPUTER, "boards", *service.BOARD} - {"inspection"}
    assert {name for name, check in checks.items() if check["port"] == board.port} == set(service.BOARD) - {
        "inspection"
    }


@pytest.mark.parametrize("case", ILL)
def test_what_is_wrong_with_a_board_is_named_by_one_check_with_a_fix(make, doctor, case):
    options, inspected, name, status, words, code = ILL[case]
    make(**options).inspection.update(inspected)
    checks, exit_code = doctor()
    found = checks[name]
    assert (found["status"], exit_code) == (status, code) and words in found["message"] and found["fix"]
    others = {n: c for n, c in checks.items() if c["port"] and c["status"] != "ok" and n not in (name, "firmware")}
    assert not others


@pytest.mark.parametrize("fault", sorted(faults.FAULTS))
def test_a_latched_fault_is_exit_6_with_its_sentence_and_remedy(board, doctor, fault):
    board.session.trip(fault, board.now_ms(), 2)
    checks, code = doctor()
    found = checks["fault"]
    assert code == EXIT_FAULT and found["status"] == "fail"
    assert faults.sentence(fault) in found["message"] and "Channel 2" in found["message"]
    assert faults.remedy(fault) in found["fix"] and "clear-fault" in found["fix"]


def test_an_open_interlock_is_to_know_and_no_failure(board, doctor):
    board.output.closed = False
    checks, code = doctor()
    assert checks["interlock"]["status"] == "warn" and "open" in checks["interlock"]["message"] and code == 0


def test_an_older_firmware_that_tells_no_more_is_one_warning(board, doctor, monkeypatch):
    monkeypatch.delitem(messages.METHODS, "inspect")
    checks, code = doctor()
    assert checks["inspection"]["status"] == "warn" and code == 0
    assert not {"clock", "guard", "supply", "files", "flash"} & set(checks)


@pytest.mark.req("REQ-035")
def test_a_module_that_stands_in_for_one_that_the_firmware_imports_is_found(make, doctor):
    make(info={"firmware": FILES}).inspection["files"] = ["lib/", "lib/json.py", "lib/mine.py", "lib/rheocore/"]
    checks, _ = doctor()
    assert "lib/json.py" in checks["files"]["message"] and "mine" not in checks["files"]["message"]
    assert checks["files"]["fix"].endswith("fs rm -r :lib/json.py")


def test_beside_a_slot_what_lies_in_lib_does_nothing_and_only_what_was_ours_is_told(make, doctor):
    board = make(info={"firmware": FILES})
    board.inspection["files"] = ["boot.py", "main.py", "main.py.new", "rheo/", "lib/", "lib/json.py", "lib/rheocore/"]
    checks, _ = doctor()
    assert checks["files"]["message"].endswith(": main.py.new, lib/rheocore/.")
    assert "rheo deploy" in checks["files"]["fix"]
    board.inspection["files"] = ["boot.py", "main.py", "calibration.json", "rheo/", "lib/", "lib/json.py"]
    assert doctor()[0]["files"]["status"] == "ok"


def test_firmware_copied_by_hand_is_not_compared_and_runs_from_lib(make, doctor):
    by_hand = {"version": "unknown", "hash": "unknown", "origin": "files"}
    make(info={"firmware": by_hand}).inspection["files"] = ["rheo/", "lib/", "lib/json.py", "lib/rheocore/"]
    checks, _ = doctor()
    assert "cannot say which it is" in checks["firmware"]["message"] and "deploy" in checks["firmware"]["fix"]
    assert "lib/json.py" in checks["files"]["message"]


def test_slots_beside_frozen_firmware_change_nothing(board, doctor):
    board.inspection["files"] = ["rheo/", "notes.txt"]
    assert "rheo/." in doctor()[0]["files"]["message"]


def test_room_for_the_next_deploy_is_asked_for_only_where_files_are_deployed(make, doctor):
    board = make(info={"firmware": FILES})
    board.inspection["flash_free"] = 50_000
    assert doctor()[0]["flash"]["status"] == "warn"
    board.server.info["firmware"] = {**FILES, "origin": "frozen"}
    assert doctor()[0]["flash"]["status"] == "ok"


def test_more_files_than_a_board_tells_are_not_called_all(make, doctor):
    make().inspection["files"] = [f"f{n}" for n in range(24)]
    assert "the first 24" in doctor()[0]["files"]["message"]


def test_a_files_name_cannot_command_the_terminal(make, rheo):
    make(info={"firmware": FILES}).inspection["files"] = ["lib/json.\x1b[2J"]
    said = rheo("doctor").out
    assert "lib/json.?[2J" in said and "\x1b" not in said


@pytest.mark.parametrize("wrong", [{"flash_free": "much"}, {"clk_sys_hz": None}, {"files": [1]}, None])
def test_an_answer_that_makes_no_sense_is_told_by_its_check_and_ends_no_other(make, doctor, wrong):
    board = make()
    if wrong is None:
        board.inspection.clear()
    else:
        board.inspection.update(wrong)
    checks, code = doctor()
    ill = [check for check in checks.values() if check["port"] and check["status"] == "fail"]
    assert code == EXIT_INCOMPATIBLE and [check["id"] for check in ill] == ["inspection"]
    assert "answers `inspect` with something else" in ill[0]["message"]
    assert checks["handshake"]["status"] == checks["interlock"]["status"] == "ok"


def test_a_status_of_another_shape_is_a_board_that_is_not_understood(board, doctor, monkeypatch):
    def status(self):
        return dict(zip(("state", "fault"), ("idle",), strict=True))

    monkeypatch.setattr("rheobase.link.greeting.Board.status", status)
    checks, code = doctor()
    assert code == EXIT_INCOMPATIBLE and "does not understand" in checks["inspection"]["message"]


# -- ports -----------------------------------------------------------------------------------------------------


def test_no_board_at_all_is_no_failure_and_this_computer_is_checked_all_the_same(doctor):
    checks, code = doctor()
    assert code == 0 and checks["boards"]["status"] == "warn" and "emulate" in checks["boards"]["fix"]
    assert set(checks) == {*service.COMPUTER, "boards"}


def test_a_port_that_is_named_and_not_there_is_exit_3(doctor):
    checks, code = doctor("-p", "/dev/ttyACM99")
    assert code == EXIT_NO_DEVICE and checks["handshake"]["status"] == "fail"


def test_a_busy_port_is_named_with_the_process_that_holds_it(board, doctor):
    hold = "import fcntl, sys, time; f = open(sys.argv[1]); fcntl.flock(f, 2); print(1, flush=True); time.sleep(60)"
    holder = subprocess.Popen([sys.executable, "-c", hold, board.port], stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        checks, code = doctor()
    finally:
        holder.kill()
        holder.communicate()
    assert code == EXIT_NO_DEVICE and f"process {holder.pid}" in checks["handshake"]["message"]
    assert doctor()[1] == 0  # and it is free again


def test_several_boards_are_listed_and_each_is_checked_under_its_port(make, rheo):
    first, second = make(serial="ONE"), make(serial="TWO", info={"c_hook": False})
    answer = rheo("doctor", "--json")
    checks = answer.json["data"]["checks"]
    told = next(c for c in checks if c["id"] == "boards")
    assert told["status"] == "warn" and first.port in told["message"] and "TWO" in told["message"]
    hooks = {c["port"]: c["status"] for c in checks if c["id"] == "hook"}
    assert hooks == {first.port: "ok", second.port: "warn"} and answer.code == 0


def test_among_several_a_board_that_does_not_answer_is_no_failure_alone_it_is(make, doctor, rheo):
    make(serial="FOREIGN").mute = True
    checks, code = doctor()
    assert code == EXIT_NO_DEVICE and checks["handshake"]["status"] == "fail"
    make(serial="OURS")
    assert rheo("doctor").code == 0


def test_another_wire_version_is_exit_4(make, doctor):
    make(wire=1)
    checks, code = doctor()
    assert code == EXIT_INCOMPATIBLE and "wire version 1" in checks["handshake"]["message"]


def test_the_first_failure_in_the_order_told_gives_the_exit_status(make, doctor, monkeypatch, tmp_path):
    board = make(info={"micropython": "1.24.1"})
    board.session.trip("cutoff", board.now_ms())
    assert doctor()[1] == EXIT_INCOMPATIBLE
    (tmp_path / "data").write_text("in the way")
    assert doctor()[1] == EXIT_HOST


def test_port_emu_is_refused_there_would_be_nothing_on_it(rheo):
    assert rheo("doctor", "--json", "-p", "emu").code == EXIT_USAGE


def test_access_names_the_group_that_owns_the_port(board, doctor, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != board.port)
    checks, code = doctor()
    assert code == EXIT_NO_DEVICE and checks["access"]["status"] == "fail"
    assert f"group {ports._group(board.port)}" in checks["access"]["message"]
    assert "--print-udev" in checks["access"]["fix"]


@pytest.mark.parametrize(
    ("group", "mode", "joins"), [("dialout", 0o660, True), ("dialout", 0o600, False), ("root", 0o660, False)]
)
def test_only_the_group_for_serial_ports_is_one_to_join(tmp_path, monkeypatch, group, mode, joins):
    """Who is told to join root, or a group that may not open the port either, is told wrong."""
    port = tmp_path / "ttyACM0"
    port.touch()
    port.chmod(mode)
    monkeypatch.setattr(ports, "_group", lambda path: group)
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(ports.discovery, "candidates", lambda: [(str(port), False, "E6")])
    found = ports.access(None)
    assert ("usermod -aG dialout" in found.fix) is joins
    assert "--print-udev" in found.fix and "usermod -aG root" not in found.fix
    assert f"group {group}, mode {mode:o}" in found.message and "owner " in found.message


# -- udev ------------------------------------------------------------------------------------------------------


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders of rules in place of the system's, and a udev that runs."""
    made = [tmp_path / "etc", tmp_path / "lib"]
    for folder in made:
        folder.mkdir()
    found = rules.found
    monkeypatch.setattr(rules, "found", lambda: found(tuple(map(str, made))))
    monkeypatch.setattr(ports.Path, "is_dir", lambda path: True)
    return made


def test_without_a_rule_the_fix_is_one_line_that_installs_it(folders):
    found = ports.udev(None)
    assert found.status == "warn" and "--print-udev | sudo tee /etc/udev/rules.d/60-rheobase.rules" in found.fix


def test_the_rule_that_is_printed_is_the_rule_that_is_looked_for(folders, rheo):
    (folders[0] / rules.NAME).write_text(rheo("doctor", "--print-udev").out)
    assert ports.udev(None).status == "ok"
    (folders[0] / rules.NAME).write_text(rules.RULES.replace("0005", "000a"))
    assert ports.udev(None).status == "warn"


def test_somebodys_own_rule_will_do_if_it_keeps_modem_manager_off(folders):
    line = 'ATTRS{idVendor}=="2e8a", ATTRS{idProduct}=="0005", ENV{ID_MM_DEVICE_IGNORE}="1"\n'
    (folders[1] / "99-pico.rules").write_text("# " + line)
    assert ports.udev(None).status == "warn"
    (folders[1] / "99-pico.rules").write_text(line)
    assert ports.udev(None).status == "ok"


def test_a_rule_file_that_cannot_be_read_hides_no_other(folders):
    (folders[0] / "10-gone.rules").symlink_to("nothing")
    assert ports.udev(None).status == "warn" and "No udev rule" in ports.udev(None).message
    (folders[1] / rules.NAME).write_text(rules.RULES)
    assert ports.udev(None).status == "ok"


def test_modem_manager_is_a_warning_only_while_it_runs_without_a_rule(folders, monkeypatch):
    assert ports.modem_manager(None).status == "ok"
    monkeypatch.setattr(ports, "_running", lambda name: True)
    assert ports.modem_manager(None).status == "warn"
    (folders[0] / rules.NAME).write_text(rules.RULES)
    assert ports.modem_manager(None).status == "ok"


def test_the_rule_file_is_whole_and_udev_takes_it(tmp_path):
    path = tmp_path / rules.NAME
    path.write_text(rules.RULES)
    keys = ("SUBSYSTEM==", "ATTRS{", "ATTR{", "ENV{", "TAG+=")
    lines = [x for x in rules.RULES.replace("\\\n", "").splitlines() if x and not x.startswith("#")]
    assert len(lines) == 4
    for line in lines:
        assert all(part.strip().startswith(keys) and part.strip().endswith('"') for part in line.split(","))
    if (
        shutil.which("udevadm")
        and "verify" in subprocess.run(["udevadm", "--help"], capture_output=True).stdout.decode()
    ):
        assert subprocess.run(["udevadm", "verify", path]).returncode == 0


def test_a_process_is_found_by_its_name(tmp_path):
    (tmp_path / "12").mkdir()
    assert not ports._running("ModemManager", tmp_path)
    (tmp_path / "12" / "comm").write_text("ModemManager\n")
    assert ports._running("ModemManager", tmp_path)


# -- this computer ---------------------------------------------------------------------------------------------


def test_a_package_that_is_missing_or_too_old_fails_with_the_line_that_installs_it(doctor, monkeypatch):
    real = metadata.version

    def version(name):
        if name == "mpremote":
            return "1.20.0"
        if name == "jinja2":
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "version", version)
    checks, code = doctor()
    found = checks["packages"]
    assert code == EXIT_HOST and "mpremote==1.29.0 (1.20.0)" in found["message"] and "jinja2" in found["message"]
    assert "pip install 'mpremote==1.29.0' 'jinja2>=3.1'" in found["fix"]


def test_what_is_asked_for_is_the_same_by_pyproject_and_as_installed(monkeypatch):
    """The wheel has no pyproject.toml: there the package's metadata say it."""
    from rheobase.doctor import software

    project = software._pyproject()
    texts = [*project["dependencies"]]
    for extra, some in project["optional-dependencies"].items():
        texts += [f"{text}; extra == '{extra}'" for text in some]

    def asked_for(extra):
        found = software._requirements(extra)
        for requirement in found:
            requirement.marker = None
        return {str(r) for r in found}

    here = {extra: asked_for(extra) for extra in ("", "emulator")}
    monkeypatch.setattr(software, "_pyproject", lambda: None)
    monkeypatch.setattr(metadata, "requires", lambda name: texts)
    for extra, wanted in here.items():
        assert asked_for(extra) == wanted and wanted


def test_without_the_emulator_only_emulated_boards_are_missing(doctor, monkeypatch):
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.3.5" if name == "rp2040py" else real(name))
    checks, code = doctor()
    assert checks["emulator"]["status"] == "warn" and "0.3.5" in checks["emulator"]["message"] and code == 0


def test_no_image_is_to_know_and_says_how_to_get_one(doctor, monkeypatch):
    def none(board):
        raise HostError("no_image", "There is no image.", "Run `rheo image build`.")

    monkeypatch.setattr("rheobase.image.which", none, raising=False)
    checks, code = doctor()
    assert checks["image"] == {"id": "image", "status": "warn", "message": "There is no image.",
                               "fix": "Run `rheo image build`.", "port": None}  # fmt: skip
    assert code == 0


def test_a_folder_that_cannot_be_written_fails(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RHEO_CACHE", str(tmp_path / "file" / "cache"))
    assert computer.cache(None).status == "fail" and "file is no folder" in computer.cache(None).message
    assert computer.records(tmp_path / "file").status == "fail"
    assert computer.records(tmp_path).status == "ok"
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert computer.records(tmp_path).status == "fail" and "cannot be written" in computer.records(tmp_path).message


def test_a_folder_for_records_below_one_that_may_not_be_entered_fails(monkeypatch, tmp_path):
    """A session there would not start: exit 8, not a warning."""
    closed, real = tmp_path / "closed", (os.stat, os.access)
    closed.mkdir()

    def stat(path, *rest, **options):
        if str(path).startswith(f"{closed}/"):
            raise PermissionError(13, "Permission denied", str(path))
        return real[0](path, *rest, **options)

    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and real[1](path, mode))
    monkeypatch.setattr(os.path, "exists", lambda path: not str(path).startswith(f"{closed}/"))
    found = computer.records(closed / "records")
    assert found.status == "fail" and f"{closed} cannot be written" in found.message


def test_a_board_in_rheo_board_that_does_not_exist_is_found(monkeypatch):
    monkeypatch.setenv("RHEO_BOARD", "NOPE")
    found = computer.settings(None)
    assert found.status == "fail" and "RHEO_BOARD names NOPE" in found.message and "RHEO_PICO" in found.fix
    for name in ("RHEO_PICO", "RPI_PICO"):
        monkeypatch.setenv("RHEO_BOARD", name)
        assert computer.settings(None).status == "ok"


@pytest.mark.parametrize("free, status", [(10**9, "ok"), (10**8, "warn"), (2 * 10**7, "fail")])
def test_room_is_judged_by_what_an_hours_record_takes(monkeypatch, tmp_path, free, status):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: namedtuple("usage", "free")(free))
    assert computer.disk(tmp_path).status == status


def test_the_newest_sessions_are_told_where_one_ended_badly(tmp_path):
    from record.make_record import session as make_session

    assert computer.last_sessions(tmp_path).status == "ok"
    make_session(tmp_path)
    assert computer.last_sessions(tmp_path).status == "ok"
    make_session(tmp_path, fault="electrode_open")
    found = computer.last_sessions(tmp_path)
    assert found.status == "warn" and "electrode_open" in found.message and found.fix
    shutil.rmtree(record.sessions_dir(tmp_path))
    make_session(tmp_path, close=False)
    assert "no end" in computer.last_sessions(tmp_path).message


def test_a_check_that_cannot_be_made_does_not_end_the_others(monkeypatch, doctor):
    def denied(log_dir):
        raise PermissionError(13, "Permission denied", "/somewhere")

    monkeypatch.setitem(service.COMPUTER, "disk", denied)
    checks, code = doctor()
    assert checks["disk"]["status"] == "warn" and "/somewhere" in checks["disk"]["message"] and code == 0
    assert "boards" in checks


# -- how it looks ----------------------------------------------------------------------------------------------


def test_the_table_is_80_columns_plain_and_every_fix_stands_below_its_check(make, rheo):
    board = make(info={"c_hook": False, "micropython": "1.24.1"})
    board.session.trip("electrode_open", board.now_ms(), 2)
    answer = rheo("doctor")
    lines = answer.out.splitlines()
    assert all(len(x) <= 80 or max(map(len, x.split())) > 58 for x in lines)  # a long path stays in one piece
    assert answer.out.isascii() and "\x1b" not in answer.out
    assert answer.code == EXIT_INCOMPATIBLE and "Failed: micropython, fault." in answer.err
    first = [x for x in lines if x[:2] == "  " and x[2] != " "]
    assert all(x[2:7] in ("ok   ", "warn ", "FAIL ") and x[7] != " " and x[22] != " " for x in first)
    at = next(i for i, x in enumerate(lines) if "FAIL micropython" in x)
    assert lines[at + 1].strip().startswith("-> `rheo flash`")
    assert f"Board on {board.port}" in lines and lines[-1].endswith("2 failed")


def test_a_fake_board_is_what_the_tests_say_it_is():
    with FakeBoard() as board:
        assert set(board.inspection) == set(messages.INSPECT)
