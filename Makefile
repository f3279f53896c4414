# What is done here, by name. The environment is made where it is missing or its pins have changed.

PYTHON ?= python3
BIN := .venv/bin

.PHONY: help demo serve test check clean

help: ## say what there is
	@grep -hE '^[a-z.]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv: .venv/installed ## the environment, from constraints.txt

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "CAVE needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	    "name another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: .venv ## all of it once, on readings of this machine
	@$(BIN)/cave demo

serve: .venv ## the service, on ./cave-data
	@$(BIN)/cave serve

test: .venv ## every test
	$(BIN)/pytest

check: .venv ## style, types and who may import what
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## what was made here, the environment included, but not cave-data
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
