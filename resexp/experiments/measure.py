"""`resexp measure`: run one measurement and write its tables."""

import inspect
import shutil
from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
import torch

from resexp.config.catalog import option
from resexp.config.instantiate import make
from resexp.experiments import stop
from resexp.experiments.checks import (
    check_name_and_seed,
    check_threads,
    refuse_repeated,
    refuse_sizes_below_one,
    refused_in_a_sentence,
)
from resexp.experiments.devices import device_of, threads_of
from resexp.experiments.recorded import record
from resexp.experiments.runs import damaged_runs, folder_of, trained_runs
from resexp.experiments.trained_run import TrainedRun
from resexp.records.run import RunFolder
from resexp.training.precision import set_tf32

FEW = 3  # damaged runs that a refusal names
# What a measurement can be applied to: trained runs one by one, or all of them at once.
KINDS = {"random": "random networks", "trained": "trained runs", "together": "trained runs together"}


def check(config: dict) -> None:
    """Validate a measurement's config before anything is computed.

    Raises:
        ConfigError: a setting is invalid; the message says what is allowed.
    """
    with refused_in_a_sentence():
        device_of(config["device"])
        check_name_and_seed(config)
        check_threads("threads", config["threads"])
        refuse_sizes_below_one("measure", config["measure"])
        refuse_repeated("measure", config["measure"])
        if config["run"] is not None and not trained_runs(config):
            damaged = "; ".join(damaged_runs(config)[:FEW])
            raise ValueError(
                f"run={config['run']} matches no finished run; {damaged or 'see `resexp status`'}"
            )
        function_of(config)


def run(config: dict, signals: stop.Signals) -> str:
    """Run the measurement of a settled and checked config, unless it is finished.

    Returns:
        Its status: done or failed.
    Raises:
        BusyError: another process is running it.
    """
    folder = folder_of(config)
    device = device_of(config["device"])
    torch.set_num_threads(threads_of(config["threads"]))
    set_tf32(False)
    with folder.held():
        if folder.is_finished:  # by another process in the meantime
            return "done"
        return record(folder, config, device, 1, partial(_work, config, folder, device))


def start_workers(
    runs: list[dict], one: Callable[[dict], None], signals: stop.Signals
) -> Callable[[], object]:
    """Sweeps of measurements run in this process alone, so there are no workers to start or wait for."""
    return lambda: None


def function_of(config: dict) -> Callable[..., dict[str, pd.DataFrame]]:
    """The measurement function of a config, with its options bound.

    A measurement's yaml file names up to two functions: `random`, called with (seed=, device=), and
    `trained`, called with a resexp.measure.run.Run, or in its place `together`, called with all of them.

    Raises:
        ValueError: there is no function for random networks (or trained runs), or an option was
            changed that this function does not take.
    """
    node = dict(config["measure"])
    name, functions = node.pop("name"), {kind: node.pop(kind, None) for kind in KINDS}
    kind = "random" if config["run"] is None else "together" if functions["together"] else "trained"
    if functions[kind] is None:
        supported = " and ".join(words for key, words in KINDS.items() if functions[key])
        remedy = "select them with run=..." if kind == "random" else "omit run=..."
        raise ValueError(f"measure={name} supports {supported} only: {remedy}")
    taken = inspect.signature(make(functions[kind], "measure").func).parameters
    options = {key: value for key, value in node.items() if key in taken}
    if unused := node.keys() - options.keys():
        _refuse_changed(name, unused, node, KINDS[kind], options)
    return make(functions[kind] | options, "measure")


def _refuse_changed(name: str, unused: set[str], node: dict, what: str, options: dict[str, Any]) -> None:
    """Raise if an unused option was changed; unused defaults in the yaml file are fine."""
    defaults = option("measure", name)
    if changed := sorted(key for key in unused if node[key] != defaults.get(key)):
        raise ValueError(
            f"measure={name} on {what} does not take {', '.join(f'measure.{key}' for key in changed)};"
            f" it takes {', '.join(options) or 'no options'}"
        )


def _work(config: dict, folder: RunFolder, device: torch.device) -> tuple[str, int]:
    measure, kept = function_of(config), folder.path / "points"
    if config["run"] is None:
        for name, table in measure(seed=config["seed"], device=device).items():
            folder.write_table(name, table)
        return "done", 1
    for reason in damaged_runs(config):
        print(f"{folder.name}: left out: {reason}", flush=True)
    if "together" in config["measure"]:
        for name, table in measure([TrainedRun(run, device) for run in trained_runs(config)]).items():
            folder.write_table(name, table)
        return "done", 1
    found: dict[str, list[pd.DataFrame]] = {}
    kept.mkdir(exist_ok=True)
    for run in trained_runs(config):
        trained = TrainedRun(run, device, kept)
        for name, table in measure(trained).items():
            for position, (key, value) in enumerate(trained.config["labels"].items()):
                table.insert(position, key, value)
            found.setdefault(name, []).append(table)
        print(f"{folder.name}: {run.name}", flush=True)
    for name, tables in found.items():
        folder.write_table(name, *tables)
    shutil.rmtree(kept)
    return "done", 1
