# The environment is made if it is missing or its pins have changed.

PYTHON ?= python3
BIN := .venv/bin
ROUNDS ?= 50
EXAMPLES ?= 5000
SECONDS ?= 60
FILES ?= tests/promql/dashboards/example.json
EXPRESSIONS ?= tests/promql/expressions.txt

# Container images often set it; every process that a test starts would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo hosts serve quick test slow coverage faults clients fuzz bench promql dashboards picture vendor check clean

help: ## list the targets
	@grep -hE '^[a-z.]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

.venv: .venv/installed ## make the environment from constraints.txt

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "CAVE needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1);" \
	    "choose another one: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -P -m pip install --no-compile --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/cave compile
	@touch $@

demo: .venv ## try every feature once, on metrics of this machine
	@$(BIN)/cave demo

hosts: .venv ## try two hosts, a log server with replicas, Sentinels, PostgreSQL and an object store
	@$(BIN)/cave demo --hosts 2

serve: .venv ## run the service on ./cave-data
	@$(BIN)/cave serve

# Only what the tests of the domain and the application need: importing anything else fails.
QUICK_PACKAGES := msgspec structlog tenacity eventsourcing 'backports.zstd;python_version<"3.14"' \
  pytest pytest-timeout pytest-xdist hypothesis freezegun

.venv-quick/installed: constraints.txt Makefile
	$(PYTHON) -m venv --clear .venv-quick
	.venv-quick/bin/python -P -m pip install --quiet --disable-pip-version-check \
	  -c constraints.txt $(QUICK_PACKAGES)
	@touch $@

quick: .venv-quick/installed ## run the domain and application tests, in seconds
	.venv-quick/bin/python -m pytest -q -n 2 -m "not compressed" tests/domain tests/application

# Tests wait for fsync much of the time, so their files are in memory if there is room.
IN_MEMORY = $(shell df --output=avail /dev/shm 2>/dev/null \
  | awk 'NR == 2 && $$1 > 4000000 { print "TMPDIR=/dev/shm" }')

test: .venv ## run the tests, except for the slow ones
	$(IN_MEMORY) $(BIN)/pytest --hypothesis-profile=ci -n 5 --dist loadfile --no-loadscope-reorder

slow: .venv ## run the tests that take too long for every change
	$(IN_MEMORY) $(BIN)/pytest --slow -m slow -n 2

# These tests run in one process; tracing the processes that others start takes too long.
COVERED := $(patsubst %,tests/%,domain application archive http point_formats event_format point_files \
  output_files entrypoints) \
  --ignore=tests/entrypoints/test_cli_processes.py --ignore=tests/entrypoints/test_supervisor.py

coverage: .venv ## measure coverage, and fail if it is below the floor
	$(BIN)/pytest -q -n 2 $(COVERED) --cov

faults: .venv ## kill and stall processes under load, ROUNDS times per kind; ARGUMENTS=replicated for several machines
ifeq ($(ARGUMENTS),replicated)
	$(BIN)/python -m tests.faults.replicated --rounds $(ROUNDS)
	$(BIN)/python -m tests.faults.replicated_cluster --rounds $(ROUNDS)
	$(BIN)/python -m tests.faults.hosts --rounds $(ROUNDS)
	$(BIN)/python -m tests.faults.hosts --rounds $(ROUNDS) --replicas 1
else
	CAVE_FAULT_ROUNDS=$(ROUNDS) $(BIN)/pytest --slow tests/faults
endif

clients: .venv ## fetch other agents and clients, let them publish for SECONDS, and read
	$(BIN)/python -m tests.clients.packages
	CAVE_CLIENT_SECONDS=$(SECONDS) $(BIN)/pytest -rs tests/clients

fuzz: .venv ## send generated requests and compare PromQL with Prometheus, EXAMPLES per test
	CAVE_FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest --timeout=0 tests/fuzz
	$(BIN)/python -m tests.promql.fuzz --count $(EXAMPLES)

bench: .venv ## compare with VictoriaMetrics and InfluxDB; ARGUMENTS="publish --quick" runs one part
	$(BIN)/python -m tests.benchmarks $(ARGUMENTS)

promql: .venv ## compare answers to a file of EXPRESSIONS with Prometheus
	$(BIN)/python -m tests.promql.compare $(EXPRESSIONS)

dashboards: .venv ## ask what Grafana asks for dashboards, which are FILES
	$(BIN)/python -m tests.promql.dashboards $(FILES)

picture: .venv ## redraw the pictures in the README and in docs/page.md
	$(BIN)/python -m tests.docs.picture
	$(BIN)/python -m tests.docs.page_pictures

vendor: .venv ## fetch the vendored files of npm packages again, and check their hashes
	$(BIN)/python -m tests.browser.vendored

check: .venv ## check style, types and imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean: ## delete everything made here, including environments, but not cave-data
	rm -rf .venv .venv-quick .clients build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
	  .import_linter_cache .hypothesis .benchmarks .screenshots .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
