# What is done here, by name. The environment is made where it is missing or its pins have changed.

PYTHON ?= python3
BIN := .venv/bin
ROUNDS ?= 50
EXAMPLES ?= 5000

.PHONY: help demo serve test faults fuzz bench check clean picture

help: ## say what there is
	@grep -hE '^[a-z.]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv: .venv/installed ## the environment, from constraints.txt

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "CAVE needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	    "name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -P -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -P -c 'from adapters.point_formats.json.scanner import main; main()'
	@touch $@

demo: .venv ## all of it once, on readings of this machine
	@$(BIN)/cave demo

serve: .venv ## the service, on ./cave-data
	@$(BIN)/cave serve

test: .venv ## every test
	$(BIN)/pytest --hypothesis-profile=default -n 3 --dist loadfile --no-loadscope-reorder

faults: .venv ## kills and stalls under load, ROUNDS of each kind
	CAVE_FAULT_ROUNDS=$(ROUNDS) $(BIN)/pytest tests/faults

fuzz: .venv ## requests of every kind against the contract, EXAMPLES a test
	CAVE_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest --timeout=0 tests/fuzz

bench: .venv ## beside VictoriaMetrics and InfluxDB; ARGUMENTS="publish --quick" for a part
	$(BIN)/python -m tests.benchmarks $(ARGUMENTS)

picture: .venv ## draw the picture of the README again
	$(BIN)/python -m tests.docs.picture

check: .venv ## style, types, who may import what, and the documents' examples
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/docs

clean: ## what was made here, the environment included, but not cave-data
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
