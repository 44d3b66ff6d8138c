# dotscience-jupyter: `make lab` to use it, `make test` to test it; `make help` lists the rest.
# Everything is set up in .venv and node_modules below this folder; .stamps/ remembers what is fresh.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
PIP := $(BIN)/python -m pip --disable-pip-version-check install -q
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_ROOT_USER_ACTION := ignore

# extras of pyproject.toml that the tests are run with
TEST_EXTRAS := lab,examples,test,lint

FRONT := $(shell find src schema style build -type f 2>/dev/null) package.json tsconfig.json install.json

.PHONY: help lab demo test check python-tests js-tests ui-tests chromium bench generate clean tools

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# --- set-up ------------------------------------------------------------------

tools:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed and was not found on the PATH."; exit 1; }
	@command -v node >/dev/null || { echo "Node.js 20 or newer is needed and was not found on the PATH (https://nodejs.org)."; exit 1; }
	@node -e 'process.exit(+process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || { echo "Node.js 20 or newer is needed; this is $$(node --version)."; exit 1; }

$(STAMPS)/venv: | tools
	@echo "Making the virtual environment in $(VENV) ..."
	@mkdir -p $(STAMPS)
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@$(PIP) "jupyterlab>=4.4,<5" "jupyter-builder>=1.2"
	@touch $@

$(STAMPS)/node: package.json yarn.lock .yarnrc.yml $(STAMPS)/venv
	@echo "Installing the JavaScript packages ..."
	@jlpm install --immutable > $(STAMPS)/node.log 2>&1 || { cat $(STAMPS)/node.log; exit 1; }
	@touch $@

$(STAMPS)/front: $(FRONT) $(STAMPS)/node
	@echo "Building the JupyterLab extension ..."
	@rm -rf dotscience_jupyter/labextension
	@{ jlpm build:prod; } > $(STAMPS)/front.log 2>&1 || { cat $(STAMPS)/front.log; exit 1; }
	@touch $@

# editable: the package is the checkout; the labextension is linked, so a later build is seen at once
$(STAMPS)/package: pyproject.toml $(STAMPS)/venv $(wildcard jupyter-config/server-config/*.json) | $(STAMPS)/front
	@echo "Installing dotscience-jupyter ..."
	@SKIP_JUPYTER_BUILDER=1 $(PIP) -e ".[lab,examples]"
	@jupyter-builder develop . --overwrite > $(STAMPS)/develop.log 2>&1 || { cat $(STAMPS)/develop.log; exit 1; }
	@touch $@

# what the tests need but for the package itself; CI has it installed while the front end is built
$(STAMPS)/requirements: pyproject.toml $(STAMPS)/venv
	@python scripts/requirements.py $(TEST_EXTRAS) > $@.txt
	@$(PIP) -r $@.txt
	@touch $@

$(STAMPS)/test: $(STAMPS)/package
	@echo "Installing what the tests need ..."
	@SKIP_JUPYTER_BUILDER=1 $(PIP) -e ".[$(TEST_EXTRAS)]"
	@touch $@

$(STAMPS)/ui: ui-tests/package.json ui-tests/yarn.lock $(STAMPS)/venv
	@echo "Installing the browser test tools ..."
	@cd ui-tests && PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 jlpm install --immutable > ../$(STAMPS)/ui.log 2>&1 || { cat ../$(STAMPS)/ui.log; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

chromium:
	@scripts/chromium.sh

# --- use ----------------------------------------------------------------------

lab: $(STAMPS)/front $(STAMPS)/package ## set up everything and open JupyterLab on a fresh copy of the examples
	@python scripts/lab.py $(LAB_ARGS)

demo: $(STAMPS)/package ## the main job without a browser: run, look, go back
	@python scripts/demo.py

# --- test ---------------------------------------------------------------------

test: $(STAMPS)/front $(STAMPS)/test $(STAMPS)/ui chromium ## set up everything; lint, types, Python, TypeScript and browser tests
	@python scripts/run_tests.py

check: $(STAMPS)/front $(STAMPS)/test ## lint, format, types, arrows, generated files
	@python scripts/run_tests.py check

python-tests: $(STAMPS)/front $(STAMPS)/test ## the Python tests alone
	@python scripts/run_tests.py python

js-tests: $(STAMPS)/front $(STAMPS)/test ## the TypeScript tests alone
	@python scripts/run_tests.py typescript

ui-tests: $(STAMPS)/front $(STAMPS)/test $(STAMPS)/ui chromium ## the browser tests alone
	@python scripts/run_tests.py browser

bench: $(STAMPS)/front $(STAMPS)/test $(STAMPS)/ui chromium ## run the benchmarks (minutes); needs a quiet machine
	@SKIP_JUPYTER_BUILDER=1 $(PIP) -e ".[bench]"
	@mkdir -p sandbox/benchmarks
	@python benchmarks/tracking.py --json sandbox/benchmarks/tracking.json
	@python benchmarks/committer.py --json sandbox/benchmarks/committer.json
	@python benchmarks/snapshots.py --json sandbox/benchmarks/snapshots.json
	@python benchmarks/explorer.py --json sandbox/benchmarks/explorer.json
	@python benchmarks/provenance.py --json sandbox/benchmarks/provenance.json
	@python benchmarks/notebooks.py --json sandbox/benchmarks/notebooks.json
	@python benchmarks/hub.py
	@python benchmarks/panels.py

generate: $(STAMPS)/node $(STAMPS)/test ## write docs/openapi.json and the TypeScript types anew
	@python scripts/check_generated.py --write

clean: ## remove what was built (not the sandbox)
	@rm -rf $(STAMPS) $(VENV) node_modules lib ui-tests/node_modules dotscience_jupyter/labextension dotscience_jupyter/_version.py tsconfig.tsbuildinfo
