# Words a newcomer can guess. Every word but `setup` makes sure that setup has run.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ARGS   ?=
STORE  ?=

.PHONY: setup demo serve test test-server check bench interop crash soak fuzz simulate format clean

setup: $(VENV)/.ready
$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tracer needs Python 3.11 or newer; point PYTHON= at one"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup      ## a real shop, a fault, and the report that names it
	@$(BIN)/tracer demo $(ARGS)

serve: setup     ## receivers, analysis and API on the embedded store
	@$(BIN)/tracer serve $(ARGS)

test: setup
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile $(ARGS)

test-server: setup  ## the store's tests on a real ClickHouse server, STORE=clickhouse://user:password@host:8123
	TRACER_TEST_STORE="$(STORE)" $(BIN)/python -m pytest tests/store tests/cli/test_roles.py $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/python -m benchmarks.run $(ARGS)

interop: setup   ## real SDKs and a Collector, every protocol, also while tracer is restarted
	$(BIN)/python -m tests.interop.run $(ARGS)

crash: setup     ## kill -9 under load, again and again: nothing acknowledged is lost
	$(BIN)/python -m tests.soak.kill $(ARGS)

soak: setup      ## ten minutes at 100k spans/s, ten kill -9, a full disk; a table each
	$(BIN)/python -m tests.soak.run $(ARGS)

fuzz: setup      ## hostile requests through both receivers: no crash, no hang, no wrong answer
	$(BIN)/python -m tests.fuzz.run $(ARGS)

simulate: setup  ## intervals and names of comparisons, and of checks, on requests whose truth is known; tables
	$(BIN)/python -m tests.simulation.run $(ARGS)
	$(BIN)/python -m tests.simulation.gate

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
