# Enough on a fresh machine with Python 3.11 or newer: `make demo` and `make test`.
#
#   make demo      search a generated dataset; needs no data and no GPU
#   make test      lint, types, import contracts and all tests; WORKERS=4 sets the number of test processes
#   make test-fast the tests that need no Ray
#   make lint      everything in `make test` except the tests
#   make format    format the code
#   make docs      build the documentation into site/; fails on broken links
#   make blazepose the networks of BlazePose, which some tests read, into .venv/blazepose; 36 MB
#   make test-min  the fast tests with the lowest supported versions, in .venv-min
#
# PYTHON=python3.12 chooses the interpreter; a .venv of another version is rebuilt.

VENV := .venv
BIN := $(VENV)/bin
WORKERS ?= auto
PYTEST_ARGS ?=
# Files in the order of tests/conftest.py: the slow ones first, so that no process ends long after the others.
PARALLEL := -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder
FAST := -m "not slow and not cluster"

.PHONY: demo test test-fast lint types types-of-tests style contracts format docs blazepose test-min install install-docs

install:
	@tools/make_venv.sh $(VENV) dev,deploy,poses constraints.txt $(PYTHON)

install-docs:
	@tools/make_venv.sh $(VENV) docs constraints.txt $(PYTHON)

demo: install
	@echo "to run these commands yourself, activate the environment:  . $(BIN)/activate"
	$(BIN)/autohier search demo --trials 8 --parallel 2 --name demo-$$(date -u +%Y%m%d-%H%M%S)

# The type checks take a minute each and one processor: they run side by side.
lint: install
	@$(MAKE) --no-print-directory -j 2 types types-of-tests style contracts

types:
	$(BIN)/mypy

types-of-tests:
	$(BIN)/mypy tests --cache-dir .mypy_cache/tests --explicit-package-bases --no-check-untyped-defs \
		--no-warn-unused-ignores --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls \
		--allow-untyped-decorators

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tools/check_language.py

contracts:
	$(BIN)/lint-imports

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint
	$(BIN)/pytest $(PARALLEL) $(PYTEST_ARGS)

test-fast: install
	$(BIN)/pytest $(FAST) $(PARALLEL) $(PYTEST_ARGS)

docs: install-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# The package holds the networks, and is not installed: it needs an old NumPy.
blazepose: $(VENV)/blazepose
$(VENV)/blazepose: | install
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --python-version 3.11 \
		--dest $(VENV)/blazepose.unfinished mediapipe==0.10.21
	mv $(VENV)/blazepose.unfinished $(VENV)/blazepose

test-min:
	@tools/make_venv.sh .venv-min dev,deploy,poses constraints-min.txt $(PYTHON)
	.venv-min/bin/pytest $(FAST) $(PARALLEL) $(PYTEST_ARGS)
