"""resexp from Python, e.g. in a notebook: train, load, look at rows and options.

    import resexp

    plain, residual = (resexp.train(name, schedule__steps=480) for name in ("plain20", "resnet20"))
    resexp.rows(plain, residual).pivot(index="step", columns="model", values="train_error_percent").plot()

Settings are those of the command line, with `__` in place of the dot: `model__depth=110`. torch and
Hydra are imported by the functions that need them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resexp.config.keywords import in_python, overrides
from resexp.exits import copies

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from resexp.records.run import RunFolder


class Run:
    """A run on record, finished or not.

    Args:
        path: its folder.
    Raises:
        ValueError: there is no run in this folder.
    """

    def __init__(self, path: str | PathLike[str]):
        self.path = Path(path)
        if not (self.path / "config.json").is_file():
            raise ValueError(f"{self.path} holds no run: give the folder of one, below results/runs")

    def __repr__(self) -> str:
        return f"<Run {self.path.name}: {self.status}>"

    @property
    def status(self) -> str:
        """done, diverged, running, interrupted, failed, ..., as `resexp status` shows it."""
        return str(self._folder().state()["status"])

    @property
    def config(self) -> dict[str, Any]:
        """The resolved settings."""
        return self._folder().config()

    @property
    def rows(self) -> "pd.DataFrame":
        """One row per interval: the labels (dataset, model, depth, norm, seed), step, losses and errors."""
        import pandas as pd

        table = pd.DataFrame(self._folder().rows())
        for column in table:
            table[column] = pd.to_numeric(table[column])
        for place, (name, value) in enumerate(self.config["labels"].items()):
            table.insert(place, name, value)
        return table

    def network(self, stage: str = "trained") -> "nn.Module":
        """The network on the CPU, in evaluation mode.

        Args:
            stage: initial or trained.
        Raises:
            ValueError: another stage, or the run has no finished checkpoint.
        """
        import torch

        from resexp.experiments.trained_run import TrainedRun

        return TrainedRun(self._folder(), torch.device("cpu")).network(stage)

    def _folder(self) -> "RunFolder":
        from resexp.records.run import RunFolder

        return RunFolder(self.path)


def train(model: str, /, *, runs: str | PathLike[str] = "results/runs", **choices: Any) -> Run:
    """Train a network, resume it, or find it finished: the same call never trains twice.

    Args:
        model: one of `resexp.options("model")`.
        runs: folder of all runs; the run's own lies below it, in a folder named by `name`.
        choices: options of the other groups and settings, as of `resexp train`: `norm="group"`,
            `model__depth=110`, `seed=3`, `train__max_minutes=10`.
    Returns:
        The run: done, diverged, or interrupted by a time limit.
    Raises:
        ValueError: an unknown setting, or one out of range; the message says what is allowed. Under torchrun.
        RuntimeError: the run failed; its folder has the traceback.
        KeyboardInterrupt: stopped from the keyboard, with a checkpoint; the same call resumes.
    """
    if copies() > 1:
        raise ValueError("torchrun shares a network with the command alone: torchrun ... -m resexp train ...")
    from resexp.config.compose import compose, resolve
    from resexp.experiments import train as command
    from resexp.experiments.runs import folder_of, settle
    from resexp.experiments.stop import Signals
    from resexp.records.run import BusyError

    with in_python(), _threads_restored():
        settings = resolve(compose("train", overrides(model, choices)))
        settings["train"]["runs"] = str(runs)
        settings = settle(settings)
        folder = folder_of(settings)
        if not folder.is_finished:
            command.check(settings)
        try:
            status = command.run(settings, Signals())
        except SystemExit as stopped:  # how a command ends after a signal
            raise KeyboardInterrupt from stopped
        except BusyError as busy:
            raise RuntimeError(str(busy)) from None
    if status == "failed":
        raise RuntimeError(
            f"{folder.name} failed, {folder.state()['error']}; see {folder.path / 'error.txt'}"
        )
    return Run(folder.path)


def load(run: Run | str | PathLike[str]) -> "nn.Module":
    """The trained network of a run, on the CPU, in evaluation mode.

    Args:
        run: from `train` or `found`, or the path of its folder.
    Raises:
        ValueError: there is no run in this folder, or it has no checkpoint.
    """
    return (run if isinstance(run, Run) else Run(run)).network()


def found(pattern: str | PathLike[str]) -> list[Run]:
    """The runs whose folders match a pattern such as "results/runs/depth_sweep/*", by name."""
    return [Run(path) for path in sorted(glob(str(pattern))) if (Path(path) / "config.json").is_file()]


def rows(*runs: Run | str | PathLike[str]) -> "pd.DataFrame":
    """The rows of runs, one below the other, with a column `run`.

    Args:
        runs: runs, their folders, or patterns as of `found`.
    Raises:
        ValueError: nothing matches.
    """
    import pandas as pd

    chosen = [run for item in runs for run in ([item] if isinstance(item, Run) else found(item))]
    if not chosen:
        raise ValueError(f"no run matches {', '.join(map(str, runs)) or 'nothing'}")
    return pd.concat([run.rows.assign(run=run.path.name) for run in chosen], ignore_index=True)


def options(group: str) -> dict[str, str]:
    """The options of a group (model, norm, dataset, experiment, ...) with a line on each.

    Raises:
        ValueError: there is no such group; the message lists them.
    """
    from resexp.config.catalog import options as listed

    return listed(group)


def build_model(name: str, **choices: Any) -> "nn.Module":
    """Build a network by its name in conf/model.

        resexp.build_model("resnet56", norm="group")

    Networks of the papers' tables (resnet56, wide28_10, ...) are built for the images that they are
    published for: CIFAR-10, or ImageNet (imagenet_...). The others are built for the default dataset,
    MNIST-1D, unless `dataset` says otherwise.

    Args:
        name: one of `resexp.options("model")`.
        choices: see `train`.
    Returns:
        The torch.nn.Module on the CPU, initialized from the seed (default 0).
    Raises:
        ValueError: an unknown name, group or option; the message lists the valid ones.
    """
    if "model" in choices:
        raise ValueError(f"two networks given, {name} and {choices['model']}: choose one")
    from resexp.config.compose import compose, resolve
    from resexp.experiments.build import build_model as build

    published_for = [] if "dataset" in choices else _images(name)
    with in_python():
        return build(resolve(compose("train", [*published_for, *overrides(name, choices)])))


def _images(model: str) -> list[str]:
    if model.startswith("imagenet_"):
        return ["dataset=fake", "dataset.num_classes=1000"]
    return ["dataset=cifar10"] if model[-1:].isdigit() else []


@contextmanager
def _threads_restored() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(before)
