# Everything that is done here by hand or by CI. Needs Python 3.11 or later, and nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
# A worker starts a PostgreSQL of its own: more than four of them cost more than they save.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4
SCRIPTS := .ci/run deploy/images deploy/over-ssh deploy/roles.sh deploy/stack
export PYTHONPATH := $(CURDIR):$(CURDIR)/examples/dnd-helper/api:$(CURDIR)/examples/dnd-helper/bot

.DEFAULT_GOAL := help
.PHONY: help demo test unit e2e lint check format docs bench images lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## the main job on an embedded PostgreSQL with the example API; no Docker
	@$(BIN)/python -m examples.demo

test: $(VENV)/.dev ## all tests; end-to-end ones where a Docker engine answers
	@echo "all tests, one worker for each core"
	@$(PYTEST)

unit: $(VENV)/.dev ## the tests that need no Docker engine
	@echo "the tests that need no Docker engine, one worker for each core"
	@$(PYTEST) -m "not e2e"

e2e: $(VENV)/.dev ## the tests that do; of the images in E2E_REGISTRY, where that is set
	@echo "the tests that need a Docker engine"
	@$(BIN)/python -m pytest -m e2e

lint: $(VENV)/.dev ## format, lint and types; scripts, Dockerfiles and workflows
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/shellcheck $(SCRIPTS)
	@$(BIN)/hadolint Dockerfile.init examples/dnd-helper/*/Dockerfile
	@$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@$(BIN)/zizmor --offline --quiet .github/workflows
	@$(BIN)/actionlint -shellcheck $(BIN)/shellcheck

check: lint test ## lint and all tests

format: $(VENV)/.dev ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

docs: $(VENV)/.dev ## write the tables of docs/settings.md from the declared variables
	@$(BIN)/python -m compose_init.settings.page docs/settings.md

bench: $(VENV)/.dev ## what it costs, as ratios in one run; and how soon it starts
	@$(BIN)/python -m tests.bench

images: ## build the images of the example: api, bot and init
	deploy/images build api
	deploy/images build bot
	deploy/images build init

lock: ## pin the requirements anew, with hashes (needs uv)
	uv pip compile -q --universal --no-header --generate-hashes --python-version 3.11 --upgrade --extra test pyproject.toml -o requirements/dev.txt
	uv pip compile -q --universal --no-header --generate-hashes --python-version 3.11 --extra demo -c requirements/dev.txt pyproject.toml -o requirements/demo.txt
	uv pip compile -q --universal --no-header --generate-hashes --python-version 3.11 -c requirements/dev.txt pyproject.toml -o requirements/init.txt
	for each in tests/*/requirements/*.in; do uv pip compile -q --universal --no-header --generate-hashes --python-version 3.11 --upgrade $$each -o $${each%.in}.txt; done

clean: ## remove what the other targets made
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis dist

# The end of an installation writes the path of the checkout into this file. Where another path or none is in it,
# .venv is made again: an earlier `make` was interrupted, or the checkout was moved or copied together with .venv.
COMPLETE := $(VENV)/.complete
ifneq ($(shell cat $(COMPLETE) 2>/dev/null),$(CURDIR))
.PHONY: $(BIN)/python
endif

$(BIN)/python:
	@'$(PYTHON)' -c 'import sys; sys.exit("Python 3.11 or later is needed, this is " + sys.version.split()[0] + "; name another: make PYTHON=python3.13") if sys.version_info < (3, 11) else None'
	@'$(PYTHON)' -m venv --clear $(VENV)

# Install a file of requirements, and this checkout, so that `compose-init` is there as it is for users.
# What pip says is shown only if pip fails: some configurations have it print a warning for each package.
define install
	@echo "installing what the $(1) (once)"
	@rm -f $(COMPLETE)
	@{ $(PIP) install --require-hashes -r $< && \
		$(PIP) install --no-deps --no-build-isolation --editable .; } >$(VENV)/pip.log 2>&1 || \
		{ cat $(VENV)/pip.log >&2; exit 1; }
	@pwd -P >$(COMPLETE)
endef

$(VENV)/.demo: requirements/demo.txt pyproject.toml $(BIN)/python
	$(call install,demo needs)
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml $(BIN)/python
	$(call install,tests need)
	@touch $@ $(VENV)/.demo
