# Every target sets itself up in ./.venv first, and at once when that is done already. `make help` lists them.
# Choose the interpreter with `make PYTHON=/path/to/python3.12 demo`; tests take options: `make test ARGS=-x`.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
ARGS ?=
DEMO_OUT ?= demo-build
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
IS_SUPPORTED := import ensurepip, sys, venv; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-all lint docs clean

help:  ## List the targets.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
	  printf '  make %-10s %s\n' "$$name" "$$text"; done

demo: $(VENV)/.runtime  ## Optimize the digits sample to int8 and show where its report is.
	@$(BIN)/tfmobile optimize --config sample_models/digits/tfmobile.toml -o $(DEMO_OUT)
	@report="$$(pwd)/$(DEMO_OUT)/report.html"; \
	test -f "$$report" || { echo "no report was written to $$report" >&2; exit 1; }; \
	printf '\nThe report: %s\n' "$$report"; \
	if test -n "$${CI:-}"; then :; \
	elif test "$$(uname)" = Darwin; then open "$$report"; \
	elif test -n "$${DISPLAY:-}$${WAYLAND_DISPLAY:-}" && command -v xdg-open >/dev/null; then xdg-open "$$report" || :; \
	else echo "Open it in a browser; it needs no network."; fi

test: $(VENV)/.dev  ## Run the tests that take seconds.
	$(BIN)/python -m pytest -m "not slow" -n auto --maxprocesses 4 --dist worksteal $(ARGS)

test-all: $(VENV)/.dev  ## Run every test, also those on real models (TFMOBILE_SHARED says where they are).
	$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev  ## Check style, types, layers, and that the reference pages are up to date.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check

docs: $(VENV)/.dev  ## Write docs/reference from the code.
	$(BIN)/python docs/generate.py

clean:  ## Remove everything that was built, .venv included.
	rm -rf $(VENV) $(DEMO_OUT) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis \
	  .import_linter_cache sample_models/*/build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.python:
	@python=""; \
	for candidate in $(or $(PYTHON),python3 python3.12 python3.11 python3.13 python3.10); do \
	  if "$$candidate" -c '$(IS_SUPPORTED)' 2>/dev/null; then python="$$candidate"; break; fi; done; \
	if test -z "$$python"; then \
	  echo "make: no Python 3.10 to 3.13 with the venv module was found (tried: $(or $(PYTHON),python3 python3.12 python3.11 python3.13 python3.10))." >&2; \
	  echo "      Install one (on Debian: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3.12 ..." >&2; \
	  exit 1; fi; \
	echo "Setting up $(VENV) with $$("$$python" --version)"; \
	"$$python" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.runtime: $(VENV)/.python pyproject.toml
	@echo "Installing tfmobile and what it needs (TensorFlow among it: a minute or more the first time)"
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml
	@echo "Installing tfmobile, what it needs, and the tools for testing (a minute or more the first time)"
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $(VENV)/.runtime $@
