# Two commands, each enough on a fresh machine with Python 3.11+: `make demo` and `make test`.

PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/installed

.PHONY: demo test install lint

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

install: $(INSTALLED)

demo: install
	@echo "the commands below are yours after:  . .venv/bin/activate"
	$(BIN)/autohier search demo --trials 8 --parallel 2 --name demo-$$(date -u +%Y%m%d-%H%M%S)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests --explicit-package-bases --no-check-untyped-defs --no-warn-unused-ignores --allow-untyped-defs --allow-incomplete-defs --allow-untyped-calls \
		--allow-untyped-decorators
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest
