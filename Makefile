# Draftline. `make demo` and `make test` work on a bare machine with Python 3.11+, pip and make.
# TORCH_ARGS is handed to pip for torch alone, for example to name an index that carries CPU builds.

PYTHON ?= python3
TORCH_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python
PIP := $(RUN) -m pip --disable-pip-version-check
STAGE = @printf '\n\033[1m== %s\033[0m\n'
QUESTION ?= What happens when a second ingest starts while one is running?

.PHONY: demo test test-deep bench install install-dev models lint format constraints clean help

help:  ## what can be made here
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1mmake %-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: install  ## install, fetch models, ingest ./docs, ask one question
	@$(RUN) -m app.demo "$(QUESTION)"

test: install-dev models chromium  ## lint, types, layers, tests (under ten minutes)
	$(MAKE) --no-print-directory lint
	$(BIN)/pytest -n 2 --dist loadfile

test-deep: test $(VENV)/.installed-deep  ## the long sweeps as well: fuzz, kills, exactness over many prompts
	$(BIN)/pytest -m deep --timeout 3600
	DRAFTLINE_TEST_EXAMPLES=500 $(BIN)/pytest -m "hypothesis and not deep" -n 2 --timeout 3600

bench: install  ## the store beside its peer, on text of yours: make bench CORPUS=FOLDER
	@test -n "$(CORPUS)" || { echo 'name a folder of .md or .txt files: make bench CORPUS=FOLDER' >&2; exit 2; }
	$(RUN) -m benchmarks store --corpus "$(CORPUS)"

lint:  ## formatting, lint, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format:  ## sort imports, format, fix what can be fixed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(VENV)/.installed  ## the virtual environment with pinned packages
install-dev: $(VENV)/.installed-dev
models: install  ## fetch the models that the settings name
	@$(RUN) -m configs fetch

$(RUN):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Draftline needs Python 3.11 or newer; set PYTHON=")'
	@$(PYTHON) -m venv $(VENV)

# torch first: an installed CPU build satisfies everything after it.
NATIVE := $(wildcard generate/engine/native/*.cpp generate/engine/native/*.h)
$(VENV)/.installed: pyproject.toml constraints.txt $(NATIVE) | $(RUN)
	$(STAGE) 'installing into $(VENV) (a few minutes the first time)'
	@date +%s > $(VENV)/.started
	@$(PIP) install -q $(TORCH_ARGS) "$$(grep '^torch==' constraints.txt)"
	@$(PIP) install -q -c constraints.txt -e .
	@echo "($$(( $$(date +%s) - $$(cat $(VENV)/.started) )) s)"
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(STAGE) 'installing what the tests need'
	@$(PIP) install -q -c constraints.txt -e '.[dev]'
	@touch $@

$(VENV)/.installed-deep: $(VENV)/.installed-dev
	$(STAGE) 'installing what only the long sweeps need'
	@$(PIP) install -q -c constraints.txt -e '.[dev,ray,ocr]'
	@touch $@

.PHONY: chromium
chromium:
	@sh tests/browser/install-chromium.sh

constraints:  ## renew constraints.txt from pyproject.toml (needs uv)
	sh configs/renew-constraints.sh

clean:  ## remove the virtual environment and caches; state in .draftline stays
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
