# `make reproduce` and `make test` set everything up by themselves; `make help` lists the rest.
PYTHON ?= python3
BIN ?= .venv/bin
PRESET ?= quick
IN_TURN_quick := depth_sweep shattered_gradients
IN_TURN_all = $(train_all) $(measure_all)
SIDE_BY_SIDE_quick = variance_growth $(ON_TRAINED) # each on one core
ON_TRAINED := loss_surfaces lesions trained_networks paths layer_responses # on the runs of depth_sweep; longest first
IN_TURN = $(IN_TURN_$(PRESET))
SIDE_BY_SIDE = $(SIDE_BY_SIDE_$(PRESET))
SOURCES := $(shell find conf resexp -name '*.yaml' -o -name '*.py')

.DEFAULT_GOAL := help
ifeq ($(PRESET),all)
include .venv/all.mk
else ifneq ($(PRESET),quick)
$(error PRESET must be quick or all, got $(PRESET))
endif
.PHONY: help setup lint test slow reproduce figures report wheel

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## create .venv and install into it

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	touch $@

reproduce: setup $(IN_TURN:%=results/runs/%/.collected) ## the main job: train, measure, collect, draw; resumes; PRESET=all: hours
	$(if $(SIDE_BY_SIDE),$(MAKE) --no-print-directory --jobs=2 $(SIDE_BY_SIDE:%=results/runs/%/.collected))
	$(MAKE) --no-print-directory figures
	@for part in $(IN_TURN) $(SIDE_BY_SIDE); do echo "$$part: $$(cat results/runs/$$part/.collected)"; done
	@echo "figures: results/figures; tables: results/tables; what they show: results/FINDINGS.md"

# The commands skip finished runs; the stamp, which says how long they took, saves starting them while no
# source is newer.
define carried_out
started=$$(date +%s); $(BIN)/resexp $(1) -m experiment=$* && $(BIN)/resexp collect $* && \
	echo "$$(($$(date +%s) - started)) s" > $@
endef

# The experiments that need no files, as conf/ says: train_all, measure_all, and what each measurement needs.
.venv/all.mk: $(SOURCES) | .venv/ready
	$(BIN)/resexp list experiments --without-files > $@.txt
	awk '{ print $$1 "_all += " $$2; for (i = 3; i <= NF; i++) \
		print "results/runs/" $$2 "/.collected: results/runs/" $$i "/.collected" }' $@.txt > $@

TRAINED = $(sort depth_sweep $(train_all))
$(TRAINED:%=results/runs/%/.collected): results/runs/%/.collected: $(SOURCES) | .venv/ready
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
