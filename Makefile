# `make reproduce` and `make test` set everything up by themselves; `make help` lists the rest.
PYTHON ?= python3
BIN ?= .venv/bin
ON_ALL_CORES = $(or $(TRAINED_$(PRESET)),$(error PRESET must be quick or all, got $(PRESET))) shattered_gradients
ON_ONE_CORE = variance_growth $(ON_TRAINED)
PRESET ?= quick
TRAINED_quick := depth_sweep
TRAINED_all := $(basename $(notdir $(shell grep -l 'override /dataset: mnist1d' conf/experiment/*.yaml)))
ON_TRAINED := loss_surfaces lesions trained_networks paths layer_responses # on the runs of depth_sweep; longest first
SOURCES := $(shell find conf resexp -name '*.yaml' -o -name '*.py')

.DEFAULT_GOAL := help
.PHONY: help setup lint test slow reproduce figures report wheel

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## create .venv and install into it

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	touch $@

reproduce: setup $(ON_ALL_CORES:%=results/runs/%/.collected) ## the main job: train, measure, collect, draw; resumes; PRESET=all: hours
	$(MAKE) --no-print-directory --jobs=2 $(ON_ONE_CORE:%=results/runs/%/.collected)
	$(MAKE) --no-print-directory figures
	@for part in $(ON_ALL_CORES) $(ON_ONE_CORE); do echo "$$part: $$(cat results/runs/$$part/.collected)"; done
	@echo "figures: results/figures; tables: results/tables; what they show: results/FINDINGS.md"

# The commands skip finished runs; the stamp, which says how long they took, saves starting them while no
# source is newer.
define carried_out
started=$$(date +%s); $(BIN)/resexp $(1) -m experiment=$* && $(BIN)/resexp collect $* && \
	echo "$$(($$(date +%s) - started)) s" > $@
endef

$(TRAINED_all:%=results/runs/%/.collected): results/runs/%/.collected: $(SOURCES) | .venv/ready
	$(call carried_out,train)

results/runs/%/.collected: $(SOURCES) | .venv/ready
	$(call carried_out,measure)

$(ON_TRAINED:%=results/runs/%/.collected): results/runs/depth_sweep/.collected

figures: ## redraw what is stale from results/tables/; ALL=1: everything that has a table
	PYTHONPATH=. $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m resexp.plots.figures $(if $(ALL),--all)

report: setup ## results/report/all.html: every experiment on one page
	$(BIN)/resexp report

test: setup ## the default tests, on the CPU
	$(BIN)/pytest -n auto --maxprocesses 4

slow: setup ## the tests that take minutes
	$(BIN)/pytest -m slow

lint: setup ## ruff: style and errors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

wheel: setup ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
