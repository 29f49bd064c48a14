# Two commands matter: `make demo` and `make test`. Both set everything up first.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# uv from the PATH, else one of our own made with pip.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --no-sync
PYTHON ?= python3

.PHONY: help setup demo up test quick check format snapshots docs bench mcpb clean

help: ## what there is
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | column -t -s "$$(printf '\t')"

.uv/bin/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9' \
	  || { rm -rf .uv; echo "No venv and pip here. On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }

.venv/.ready: uv.lock pyproject.toml | $(filter .uv/bin/uv,$(UV))
	@echo "Installing what uv.lock pins (about 1.3 GB the first time) …"
	@$(UV) sync --locked --quiet
	@touch $@

# Other people's clients and suites, for the tests; Node and npm come with the development packages.
tests/node/node_modules/.ready: tests/node/package-lock.json .venv/.ready
	@$(RUN) npm ci --prefix tests/node --ignore-scripts --no-fund --no-audit --loglevel error
	@touch $@

setup: .venv/.ready ## install the locked dependencies into .venv

demo: setup ## sample tickets through all seven stages, then the page (DEMO_ARGS=--no-serve to stop before)
	@$(RUN) databits demo $(DEMO_ARGS)

up: setup ## serve the chat, the review page, /mcp and the endpoints
	@$(RUN) databits up

test: check tests/node/node_modules/.ready ## all tests and checks
	@$(RUN) python tests/needs.py
	$(RUN) pytest -n 2 --dist loadfile

quick: setup ## the tests that take seconds, on two processes
	$(RUN) pytest -m "not slow" -n 2 --dist loadfile

check: setup ## linters, types, import contracts, docs
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) lint-imports
	$(RUN) python -m databits.docs --check

format: setup ## format the code and fix what can be fixed
	$(RUN) ruff check --fix .
	$(RUN) ruff format .

snapshots: setup ## write what clients get to know of each tool
	$(RUN) python -m tests.mcp_server.snapshots

docs: setup ## write docs/tools.md from the catalogue
	$(RUN) python -m databits.docs

bench: setup ## measure against floors, in one run
	$(RUN) python -m benchmarks.mcp
	$(RUN) python -m benchmarks.core

MCPB = $(RUN) node tests/node/node_modules/@anthropic-ai/mcpb/dist/cli/cli.js
mcpb: tests/node/node_modules/.ready ## pack dist/databits-workbench.mcpb, which installs the server into Claude Desktop
	@$(RUN) python -m desktop.build build/mcpb
	@$(MCPB) validate build/mcpb/manifest.json
	@mkdir -p dist && $(MCPB) pack build/mcpb dist/databits-workbench.mcpb

clean: ## remove environments and caches, never a workspace
	rm -rf .venv .uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build tests/node/node_modules
