# `make reproduce` and `make test` set everything up by themselves; `make help` lists the rest.
PYTHON ?= python3
BIN ?= .venv/bin
SCRIPTS := $(wildcard scripts/plot_*.py)
# Only figures for which there is a table: the comparisons' tables come from sweeps that not all have run.
TABLE := results/tables/[a-z0-9_]+\.csv
DRAWN := $(foreach s,$(SCRIPTS),$(if $(wildcard $(shell grep -ohE '$(TABLE)' $(s))),$(s)))
FIGURES := $(DRAWN:scripts/plot_%.py=results/figures/%.pdf)

REPRODUCED := depth_sweep shattered_gradients variance_growth trained_networks
SOURCES := $(shell find conf resexp -name '*.yaml' -o -name '*.py')

.DEFAULT_GOAL := help
.PHONY: help setup lint test slow reproduce figures wheel
.SECONDEXPANSION:

help: ## this list
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready ## make .venv and install into it

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --editable '.[dev]' --constraint constraints.txt
	touch $@

reproduce: setup $(REPRODUCED:%=results/runs/%/.collected) ## the main job: train, measure (or go on with it), collect, draw
	$(MAKE) --no-print-directory figures
	@echo "figures: results/figures; tables: results/tables; what they show: results/FINDINGS.md"

# The commands skip what is done by themselves; the stamp saves even asking, while no source is newer.
results/runs/depth_sweep/.collected: $(SOURCES) | .venv/ready
	$(BIN)/resexp train -m experiment=depth_sweep
	$(BIN)/resexp collect depth_sweep
	touch $@

results/runs/%/.collected: $(SOURCES) | .venv/ready
	$(BIN)/resexp measure -m experiment=$*
	$(BIN)/resexp collect $*
	touch $@

results/runs/trained_networks/.collected: results/runs/depth_sweep/.collected

figures: $(FIGURES) ## redraw what is stale from results/tables/

# A figure depends on its script, what scripts share, and the tables that its script names.
results/figures/%.pdf: scripts/plot_%.py $(wildcard resexp/plots/*.py) \
  $$(wildcard $$(shell grep -ohE 'results/(tables|reference)/[a-z0-9_]+\.csv' scripts/plot_$$*.py)) \
  $$(wildcard results/tables/*.json) results/reference/comparisons.csv
	PYTHONPATH=. $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) $<

test: setup ## the default tests, on the CPU
	$(BIN)/pytest -n auto --maxprocesses 4

slow: setup ## the tests that take minutes
	$(BIN)/pytest -m slow

lint: setup ## ruff: style and errors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

wheel: setup ## build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
