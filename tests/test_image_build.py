"""Building: cached by everything that goes in, one at a time, never half. The tools here are stand-ins that record."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rheobase import image, paths
from rheobase.errors import HostError, UsageError
from rheobase.image import apt_mirror, builder, choose, debian, info, toolchain, uf2

CMAKE = """#!/bin/sh
echo "cmake $*" >> "$TRACE"
while [ $# -gt 0 ]; do [ "$1" = -B ] && out=$2; case $1 in -DRHEO_STAGE=*) stage=${1#*=};; esac; shift; done
mkdir -p "$out"; echo "$stage" > "$out/stage"; touch "$out/Makefile"
"""
MAKE = """#!/bin/sh
echo "make MAKEFLAGS=$MAKEFLAGS CFLAGS=$CFLAGS SEED=$PYTHONHASHSEED $*" >> "$TRACE"
case $2 in
*mpy-cross) for a; do case $a in BUILD=*) touch "${a#BUILD=}/mpy-cross";; esac; done; exit 0;;
esac
cd "$2"
[ -f fresh ] || { touch fresh; echo "from scratch" >> "$TRACE"; }
[ -n "$FAKE_SLEEPS" ] && echo half > firmware.bin && sleep "$FAKE_SLEEPS"
[ -n "$FAKE_FAILS" ] && { echo "rheo_hook.c:9: error: no such thing"; exit 2; }
stage=$(cat stage)
if [ -n "$stage" ]; then cat "$stage/main.py" "$stage/rheo_build.py"; else echo stock; fi > firmware.bin
echo elf > firmware.elf
"""
GCC = '#!/bin/sh\necho "$0"\n'  # an absolute path to something that exists


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """A firmware, a checkout, tools that only record, and a cache of its own."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for name, text in {"cmake": CMAKE, "make": MAKE, "arm-none-eabi-gcc": GCC, "arm-none-eabi-g++": GCC}.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/bin:/bin")
    monkeypatch.setenv("TRACE", str(tmp_path / "trace"))
    monkeypatch.setenv("RHEO_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv(apt_mirror.MIRROR_VARIABLE, raising=False)
    for name in ("boot.py", "main.py", "lib/rheocore/__init__.py", "lib/rheorp2/__init__.py"):
        path = tmp_path / "firmware" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    shutil.copytree(paths.boards_dir(), tmp_path / "boards")
    monkeypatch.setattr(paths, "firmware_dir", lambda: tmp_path / "firmware")
    monkeypatch.setattr(paths, "boards_dir", lambda: tmp_path / "boards")
    checkout = tmp_path / "micropython"
    for name in (
        "lib/pico-sdk/pico_sdk_init.cmake", "lib/tinyusb/src/tusb.h", "lib/mbedtls/library/version.c",
        "ports/rp2/main.c", "py/vm.c",
    ):  # fmt: skip
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).write_text("")
    set_version(checkout, 1, 25, 0)
    return tmp_path


def set_version(checkout, major, minor, micro, pre=0):
    lines = [
        f"#define MICROPY_VERSION_{name} {value}"
        for name, value in zip(("MAJOR", "MINOR", "MICRO", "PRERELEASE"), (major, minor, micro, pre), strict=True)
    ]
    (checkout / "py" / "mpconfig.h").write_text("\n".join(lines) + "\n")


def build(bench, board="RHEO_PICO"):
    said = []
    return image.build(board, bench / "micropython", said.append), said


def trace(bench):
    path = bench / "trace"
    return path.read_text() if path.exists() else ""


def test_an_image_says_what_it_is(bench):
    built, said = build(bench)
    content = built.bin_path.read_bytes()
    assert uf2.to_bin(built.path.read_bytes())[: len(content)] == content
    assert b'ORIGIN = "frozen"' in content and built.firmware_hash.encode() in content
    assert (built.board, built.micropython) == ("RHEO_PICO", "1.25.0")
    assert str(bench / "micropython") in built.origin
    assert built.path.parent.parent == bench / "cache" / "images"
    assert any("Building MicroPython 1.25.0 for RHEO_PICO" in s for s in said)
    assert set(info.record(built)) >= {"path", "sha256", "origin", "micropython", "board"}


def test_nothing_changed_is_answered_from_the_cache(bench):
    first, _ = build(bench)
    before = trace(bench)
    second, said = build(bench)
    assert second.path == first.path and said == [] and trace(bench) == before
    assert "nothing has changed" in second.why


@pytest.mark.parametrize("name", ["firmware/main.py", "boards/RHEO_PICO/mpconfigboard.h", "boards/common/rheo_hook.c"])
def test_a_change_of_ours_is_another_image_built_on_the_same_tree(bench, name):
    first, _ = build(bench)
    with open(bench / name, "a") as file:
        file.write("\n")
    second, said = build(bench)
    assert second.path != first.path and "only what changed" in said[0]
    assert trace(bench).count("from scratch") == 1
    assert first.path.is_file()


def test_a_change_of_the_checkout_is_another_image(bench):
    first, _ = build(bench)
    (bench / "micropython" / "py" / "vm.c").write_text("// edited\n")
    second, _ = build(bench)
    assert second.path != first.path
    assert trace(bench).count("from scratch") == 1


def test_going_back_finds_the_older_image(bench):
    first, _ = build(bench)
    original = (bench / "firmware" / "main.py").read_text()
    (bench / "firmware" / "main.py").write_text("# other\n")
    build(bench)
    (bench / "firmware" / "main.py").write_text(original)
    before = trace(bench)
    assert build(bench)[0].path == first.path
    assert image.which().path == first.path
    assert trace(bench) == before


def test_stock_has_no_firmware_inside(bench):
    built, _ = build(bench, "RPI_PICO")
    assert built.bin_path.read_bytes() == b"stock\n"
    assert built.firmware_hash is None and not built.frozen
    assert "RHEO_STAGE" not in trace(bench) and "stock_manifest.py" in trace(bench)


def test_settings_of_an_outer_make_do_not_get_in(bench, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", " -j8 --jobserver-auth=3,4")
    monkeypatch.setenv("CFLAGS", "-O0")
    build(bench)
    assert "jobserver" not in trace(bench) and "-O0" not in trace(bench)


def test_every_step_has_one_hash_seed_so_that_tables_made_from_sets_come_out_in_one_order(bench, monkeypatch):
    monkeypatch.setenv("PYTHONHASHSEED", "4")
    build(bench)
    made = [line for line in trace(bench).splitlines() if line.startswith("make ")]
    assert len(made) == 2 and all(" SEED=0 " in line for line in made)


def test_a_failed_build_says_why_and_where_and_leaves_no_image(bench, monkeypatch):
    monkeypatch.setenv("FAKE_FAILS", "1")
    with pytest.raises(HostError) as caught:
        build(bench)
    assert caught.value.code == "build_failed" and caught.value.exit_code == 8
    assert "no such thing" in caught.value.message
    assert Path(caught.value.hint.split(": ")[1]).is_file()
    assert info.all_of("RHEO_PICO") == []
    monkeypatch.delenv("FAKE_FAILS")
    build(bench)
    assert trace(bench).count("from scratch") == 1  # make had ended in order, its files are good


def in_child(function, *arguments):
    child = multiprocessing.get_context("fork").Process(target=function, args=arguments)
    child.start()
    return child


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.01)


def test_a_build_that_was_killed_is_started_from_scratch(bench, monkeypatch):
    monkeypatch.setenv("FAKE_SLEEPS", "1.5")
    child = in_child(build, bench)
    wait_for(lambda: list(bench.glob("cache/build/RHEO_PICO-*/cmake/firmware.bin")))
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    monkeypatch.delenv("FAKE_SLEEPS")
    assert info.all_of("RHEO_PICO") == []
    built, said = build(bench)  # waits for the orphaned make first: it still holds the lock
    assert any("Another process" in s for s in said)
    assert b"half" not in built.bin_path.read_bytes()
    assert trace(bench).count("from scratch") == 2


def test_two_at_once_build_once(bench, monkeypatch):
    monkeypatch.setenv("FAKE_SLEEPS", "0.5")
    child = in_child(build, bench)
    wait_for(lambda: list(bench.glob("cache/build/RHEO_PICO-*/cmake/firmware.bin")))
    _, said = build(bench)
    child.join()
    assert child.exitcode == 0
    assert said == ["Another process is working on images; waiting for it."]
    assert trace(bench).count("cmake -S") == 1


def test_a_damaged_image_is_built_again(bench):
    built, _ = build(bench)
    with open(built.path, "r+b") as file:
        file.write(b"\0")
    again, said = build(bench)
    assert said and uf2.to_bin(again.path.read_bytes())


def test_old_images_are_forgotten_and_the_newest_stay(bench):
    names = []
    for n in range(9):
        (bench / "firmware" / "main.py").write_text(f"# {n}\n")
        names.append(build(bench)[0].path.parent.name)
    left = {folder.name for folder in (bench / "cache" / "images").iterdir()}
    assert left == set(names[-6:])


def test_firmware_that_is_not_whole_is_said_before_anything_is_built(bench):
    (bench / "firmware" / "main.py").unlink()
    with pytest.raises(HostError, match=r"main\.py is missing"):
        build(bench)
    assert trace(bench) == ""


@pytest.mark.parametrize("name", ["pico-sdk", "tinyusb", "mbedtls"])
def test_missing_submodules_are_named_with_the_command_that_brings_them(bench, name):
    shutil.rmtree(bench / "micropython" / "lib" / name)
    with pytest.raises(HostError) as caught:
        build(bench)
    assert caught.value.exit_code == 8
    assert f"git submodule update --init lib/{name}" in caught.value.hint


def test_a_micropython_that_is_too_old_or_none_at_all_is_refused(bench):
    set_version(bench / "micropython", 1, 24, 1)
    with pytest.raises(HostError, match=r"1\.24\.1.*needs 1\.25"):
        build(bench)
    with pytest.raises(HostError, match="not a MicroPython source tree"):
        image.build(micropython=bench / "firmware", log=print)
    set_version(bench / "micropython", 1, 26, 0, 1)
    assert build(bench)[0].micropython == "1.26.0-preview"


def test_missing_tools_are_named_with_the_line_that_installs_them(bench, monkeypatch):
    (bench / "tools" / "cmake").unlink()
    (bench / "tools" / "arm-none-eabi-gcc").unlink()
    monkeypatch.setenv("PATH", str(bench / "tools"))
    with pytest.raises(HostError) as caught:
        build(bench)
    assert caught.value.exit_code == 8
    assert "apt-get install" in caught.value.hint
    for package in ("cmake", "gcc-arm-none-eabi", "libnewlib-arm-none-eabi", "libstdc++-arm-none-eabi-newlib"):
        assert package in caught.value.hint


def test_a_cross_compiler_without_its_c_library_is_noticed(bench):
    (bench / "tools" / "arm-none-eabi-gcc").write_text("#!/bin/sh\necho nosys.specs\n")  # what gcc says: not found
    assert "libnewlib-arm-none-eabi" in toolchain.missing(debian_sources=False)


def test_tools_are_installed_when_asked(bench, monkeypatch):
    (bench / "tools" / "cmake").unlink()
    monkeypatch.setenv("PATH", f"{bench / 'tools'}:{bench / 'more'}")
    (bench / "more").mkdir()
    for name in ("sh", "gcc", "cat", "mkdir", "touch", "env", "chmod"):
        (bench / "more" / name).symlink_to(shutil.which(name, path="/usr/bin:/bin"))
    (bench / "more" / "sudo").symlink_to(bench / "more" / "env")
    fake = bench / "more" / "apt-get"
    brought = f'cat > {bench}/tools/cmake <<"X"\n{CMAKE}X\nchmod 755 {bench}/tools/cmake\n'
    fake.write_text(f'#!/bin/sh\necho "apt-get $*" >> "$TRACE"\n{brought}')
    fake.chmod(0o755)
    image.build("RHEO_PICO", bench / "micropython", lambda text: None, install_tools=True)
    assert "apt-get -q install -y --no-install-recommends cmake\n" in trace(bench)


def test_a_cache_with_a_space_in_its_name_is_refused(bench, monkeypatch):
    monkeypatch.setenv("RHEO_CACHE", str(bench / "my cache"))
    with pytest.raises(HostError, match="has a space"):
        build(bench)


def test_a_cache_that_cannot_be_written_is_a_sentence(bench, monkeypatch):
    (bench / "file").touch()
    monkeypatch.setenv("RHEO_CACHE", str(bench / "file" / "cache"))
    with pytest.raises(HostError) as caught:
        build(bench)
    assert caught.value.code == "cache_not_writable" and "RHEO_CACHE" in caught.value.hint


def test_elsewhere_than_debian_the_other_ways_are_named(bench, monkeypatch):
    monkeypatch.setattr(debian, "is_debian", lambda: False)
    for ask in (image.build, image.ensure):
        with pytest.raises(HostError) as caught:
            ask("RHEO_PICO", log=print)
        assert caught.value.exit_code == 8
        assert "rheo image fetch" in caught.value.hint and "--micropython DIR" in caught.value.hint


def test_an_unknown_board_is_a_usage_error(bench):
    for ask in (image.build, image.ensure, image.which):
        with pytest.raises(UsageError, match="no board called X"):
            ask("X")


def test_which_says_why_and_builds_nothing(bench):
    with pytest.raises(HostError) as caught:
        image.which()
    assert caught.value.code == "no_image" and "rheo image build" in caught.value.hint
    built, _ = build(bench)
    chosen = image.which()
    assert chosen.path == built.path and "nothing has changed" in chosen.why
    (bench / "firmware" / "main.py").write_text("# newer\n")
    before = trace(bench)
    with pytest.raises(HostError) as caught:
        image.which()
    assert caught.value.code == "stale_image" and str(built.path) in caught.value.message
    assert trace(bench) == before


def test_ensure_builds_again_from_the_same_checkout(bench):
    first, _ = build(bench)
    (bench / "firmware" / "main.py").write_text("# newer\n")
    said = []
    second = image.ensure(log=said.append)
    assert second.path != first.path and second.source["path"] == str(bench / "micropython")
    assert any("Building" in s for s in said)
    assert image.ensure(log=said.append).path == second.path


def test_ensure_without_a_toolchain_says_what_to_install(bench, monkeypatch):
    build(bench)
    (bench / "firmware" / "main.py").write_text("# newer\n")
    (bench / "tools" / "arm-none-eabi-gcc").unlink()
    monkeypatch.setenv("PATH", f"{bench / 'tools'}")
    with pytest.raises(HostError) as caught:
        image.ensure(log=print)
    assert caught.value.exit_code == 8 and "gcc-arm-none-eabi" in caught.value.hint


def test_a_built_image_outlives_its_checkout(bench):
    built, _ = build(bench)
    shutil.rmtree(bench / "micropython")
    assert image.ensure(log=print).path == built.path


def test_debian_packages_of_another_version_get_a_tree_of_their_own():
    """Files from packages are older than any object file: make would not see that they changed."""
    source = {"kind": "debian", "suite": "trixie", "micropython": "1.25.0", "packages": ["mbedtls_3.6.6-1.dsc"]}
    newer = dict(source, packages=["mbedtls_3.6.7-1.dsc"])
    assert builder._source_id(source) != builder._source_id(newer)


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs apt")
def test_an_archive_without_debians_signature_is_refused_and_nothing_stays(bench, monkeypatch):
    dist = bench / "mirror" / "dists" / "trixie"
    (dist / "main" / "source").mkdir(parents=True)
    (dist / "Release").write_text("Suite: trixie\nCodename: trixie\nComponents: main\nArchitectures: amd64\nSHA256:\n")
    monkeypatch.setenv(apt_mirror.MIRROR_VARIABLE, f"file:{bench}/mirror")
    if not any((Path("/usr/share/keyrings") / name).is_file() for name in debian._KEYRINGS):
        pytest.skip("needs Debian's keyring")
    with pytest.raises(HostError) as caught:
        debian.ensure(lambda text: None)
    assert caught.value.code == "fetch_failed" and "sign" in caught.value.message
    assert list((bench / "cache" / "sources").iterdir()) == []
    assert debian.present() is None


def test_the_shell_entry_says_what_is_missing(bench):
    done = subprocess.run(
        [sys.executable, "-c", "from rheobase.image import toolchain; raise SystemExit(toolchain.main([]))"],
        env=dict(os.environ, PATH=str(bench / "none"), RHEO_DEBIAN_MIRROR="http://x.example/debian", PYTHONPATH="host"),
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 8
    assert "gcc-arm-none-eabi" in done.stderr and "Traceback" not in done.stderr


def test_rebuilding_prefers_the_official_image_only_when_nothing_can_be_built(bench, monkeypatch):
    info.add(
        "RPI_PICO-1.25.0-official", uf2.from_bin(b"x"), b"x",
        {"board": "RPI_PICO", "micropython": "1.25.0", "origin": "official", "source": {"kind": info.OFFICIAL}},
    )  # fmt: skip
    monkeypatch.setattr(choose, "_debian_possible", lambda: False)
    assert image.which().board == "RPI_PICO"
    built, _ = build(bench)
    assert image.which().path == built.path
    (bench / "firmware" / "main.py").write_text("# newer\n")
    assert image.ensure(log=lambda text: None).board == "RHEO_PICO"
