# Everything here can also be typed without make. `make` alone lists the targets.

BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCKED := $(PIP) --require-hashes --only-binary :all:
# How old a release must be before the lock may hold it.
COOL_DOWN := 7 days
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --generate-hashes --universal --python-version 3.11 \
	--no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command "make lock" \
	--exclude-newer "$(COOL_DOWN)"

.DEFAULT_GOAL := help
.PHONY: help setup dev demo tour demo-production serve campaign reference bench train-intent eval-intent test check test-fast format lint types layers lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

setup: .venv/.runtime ## make .venv with the command checkrein in it
	@:

dev: .venv/.dev ## the same, with what tests and gates need
	@:

demo: setup ## six failures caught, and one of them stepped through
	@$(BIN)/checkrein demo

tour: setup ## the six runs replayed, judged again, simulated, explained, compared and proved
	@$(BIN)/checkrein tour

demo-production: dev ## the same on Redis and PostgreSQL, which it starts itself on free ports
	@$(BIN)/python -m tests.servers.production $(BIN)/checkrein demo --servers

serve: setup ## a gateway on port 8400
	@$(BIN)/checkrein up

campaign: dev ## a thousand kills of anything and 5,000 simulated seeds, instead of 40 and 300
	CHECKREIN_CAMPAIGN=$${KILLS:-1000} $(BIN)/python -m pytest tests/reliability/test_kill_loop.py \
		tests/reliability/test_spool.py tests/reliability_server/test_kill_loop.py tests/simulation

reference: dev ## write the reference pages from the code again
	$(BIN)/python -m tests.docs.reference

bench: dev ## how fast a check is, beside the floor
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks --production
	$(BIN)/python -m benchmarks --intent
	$(BIN)/python -m benchmarks --replay
	$(BIN)/python -m benchmarks --audit
	$(BIN)/python -m benchmarks --queries

train-intent: .venv/.train ## train the Intent Guard from its cases, the same to the byte
	$(BIN)/python -m benchmarks.intent.train

eval-intent: .venv/.train ## the Intent Guard's figures, each source by a model that has not seen it
	$(BIN)/python -m benchmarks.intent.evaluate

test: setup dev .venv/.train lint types layers ## everything; what CI runs
	$(BIN)/python -m tests.lanes

check: lint types layers test-fast ## before every commit

test-fast: dev ## the tests that need no other process
	$(BIN)/python -m pytest tests/unit sdk_python/tests

format: dev ## rewrite the code in its one form
	$(BIN)/ruff check --fix-only --quiet
	$(BIN)/ruff format

lint: dev ## ruff: the form and the findings
	$(BIN)/ruff format --check
	$(BIN)/ruff check

types: dev ## mypy, strict
	$(BIN)/mypy
	cd sdk_python && ../$(BIN)/mypy --config-file ../pyproject.toml tests

layers: dev ## imports point down only
	$(BIN)/lint-imports --no-logo

lock: .venv/.python ## renew requirements/*.txt
	$(PIP) uv
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) -c requirements/build.txt pyproject.toml sdk_python/pyproject.toml -o requirements/runtime.txt
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) requirements/train.in -o requirements/train.txt

# The stamps make a second call instant; a changed lock or pyproject.toml makes it install again.

.venv/.python:
	@python=$$(requirements/find-python) && echo "Making .venv with $$python" && "$$python" -m venv --clear .venv
	@touch $@

.venv/.runtime: .venv/.python requirements/build.txt requirements/runtime.txt pyproject.toml sdk_python/pyproject.toml
	@echo "Installing what the gateway needs"
	@$(LOCKED) -r requirements/build.txt -r requirements/runtime.txt
	@$(PIP) --no-build-isolation --no-deps -e sdk_python
	@$(PIP) --no-build-isolation --no-deps -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	@echo "Installing what the tests need"
	@$(LOCKED) -r requirements/dev.txt
	@touch $@

.venv/.train: .venv/.dev requirements/train.txt
	@echo "Installing what training needs"
	@$(LOCKED) -r requirements/train.txt
	@touch $@
