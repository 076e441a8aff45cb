"""A finished run with its networks and data, as measurements receive it."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from resexp.experiments import build
from resexp.experiments.data import on_device
from resexp.records import points
from resexp.records.identity import digest
from resexp.records.run import RunFolder
from resexp.training import checkpoint


class TrainedRun:
    """See resexp.measure.run.Run.

    Args:
        folder: of a finished run.
        device: of its networks and data.
        kept: folder for the points of a measurement of this run; None: they are not kept.
    """

    def __init__(self, folder: RunFolder, device: torch.device, kept: Path | None = None):
        self.folder, self.device, self.config, self.kept = folder, device, folder.config(), kept
        kept = [f"step-{step}" for step in checkpoint.steps_of_networks(folder.path)]
        self.stages = ["trained"] if "imported" in self.config else ["initial", *kept, "trained"]

    def network(self, stage: str = "trained") -> nn.Module:
        """A new copy of the network at a stage, in evaluation mode.

        Raises:
            ValueError: unknown stage, or its checkpoint is missing or unreadable.
        """
        if stage not in self.stages:
            raise ValueError(f"{self.folder.name} has the stages {', '.join(self.stages)}, not {stage}")
        model = build.build_model(self.config, self.device)
        if stage != "initial":
            model.load_state_dict(self._weights(stage))
        return model.eval()

    def _weights(self, stage: str) -> dict:
        where = {"device": self.device, "run": digest(self.config)}
        if stage != "trained":
            return checkpoint.network(self.folder.path, int(stage.removeprefix("step-")), **where)
        state, _ = checkpoint.load(self.folder.path, **where)
        if state is None:
            raise ValueError(f"{self.folder.path} has no checkpoint: train it again")
        ended = self.folder.recorded()
        if ended["status"] == "done" and state.get("step", ended["step"]) != ended["step"]:
            raise ValueError(
                f"no checkpoint in {self.folder.path} is of its last step, {ended['step']}, but one of"
                f" {state['step']}; delete this folder to train the run again"
            )
        return state["model"]

    def batches(self, split: str, batch_size: int) -> Iterable[tuple[Tensor, Tensor]]:
        """A whole split, normalized as in training, without augmentation."""
        return on_device(self.config, self.device).split(split, batch_size)

    def examples(self, split: str, count: int) -> tuple[Tensor, Tensor]:
        """The first `count` examples of a split, or all if it has fewer."""
        inputs, targets, found = [], [], 0
        for x, y in self.batches(split, min(count, 1000)):
            inputs.append(x[: count - found])
            targets.append(y[: count - found])
            found += len(targets[-1])
            if found >= count:
                break
        return torch.cat(inputs), torch.cat(targets)

    def each(self, name: str, keys: Sequence, compute: Callable[..., Sequence]) -> list[list]:
        """compute(key) for each key; those that were kept are not computed again."""
        path = self.kept / f"{self.folder.name}-{name}" if self.kept else None
        return points.each(path, keys, compute)
