# Two commands matter on a fresh machine with Python 3.13: `make demo` and `make test`.
PYTHON ?= python3.13
BIN := .venv/bin
DEMO_READY := .venv/.demo-ready
READY := .venv/.ready
SHARED := $(wildcard ../shared/wire)
INSTALL := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -b constraints.txt
CATALOGUE := $(BIN)/python -m dhis2sh.verbs.build_manifest

.PHONY: help setup demo test check lint types bench docs examples conformance outside recordings test-live smoke

help:
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

.venv/bin/uv:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

$(READY): .venv/bin/uv pyproject.toml constraints.txt
	$(INSTALL) -e '.[all]' --group dev
	$(BIN)/python -m compileall -q dhis2sh generated
	@touch $(READY) $(DEMO_READY)

$(DEMO_READY): .venv/bin/uv
	$(INSTALL) -e '.[mcp]'
	@touch $(DEMO_READY)

setup: $(READY) ## everything for development, in .venv; the catalogue of verbs where one has changed
	@$(CATALOGUE)

demo: $(DEMO_READY) ## set up and open the shell on the sandbox; without a terminal, a scripted tour
	@$(CATALOGUE)
	@$(BIN)/python examples/tour.py

test: setup ## all tests with branch coverage
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --cov --cov-report=xml
	@$(BIN)/python tests/coverage_gate.py

check: types lint ## format, lint, types, import contracts, dependencies, no edit of what is generated

types: setup
	$(BIN)/pyright

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/dhis2 dev codegen check --all

bench: setup ## start-up and speed as ratios against a baseline in the same run
	$(BIN)/python tests/perf/bench.py

docs: setup ## build the documentation, strict
	$(BIN)/python docs/build_reference.py --check
	$(BIN)/mkdocs build --strict --quiet

examples: setup ## run every example on the sandbox
	$(BIN)/python examples/run.py

conformance: $(if $(SHARED),outside recordings) ## score the sandbox against recordings of a real server
	@$(if $(SHARED),,echo "conformance: ../shared/wire is not beside this checkout; nothing to compare with")

outside: setup
	$(BIN)/python tests/sandbox/outside.py

recordings: setup
	$(BIN)/python tests/sandbox/conformance.py

test-live: setup ## the tests that need a real server, DHIS2_URL
	@test -n "$$DHIS2_URL" || { echo "test-live: set DHIS2_URL, DHIS2_USERNAME and DHIS2_PASSWORD; nothing was run"; exit 0; }; \
	$(BIN)/python -m pytest -m live tests/live $(if $(CLEAN),--clean)

smoke: setup ## one verb on each surface
	@$(BIN)/python examples/tour.py </dev/null
