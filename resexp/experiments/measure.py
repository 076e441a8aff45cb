"""`resexp measure`: carry out one measurement and write its tables."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import torch

from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import stop
from resexp.experiments.checks import (
    check_name_and_seed,
    refuse_sizes_below_one,
    refuse_zero_or_less,
    refused_in_a_sentence,
)
from resexp.experiments.devices import device_of, threads_of
from resexp.experiments.recorded import record
from resexp.experiments.runs import folder_of, trained_runs
from resexp.experiments.trained_run import TrainedRun
from resexp.records.run import RunFolder

KINDS = {"random": "random networks", "trained": "trained runs"}  # that a measurement may be made on


def check(config: dict) -> None:
    """Find what would stop a measurement, before anything is computed.

    Raises:
        ConfigError: says what is wrong and what is allowed.
    """
    with refused_in_a_sentence():
        device_of(config["device"])
        check_name_and_seed(config)
        refuse_zero_or_less({"threads": config["threads"]})
        refuse_sizes_below_one("measure", config["measure"])
        if config["run"] is not None and not trained_runs(config):
            raise ValueError(f"run={config['run']} names no finished run; see `resexp status`")
        function_of(config)


def run(config: dict, signals: stop.Signals) -> str:
    """Carry out the measurement of a settled and checked config, unless it is done.

    Returns:
        Its status: done or failed.
    Raises:
        BusyError: another process is at it.
    """
    folder = folder_of(config)
    device = device_of(config["device"])
    torch.set_num_threads(threads_of(config["threads"]))
    with folder.held():
        if folder.is_finished:  # by another process
            return "done"
        return record(folder, config, device, 1, partial(_work, config, folder, device))


def start_workers(
    runs: list[dict], one: Callable[[dict], None], signals: stop.Signals
) -> Callable[[], object]:
    """A sweep of measurements has one worker: there is nothing to start or to wait for."""
    return lambda: None


def function_of(config: dict) -> Callable[..., dict[str, pd.DataFrame]]:
    """The measurement that a config describes, with its options.

    A measurement's file names a function for what it can be made on: `random`, called with (seed=, device=),
    and `trained`, called with a resexp.measure.run.Run.

    Raises:
        ValueError: it has none for what was asked for, or an option was set that this one does not take.
    """
    node = dict(config["measure"])
    name, functions = node.pop("name"), {kind: node.pop(kind, None) for kind in KINDS}
    kind = "random" if config["run"] is None else "trained"
    if functions[kind] is None:
        there = " and ".join(words for key, words in KINDS.items() if functions[key])
        way = "name them with run=..." if kind == "random" else "leave out run=..."
        raise ValueError(f"measure={name} is made on {there} only: {way}")
    taken = inspect.signature(make(functions[kind], "measure").func).parameters
    options = {key: value for key, value in node.items() if key in taken}
    if unused := node.keys() - options.keys():
        _refuse_changed(name, unused, node, KINDS[kind], options)
    return make(functions[kind] | options, "measure")


def _refuse_changed(name: str, unused: set[str], node: dict, what: str, options: dict[str, Any]) -> None:
    """Options that a measurement does not take may stand in its file, but nobody may set them."""
    defaults = resolve(compose("measure", [f"measure={name}"]))["measure"]
    if changed := sorted(key for key in unused if node[key] != defaults.get(key)):
        raise ValueError(
            f"measure={name} on {what} does not take {', '.join(f'measure.{key}' for key in changed)};"
            f" it takes {', '.join(options) or 'no options'}"
        )


def _work(config: dict, folder: RunFolder, device: torch.device) -> tuple[str, int]:
    measure = function_of(config)
    if config["run"] is None:
        for name, table in measure(seed=config["seed"], device=device).items():
            folder.write_table(name, table)
        return "done", 1
    found: dict[str, list[pd.DataFrame]] = {}
    for run in trained_runs(config):
        trained = TrainedRun(run, device)
        for name, table in measure(trained).items():
            for position, (key, value) in enumerate(trained.config["labels"].items()):
                table.insert(position, key, value)
            found.setdefault(name, []).append(table)
        print(f"{folder.name}: {run.name}", flush=True)
    for name, tables in found.items():
        folder.write_table(name, *tables)
    return "done", 1
