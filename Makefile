# One command for each thing; `make` lists them. All set up what they need by themselves. ARGS goes to the command.
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTEST := -m pytest -n 2 --dist worksteal

.PHONY: help demo test safety deletions mutants coverage format lint types image bench benchmark faults presets fuzz soak tables soup release setup clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*  ## /\1: /p' Makefile | while IFS=: read -r name text; do printf '%-10s%s\n' "$$name" "$$text"; done

demo: $(READY)  ## two sessions on the emulated board: records, pictures, commanded against measured
	$(BIN)/python -m rheobase.demo --out demo-out

# Without ARGS also what depends on pins and ratings, on the second board; all of tests/e2e there: docs/new-board.md.
ON_THE_SECOND := tests/test_image_hook.py $(patsubst %,tests/e2e/test_%.py,stage_enable pulses limits reset)
test: $(READY)  ## every test; ARGS=tests/core for some
	$(BIN)/rheo image build
	$(BIN)/python $(PYTEST) $(ARGS)
	$(if $(ARGS),,$(BIN)/python $(PYTEST) --board RHEO_DUO $(ON_THE_SECOND))
	$(if $(ARGS),,$(SAFETY) --check)

SAFETY := PYTHONPATH=tests $(BIN)/python tools/safety
safety: $(READY)  ## hazards, tests, results: docs/safety/matrix.md; runs what has not run on this tree
	$(BIN)/rheo image build
	$(SAFETY) --ran || $(BIN)/python $(PYTEST) -m req || true
	$(SAFETY) --ran || $(BIN)/python $(PYTEST) -m req --board RHEO_DUO $(ON_THE_SECOND) || true
	$(BIN)/python tools/soup.py $(ARGS)
	$(SAFETY) $(ARGS)

# The floor is for rheocore as CPython runs it; what runs on the emulated board is not counted.
coverage: $(READY)  ## lines and branches that the tests run, here; ARGS=tests/core for some (then no floor)
	$(BIN)/rheo image build
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run $(PYTEST) $(ARGS)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report
	$(BIN)/python -m coverage report --include='*/rheocore/*' $(if $(ARGS),,--fail-under=98)

format: $(READY)  ## rewrite the sources' form
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(READY)  ## form and common mistakes; changes nothing
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(READY)  ## the types of host and core, and of what runs on the board
	$(BIN)/mypy
	$(BIN)/python tools/device_types.py

image: $(READY)  ## the board's image
	$(BIN)/rheo image build

bench: $(READY)  ## speed of the emulator, the analyser and the report; a minute of three channels
	$(BIN)/python benchmarks/realtime_factor.py
	$(BIN)/python benchmarks/three_channels.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/analyser.py

benchmark: $(READY)  ## pulses by Timer, sleep_us, PWM and Rheobase: docs/benchmark.md; ARGS=--check compares
	$(BIN)/python benchmarks/baselines $(ARGS)

faults: $(READY)  ## every fault at every moment: docs/fault-table.md; ARGS=--check compares
	$(BIN)/python tests/faults/table.py $(ARGS)

deletions: $(READY)  ## safety checks deleted one by one, and the test that sees it: docs/safety/deletions.md
	$(BIN)/rheo image build
	$(BIN)/python tests/safety/deletions.py $(ARGS)

presets: $(READY)  ## every preset's whole shape: docs/preset-table.md; ARGS=--check compares
	$(BIN)/python tests/presets/table.py $(ARGS)

mutants: $(READY)  ## safety code broken in every small way: docs/safety/mutants.md; ARGS=--check, =session, =plan:108
	$(BIN)/python tools/mutants.py $(ARGS)

FUZZ := PYTHONPATH=host:firmware/lib:tests:tests/e2e $(BIN)/python tests/fuzz/million.py
fuzz: $(READY)  ## a million mutated lines at each parser, thousands on the image: 15 min; ARGS=device for one run
	set -e; for run in $(or $(ARGS),device host micropython image); do $(FUZZ) $$run; done

soak: $(READY)  ## 5 min of sessions with acts from a seed: docs/safety/soak.md; ARGS="--minutes 30 --seed 7"
	$(BIN)/python tests/soak/run.py $(ARGS)

tables: $(READY)  ## what is made of the code: docs/wire.md, list of docs/adr, package.json; ARGS=--check compares
	$(BIN)/python tools/tables.py $(ARGS)
	$(BIN)/python tools/package_json.py $(ARGS)

soup: $(READY)  ## third-party parts, their licences and failures: docs/safety/soup.md; ARGS=--check compares
	$(BIN)/python tools/soup.py $(ARGS)

release: $(READY)  ## images, wheel and sdist with their hashes, from a clean commit: dist/
	$(BIN)/python tools/release.py

setup: $(READY)  ## the environment in .venv

$(READY): pyproject.toml tools/setup
	tools/setup $(VENV)
	touch $@

clean:  ## remove what make made
	rm -rf $(VENV) demo-out build dist .coverage .coverage.*
