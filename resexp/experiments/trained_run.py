"""A finished run with its networks and its data, for measurements."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from resexp.experiments import build
from resexp.experiments.data import on_device
from resexp.records.run import RunFolder
from resexp.training import checkpoint


class TrainedRun:
    """See resexp.measure.run.Run.

    Args:
        folder: of a finished run.
        device: where its networks and its data go.
    """

    def __init__(self, folder: RunFolder, device: torch.device):
        self.folder, self.device, self.config = folder, device, folder.config()
        self.stages = ("trained",) if "imported" in self.config else ("initial", "trained")

    def network(self, stage: str = "trained") -> nn.Module:
        """The network as it was at a stage, in evaluation mode; a new one at every call.

        Raises:
            ValueError: no such stage, or its checkpoint cannot be read.
        """
        if stage not in self.stages:
            raise ValueError(f"{self.folder.name} has the stages {', '.join(self.stages)}, not {stage}")
        model = build.build_model(self.config, self.device)
        if stage == "trained":
            state = checkpoint.load(self.folder.path, self.device)
            if state is None:
                raise ValueError(f"{self.folder.path} holds no checkpoint: train it again")
            model.load_state_dict(state["model"])
        return model.eval()

    def batches(self, split: str, batch_size: int) -> Iterable[tuple[Tensor, Tensor]]:
        """All of a split, normalized as in training, without augmentation."""
        return on_device(self.config, self.device).split(split, batch_size)

    def examples(self, split: str, count: int) -> tuple[Tensor, Tensor]:
        """The first examples of a split; fewer where it has fewer."""
        inputs, targets, found = [], [], 0
        for x, y in self.batches(split, min(count, 1000)):
            inputs.append(x[: count - found])
            targets.append(y[: count - found])
            found += len(targets[-1])
            if found >= count:
                break
        return torch.cat(inputs), torch.cat(targets)
