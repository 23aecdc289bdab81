# One command for each thing. `make demo` and `make test` set up all they need by themselves.
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test image faults presets benchmark lint format types bench release setup clean

demo: $(READY)
	$(BIN)/python -m rheobase.demo --out demo-out

test: $(READY)
	$(BIN)/rheo image build
	$(BIN)/python -m pytest -n 2 --dist worksteal $(ARGS)

image: $(READY)
	$(BIN)/rheo image build

bench: $(READY)
	$(BIN)/python benchmarks/realtime_factor.py
	$(BIN)/python benchmarks/three_channels.py
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/analyser.py

faults: $(READY)
	$(BIN)/python tests/faults/table.py $(ARGS)

presets: $(READY)
	$(BIN)/python tests/presets/table.py $(ARGS)

benchmark: $(READY)
	$(BIN)/python benchmarks/baselines $(ARGS)

lint: $(READY)
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

types: $(READY)
	$(BIN)/mypy
	$(BIN)/python tools/device_types.py

release: $(READY)
	$(BIN)/python tools/release.py

setup: $(READY)

$(READY): pyproject.toml tools/setup
	tools/setup $(VENV)
	touch $@

clean:
	rm -rf $(VENV) demo-out build dist
