# Everything starts here and needs only make and Python 3.11 or newer: `make help` lists what there is.
# A private environment, .venv, is filled from the lock files in three layers (local < dev < bench), each when first needed.

PYTHON ?= python3
VENV   ?= .venv
LOTS   ?= 100000
JOBS   ?= auto
ARGS   ?=

BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
CODE   := $(wildcard src tests examples benchmarks tools)
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test test-full emulators engine lint format simulate bench lock clean distclean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | awk -F '|' '{printf "%-18s%s\n", $$1, $$2}'

demo: $(VENV)/.local ## run the example pipeline on a real web server's log
	@$(BIN)/python examples/access_logs/demo.py $(ARGS)

test: $(VENV)/.dev ## run the tests (ARGS="-k name" goes to pytest, JOBS=0 runs them in one process)
	@$(PYTEST) -m "not full" $(ARGS)

test-full: $(VENV)/.dev ## run all tests, those that take longer too
	@$(PYTEST) $(ARGS)

emulators: $(VENV)/.emulators $(VENV)/.node ## set up what the tests of AWS run on (once; make clean keeps it)

lint: $(VENV)/.dev ## check style, types and the direction of imports
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy $(CODE)
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev ## put the code into shape and fix what can be fixed without thought
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

simulate: $(VENV)/.dev ## run the protocols under simulated faults (LOTS=1000000 for the long run)
	@$(BIN)/python -m clusterless.testing.simulation --lots $(LOTS) $(ARGS)

bench: $(VENV)/.bench ## measure the budgets, beside a bare loop and peers
	@$(BIN)/python -m benchmarks $(ARGS)

engine: ## build Pulumi's engine from source, for the tests that deploy (once on a machine; needs Go)
	@$(PYTHON) tools/engine/build.py

lock: $(VENV)/bin/python ## resolve the lock files anew (UPGRADE=--upgrade takes the newest versions allowed)
	@$(BIN)/python -m venv .cache/lock && .cache/lock/bin/python -m pip --disable-pip-version-check --quiet install 'uv>=0.9,<1'
	@UV=.cache/lock/bin/uv UPGRADE=$(UPGRADE) requirements/lock.sh

clean: ## remove what building, testing and the demo left behind
	@rm -rf .cache .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist lake examples/*/lake
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove the environment too
	@rm -rf $(VENV)

# An interpreter that is too old, or a Debian without venv, is the likeliest stumble on a fresh machine: say what to do.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' is not Python 3.11 or newer. Install one, or name it: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "make: '$(PYTHON)' cannot make environments. Install its venv module (on Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Setting up $(VENV) (once) ..."
	@$(PYTHON) -m venv $(VENV)

# A stamp is newer than the lock it was made from. The package itself is installed editable, built by the locked backend: offline.
$(VENV)/.local: requirements/local.txt pyproject.toml | $(VENV)/bin/python
	@$(PIP) install --require-hashes -r requirements/local.txt
	@$(PIP) install --no-index --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.local
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	@$(PIP) install --require-hashes -r requirements/bench.txt
	@touch $@

# MiniStack in an environment of its own; beside it, in a folder, what Lambda's managed runtimes add to Python.
$(VENV)/.emulators: requirements/emulators.txt requirements/ric.txt | $(VENV)/bin/python
	@rm -rf $(VENV)/emulators
	@$(BIN)/python -m venv $(VENV)/emulators/ministack
	@$(VENV)/emulators/ministack/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/emulators.txt
	@$(PIP) install --require-hashes --target $(VENV)/emulators/ric -r requirements/ric.txt
	@touch $@

# What Lambda's Node runtimes bring beside Node, where there is a Node to run it.
$(VENV)/.node: requirements/node/package.json requirements/node/package-lock.json | $(VENV)/bin/python
	@mkdir -p $(VENV)/node && cp $^ $(VENV)/node
	@command -v npm >/dev/null || { echo "make: no npm, so handlers in JavaScript will not be tried" >&2; exit 0; } && \
	  npm ci --prefix $(VENV)/node --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
