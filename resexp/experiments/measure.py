"""`resexp measure`: carry out one measurement and write its tables."""

import inspect
from collections.abc import Callable
from functools import partial

import torch

from resexp.config.instantiate import make
from resexp.data.dataset import hold_out
from resexp.data.preprocess import normalizer
from resexp.experiments import build
from resexp.experiments.checks import (
    check_name_and_seed,
    refuse_sizes_below_one,
    refuse_zero_or_less,
    refused_in_a_sentence,
)
from resexp.experiments.data import load_dataset
from resexp.experiments.devices import device_of, threads_of
from resexp.experiments.recorded import recorded
from resexp.experiments.runs import folder_of, trained_runs
from resexp.records.run import RunFolder
from resexp.training import checkpoint


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
        function = make(config["measure"], "measure").func
        if config["run"] is not None:
            if not trained_runs(config):
                raise ValueError(f"run={config['run']} names no finished run; see `resexp status`")
            _of_trained(function)


def run(config: dict) -> str:
    """Carry out the measurement of a resolved and checked config, unless it is done.

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
        return recorded(folder, config, device, 1, partial(_work, config, folder, device))


def share(runs: list[dict], one: Callable[[dict], None]) -> Callable[[], None]:
    """A sweep of measurements has one worker: there is nothing to start or to wait for."""
    return lambda: None


def _work(config: dict, folder: RunFolder, device: torch.device) -> tuple[str, int]:
    measure = make(config["measure"], "measure")
    if config["run"] is None:
        tables = measure(seed=config["seed"], device=device)
        for name, table in tables.items():
            folder.write_table(name, table)
        return "done", 1
    function = _of_trained(measure.func)
    wanted = inspect.signature(function).parameters
    options = {key: value for key, value in measure.keywords.items() if key in wanted}
    found: dict[str, list] = {}
    for run in trained_runs(config):
        settings = run.config()
        networks = before_and_after(run, device)
        # with the statistics of what it was trained on
        data = hold_out(load_dataset(settings), settings["dataset"]["val_size"])[0].to(device)
        prepared = normalizer(data.inputs)(data.test_inputs)
        for name, table in function(networks, prepared, data.test_targets, **options).items():
            for position, (key, value) in enumerate(settings["labels"].items()):
                table.insert(position, key, value)
            found.setdefault(name, []).append(table)
        print(f"{folder.name}: {run.name}", flush=True)
    for name, tables in found.items():
        folder.write_table(name, *tables)
    return "done", 1


def before_and_after(run: RunFolder, device: torch.device) -> dict[str, torch.nn.Module]:
    """The networks of a run as it was initialized and as it was trained."""
    settings = run.config()
    networks = {stage: build.build_model(settings, device) for stage in ("initial", "trained")}
    networks["trained"].load_state_dict(checkpoint.load(run.path, device)["model"])
    return networks


def _of_trained(function):
    """The measurement's counterpart for given networks: `trained` in the same module."""
    module = inspect.getmodule(function)
    if not hasattr(module, "trained"):
        raise ValueError(f"{module.__name__} measures random networks only; leave out run=...")
    return module.trained
