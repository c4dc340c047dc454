# SPDX-FileCopyrightText: 2026 zerotrust.platform contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Everything works on a machine that has Python 3.11, git and make. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3.11
INVENTORY ?= local
# Further arguments of pytest and of ansible-playbook.
ARGS ?=
# All the versions that are installed: make sanity SANITY_PYTHON=default
SANITY_PYTHON ?= 3.11

VENV := .venv
BIN := $(VENV)/bin
LINK := $(VENV)/collections/ansible_collections/zerotrust/platform
READY := $(VENV)/.ready
OLDER_CORES := 2.17 2.18
STACK := .venv-stack
STACK_FILES := roles/compose_stack/files
STACK_LOCK := --python-version 3.11 --universal --generate-hashes --no-emit-index-url --no-emit-find-links \
	--custom-compile-command "make lock" --quiet

export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONUNBUFFERED := 1

say = printf '\n==> %s\n'

.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 15

# --- Environment

.PHONY: setup
setup: $(READY)  ## Make .venv from requirements.lock; does nothing when that is done

# The lock also pins uv, so pip installs just that, by hash. The link is relative: a moved checkout keeps it.
$(READY): requirements.lock
	@$(say) "Setting up $(VENV) from requirements.lock (once, about a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements.lock
	@mkdir -p $(dir $(LINK)) && ln -sfn ../../../.. $(LINK)
	@$(BIN)/python -c 'import ansible.release as r; print("ansible-core", r.__version__)'
	@touch $@

.PHONY: lock
lock: $(READY)  ## Bring requirements.lock up to date with requirements.in (UPGRADE=1: newest of everything)
	@$(BIN)/uv pip compile requirements.in -o requirements.lock --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet $(if $(UPGRADE),--upgrade)
	@$(BIN)/uv pip compile tests/stack/requirements.in -o tests/stack/requirements.lock $(STACK_LOCK) $(if $(UPGRADE),--upgrade)
	@for program in $(STACK_FILES)/*/requirements.in; do \
		$(BIN)/uv pip compile $$program -o $${program%.in}.txt -c tests/stack/requirements.lock $(STACK_LOCK) --no-annotate --upgrade; done

# --- The main job

.PHONY: demo
demo: setup  ## Run playbooks/site.yml on inventories/local (INVENTORY=name: another one)
	@$(say) "Making everything the graph of inventories/$(INVENTORY) asks for: playbooks/site.yml"
	@ansible-playbook -i inventories/$(INVENTORY)/hosts.yml playbooks/site.yml $(ARGS)
	@$(say) "Done. Open build/$(INVENTORY)/report.html"

# --- Checks. pytest comes last, so that its summary is the end of the output.

.PHONY: test
test: setup  ## Everything that must hold: lint, ansible-test sanity, unit and integration tests
	@$(MAKE) --jobs=2 --output-sync=line lint sanity coverage stack
	@$(MAKE) pytest

.PHONY: lint
lint: setup  ## ruff, mypy, yamllint, ansible-lint, antsibull-changelog, antsibull-docs, role READMEs, reuse
	@failed=0; check() { $(say) "$$*"; "$$@" || failed=1; }; \
	check ruff check --quiet .; \
	check ruff format --check --quiet .; \
	check mypy; \
	check yamllint --strict .; \
	check ansible-lint --nocolor -q; \
	check antsibull-changelog lint; \
	check antsibull-docs --config-file tools/antsibull-docs.cfg lint-collection-docs --plugin-docs --validate-collection-refs=self .; \
	check python tools/role_readmes.py --check; \
	check reuse lint --lines; \
	exit $$failed

.PHONY: sanity
sanity: setup  ## ansible-test sanity on a copy of the checkout
	@$(say) "ansible-test sanity, Python $(SANITY_PYTHON) (installs its tools into .cache/sanity once)"
	@python tools/sanity.py --python $(SANITY_PYTHON) --color no $(ARGS)

.PHONY: coverage
coverage: setup  ## Every branch of the engine's planner is taken by its tests
	@$(say) "coverage of the planner"
	@coverage run -m pytest -q tests/unit/reconcile/test_planner.py
	@coverage report

.PHONY: stack
stack: $(STACK)/.ready  ## The programs of the compose stack's images: mypy and their tests
	@$(say) "mypy: the programs of the compose stack"
	@$(STACK)/bin/mypy --config-file tests/stack/pyproject.toml --cache-dir .cache/mypy-stack
	@$(say) "pytest: the programs of the compose stack"
	@$(STACK)/bin/pytest -q -c tests/stack/pyproject.toml --rootdir . tests/stack $(ARGS)

$(STACK)/.ready: tests/stack/requirements.lock | setup
	@$(say) "Setting up $(STACK) from tests/stack/requirements.lock (once, about a minute)"
	@test -x $(STACK)/bin/python || $(PYTHON) -m venv $(STACK)
	@uv pip sync --quiet --python $(STACK)/bin/python --require-hashes tests/stack/requirements.lock
	@touch $@

.PHONY: pytest
pytest: setup
	@$(say) "pytest: unit and integration tests, ansible-core $$(python -c 'import ansible.release as r; print(r.__version__)')"
	@pytest -n 2 $(ARGS)

.PHONY: test-matrix
test-matrix: $(OLDER_CORES:%=test-core-%)  ## Unit and integration tests with the older ansible-cores that are supported

.PHONY: $(OLDER_CORES:%=test-core-%)
$(OLDER_CORES:%=test-core-%): test-core-%: .venv-%/.ready
	@$(say) "pytest: unit and integration tests, ansible-core $*"
	@.venv-$*/bin/pytest -n 2 -o cache_dir=.cache/pytest-$* $(ARGS)

.PHONY: $(OLDER_CORES:%=sanity-core-%)
$(OLDER_CORES:%=sanity-core-%): sanity-core-%: .venv-%/.ready
	@$(say) "ansible-test sanity, ansible-core $*, Python $(SANITY_PYTHON)"
	@.venv-$*/bin/python tools/sanity.py --python $(SANITY_PYTHON) --color no $(ARGS)

# The locked versions of everything but ansible-core and what older ones refuse. The oldest ansible-core comes with the
# lowest versions that requirements.txt allows, which proves those bounds.
.venv-%/.ready: requirements.lock requirements.txt | setup
	@$(say) "Setting up .venv-$* with ansible-core $*"
	@test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	@grep -E '^[a-z0-9-]+==' requirements.lock | grep -vE '^(ansible-core|resolvelib)==' | sed 's/ *\\$$//' > .venv-$*/constraints.txt
	@uv pip install --quiet --python .venv-$*/bin/python --constraints .venv-$*/constraints.txt \
		"ansible-core==$*.*" -r requirements.txt hypothesis pytest pytest-xdist
	@$(if $(filter $(firstword $(OLDER_CORES)),$*),uv pip install --quiet --python .venv-$*/bin/python \
		--upgrade --resolution lowest-direct "ansible-core==$*.*" -r requirements.txt)
	@touch $@

.PHONY: live
live: setup $(STACK)/.ready  ## Tests against real servers, built once into .cache/live; those that cannot be had are skipped
	@$(say) "pytest: tests against real servers and judges of other projects"
	@pytest tests/live $(ARGS)

.PHONY: bench
bench: setup build/ansible/.ready $(STACK)/.ready  ## Time and memory of the stages for graphs of 10 to 5,000 services, of kong_sync, spire_sync, pki, kubernetes_sync, security_group_sync, the control API and hardening
	@$(say) "Benchmarks (build/bench.json holds the figures)"
	@python tests/benchmarks/run.py $(ARGS)
	@$(say) "What the control API's middlewares cost, and its limiter beside slowapi's (build/bench-control-api.json)"
	@$(STACK)/bin/python tests/benchmarks/control_api.py build/bench-control-api.json
	@$(say) "What the hardening of a container costs"
	@python tests/benchmarks/hardening.py

# PyPI's `ansible` holds the collections that others have written, beside which ours is measured.
build/ansible/.ready: requirements.lock | setup
	@$(say) "Setting up build/ansible with the collections of others (once)"
	@test -x build/ansible/bin/python || $(PYTHON) -m venv build/ansible
	@grep -E '^[a-z0-9-]+==' requirements.lock | sed 's/ *\\$$//' > build/ansible/constraints.txt
	@uv pip install --quiet --python build/ansible/bin/python --constraints build/ansible/constraints.txt ansible boto3 cryptography
	@touch $@

# --- Artefact and documentation

.PHONY: build
build: setup  ## The collection's artefact, as Galaxy takes it: build/artefact/*.tar.gz
	@$(say) "Building the artefact and checking it with galaxy-importer"
	@python tools/artefact.py build/artefact

.PHONY: role-readmes
role-readmes: setup  ## Write each role's README from its argument_specs
	@python tools/role_readmes.py

.PHONY: docs
docs: setup  ## The HTML documentation of all plugins and roles: build/docs/html
	@$(say) "Building the documentation"
	@rm -rf build/docs && mkdir -p build/docs && chmod 0755 build/docs
	@antsibull-docs --config-file tools/antsibull-docs.cfg sphinx-init --use-current --squash-hierarchy --lenient --sphinx-theme alabaster \
		--dest-dir build/docs zerotrust.platform
	@cd build/docs && antsibull-docs --config-file ../../tools/antsibull-docs.cfg collection --use-current --squash-hierarchy --dest-dir rst zerotrust.platform
	@cd build/docs && sphinx-build -q -b html -c . rst html
	@$(say) "Done. Open build/docs/html/index.html"

.PHONY: clean
clean:  ## Remove everything that was made here, the environments too
	rm -rf build .cache .venv .venv-*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
