"""Completion in the shells themselves: the script that `rheo completion` prints, loaded, and what Tab would offer."""

import os
import shutil
import subprocess
import sys

import pytest
from rheobase import library
from rheobase.image import firmware_files

BASH = """
eval "$(rheo completion bash)"
offer() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _rheo_completion rheo; echo "${COMPREPLY[*]}"; }
complete -p rheo
offer rheo pro
offer rheo protocol ''
offer rheo protocol show ea_2
offer rheo run --channel ''
offer rheo status -p em
offer rheo image build --board ''
offer rheo protocol list --condition sc
offer rheo log show ''
offer rheo bench sweep --q
"""
OFFERED = [
    "complete -o nosort -F _rheo_completion rheo",
    "protocol",
    "list plot push show validate",
    "ea_2_100hz ea_2_15hz ea_2hz",
    "1 2 3",
    "emu",
    " ".join(firmware_files.known_boards()),
    "sciatica",
    "last 20260102T030405Z-E66-0001",
    "--quick --quiet",
]
FISH = 'rheo completion fish | source; complete -C "rheo protocol show ea_2_1"; complete -C "rheo clea"'
ZSH = """
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PS1=; autoload -Uz compinit; compinit -D -u; eval "$(rheo completion zsh)"; print READY'
zpty -r z out $'*\\nREADY*'
zpty -n -w z $'rheo clea\\t'
zpty -r z out '*clear-fault*'
print -r -- $out
zpty -d z
"""


@pytest.fixture
def shell(tmp_path):
    """Run a script in a shell that finds `rheo`; its output."""
    program = tmp_path / "rheo"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m rheobase.cli.main "$@"\n')
    program.chmod(0o755)
    (tmp_path / "sessions" / "20260102T030405Z-E66-0001").mkdir(parents=True)

    def run(name, script):
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        env = {
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "HOME": str(tmp_path),
            "RHEO_DATA": str(tmp_path),
        }
        done = subprocess.run([name, "-c", script], env=env, capture_output=True, text=True, timeout=60)
        assert not done.stderr, done.stderr
        return done.stdout

    return run


def test_bash_offers_verbs_options_protocols_channels_ports_boards_conditions_and_records(shell):
    assert shell("bash", BASH).splitlines() == OFFERED


def test_fish_offers_the_same(shell):
    offered = shell("fish", FISH).splitlines()
    assert offered[0] == "ea_2_100hz" and offered[-1].startswith("clear-fault\t")
    assert offered[1:-1] == ["ea_2_15hz"]


def test_zsh_completes_a_verb_on_its_own_line(shell):
    assert "rheo clear-fault" in shell("zsh", ZSH)


def test_every_preset_is_offered_and_no_file_is_read_for_it(monkeypatch):
    from rheobase.cli import completion

    monkeypatch.setattr(library, "read", None)
    assert set(completion._protocols()) >= {path.stem for path in library.presets_dir().glob("*.toml")}
