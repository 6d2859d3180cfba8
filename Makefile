# Two targets do all: `make quickstart` and `make test`. Each makes its virtual environment first.
PYTHON ?= python3
VENV ?= .venv
# Another index for PyTorch, e.g. TORCH_INDEX=https://download.pytorch.org/whl/cu126 (CUDA) or .../whl/cpu.
# Empty: wherever pip is set to look.
TORCH_INDEX ?=
BIN := $(VENV)/bin
SPECS := $(shell find specs -name '*.yaml' -not -path 'specs/paper/*' | LC_ALL=C sort)
# Generated programs run in a sandbox; without its tools the tests of the code domain are left out, and said so.
MISSING := $(strip $(foreach tool,bwrap node g++,$(if $(shell command -v $(tool)),,$(tool))))
# The site is looked at in a real browser.
BROWSER := $(firstword $(foreach tool,chromium chromium-browser google-chrome,$(shell command -v $(tool))))
AXE := axe-core@4.14.1
# A file's tests stay together: they share what is expensive. In order, so that the long ones do not come last on one core.
PARALLEL := -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
UNSANDBOXED := $(if $(MISSING),FTBENCH_TESTS_WITHOUT_SANDBOX=1) $(if $(BROWSER),,FTBENCH_TESTS_WITHOUT_BROWSER=1)

.PHONY: quickstart demo test test-fast test-slow test-at-length test-deployment test-site site docs results studies lint types generated check-generated clean help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

quickstart: $(VENV)/.run ## run the embedded quickstart: train, score, verify, show the table
	$(BIN)/ftbench doctor
	$(BIN)/ftbench run quickstart --out runs
	$(BIN)/ftbench leaderboard runs

demo: $(VENV)/.run ## a real 135M model and a small federation on messages you can judge (downloads 110 MB; 2 cores, minutes)
	$(BIN)/python benchmarks/demo/demo.py runs/demo

test: $(VENV)/.dev lint types check-generated ## lint, types, drift, fast tests and one real run
	$(UNSANDBOXED) $(BIN)/pytest $(PARALLEL) -m "not slow"
	@if [ -n "$(MISSING)" ]; then \
	  echo "NOT TESTED: the code domain, for want of $(MISSING). apt-get install bubblewrap nodejs g++"; fi
	@if [ -z "$(BROWSER)" ]; then echo "NOT TESTED: the site in a browser, for want of one. apt-get install chromium"; fi

test-fast: $(VENV)/.dev ## the tests without the real run
	$(UNSANDBOXED) $(BIN)/pytest $(PARALLEL) -m "not slow and not e2e"

test-slow: $(VENV)/.docs $(if $(BROWSER),$(VENV)/.axe) ## the heavy tests: engines, kills, every micro study, 10,000 mutated specs, the demo
	$(UNSANDBOXED) $(BIN)/pytest -n auto --maxprocesses 2 -m slow --ignore tests/run/test_deployment.py
	$(MAKE) demo

test-at-length: export FTBENCH_TESTS_AT_LENGTH = 1
test-at-length: test-slow ## the same with as many draws, kills and seeds as the pages say (hours)

test-site: $(VENV)/.dev $(VENV)/.axe ## the site in a browser, and by a checker of accessibility (needs chromium and npm)
	$(BIN)/pytest -m "slow or not slow" tests/site

site: $(VENV)/.run ## build the site of results/ into site/
	$(BIN)/ftbench site build results -o site --withdrawn results/withdrawn.json

docs: $(VENV)/.docs ## build the documentation as a site into docs-site/ (offline, any warning is an error)
	$(BIN)/python docs/build.py docs-site

studies: $(VENV)/.run ## run the studies behind docs/results.md and write it (hours on a laptop; goes on where it was stopped)
	PATH="$(abspath $(BIN)):$$PATH" benchmarks/studies.sh

results: $(VENV)/.run ## run the bundles of results/ again, after a hash of theirs has moved
	FTBENCH=$(BIN)/ftbench results/again.sh

test-deployment: $(VENV)/.dev ## runs on a SuperLink with two SuperNodes over TLS (needs openssl and ssh-keygen)
	$(BIN)/pytest -m slow tests/run/test_deployment.py

lint: $(VENV)/.dev ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy

generated: $(VENV)/.dev ## regenerate generated/ and schemas/
	$(BIN)/ftbench schema --write schemas
	$(BIN)/ftbench list diagnostics --markdown > docs/diagnostics.md
	@printf '%s\n' $(SPECS) | xargs -P 2 -I SPEC $(BIN)/ftbench compile SPEC --out generated

check-generated: $(VENV)/.dev ## fail where a generated file has drifted
	$(BIN)/ftbench schema --check schemas
	@$(BIN)/ftbench list diagnostics --markdown | diff docs/diagnostics.md - || \
	  { echo "docs/diagnostics.md has drifted: make generated"; exit 1; }
	@printf '%s\n' $(SPECS) | xargs -P 2 -I SPEC \
	  sh -c '$(BIN)/ftbench lock SPEC --check && $(BIN)/ftbench compile SPEC --out generated --check'

$(VENV)/.docs: $(VENV)/.dev
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[run,dev,docs]'
	@touch $@

$(VENV)/.axe: $(VENV)/.dev
	npm install --silent --ignore-scripts --no-save --prefix $(VENV)/axe $(AXE)
	@touch $@

clean: ## remove environments and caches (not runs/)
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis

# Torch goes first and by itself, so that its index serves nothing else and nothing else picks another build.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"ftbench needs Python 3.11 or newer; $(PYTHON) is {v.major}.{v.minor}. Set PYTHON=python3.X")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	@touch $@

$(VENV)/.run: $(VENV)/.torch pyproject.toml
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[run]'
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[run,dev]'
	@touch $@
