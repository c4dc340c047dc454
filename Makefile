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
VENV := .venv
BIN := $(VENV)/bin
LINK := $(VENV)/collections/ansible_collections/zerotrust/platform
READY := $(VENV)/.ready
REPORT := build/$(INVENTORY)/report.html

export PATH := $(CURDIR)/$(BIN):$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
export PYTHONUNBUFFERED := 1

say = printf '\n==> %s\n'

.PHONY: help
help:  ## List the targets
	@grep -hE '^[a-z-]+:.*  ## ' $(MAKEFILE_LIST) | sed -E 's/:.*  ## /\t/' | expand -t 14

.PHONY: setup
setup: $(READY)  ## Make .venv from requirements.lock; does nothing when that is done

# The lock also pins uv, so pip installs just that, by hash. The link is relative: a moved checkout keeps it.
$(READY): requirements.lock
	@$(say) "Setting up $(VENV) from requirements.lock (once; takes a minute or two)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements.lock > $(VENV)/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@$(BIN)/uv pip sync --python $(BIN)/python --require-hashes requirements.lock
	@mkdir -p $(dir $(LINK)) && ln -sfn ../../../.. $(LINK)
	@touch $@

.PHONY: lock
lock: $(READY)  ## Bring requirements.lock up to date with requirements.in (UPGRADE=1: newest of everything)
	@$(BIN)/uv pip compile requirements.in -o requirements.lock --python-version 3.11 --universal --generate-hashes \
		--no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet $(if $(UPGRADE),--upgrade)
