"""Evaluate a network on a whole split."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from resexp.training.interfaces import Task
from resexp.training.parallel import ALONE, Alone, Together
from resexp.training.precision import channels_last_layout
from resexp.training.step import Captured


class Evaluator:
    """Mean loss and the task's columns of a split, in evaluation mode, without test-time augmentation.

    Args:
        model: its train/eval mode is restored afterwards.
        task: computes loss and counts.
        autocast: entered around each forward pass.
        channels_last: memory layout of the batches.
        captured: capture the work of a batch as a CUDA graph and replay it for every later one of the shape
            of the very first; others, such as the last of a split, run eagerly. Call it within
            resexp.training.step.own_stream.
        processes: among which the batches are divided.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        *,
        autocast: AbstractContextManager,
        channels_last: bool,
        captured: bool = False,
        processes: Alone | Together = ALONE,
    ):
        self.model, self.task, self.processes = model, task, processes
        self.autocast, self.channels_last = autocast, channels_last
        self.device = next(model.parameters()).device
        self.loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self.tally = torch.zeros(task.tallies, dtype=torch.int64, device=self.device)
        self.launch = Captured(lambda: self._add(*self.batch), []) if captured else None
        self.batch: tuple[Tensor, Tensor] | None = None  # what a captured call reads

    @torch.no_grad()
    def __call__(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """Evaluate the model as it is now. Synchronizes with the device.

        Args:
            batches: (network inputs, targets) on the model's device; the result does not depend on
                the batch size.
        Returns:
            `loss` and the columns of Task.columns.
        """
        was_training = self.model.training
        self.model.eval()
        for total in (self.loss, self.tally):
            total.zero_()
        examples = 0
        for x, y in batches:
            self._replay(x, y) if self.launch else self._add(x, y)
            examples += len(y)
        self.model.train(was_training)
        counted = torch.tensor(examples, device=self.device)
        loss, tally, count = self.processes.sums(self.loss, self.tally, counted)
        return {"loss": loss.item() / count.item(), **self.task.columns(tally.tolist(), count.item())}

    def close(self) -> None:
        """Break the reference cycle with the captured call, so that memory is freed at once."""
        self.launch = self.batch = None

    def _add(self, x: Tensor, y: Tensor) -> None:
        """The device's part of a batch, without synchronization."""
        with self.autocast:
            output = self.model(channels_last_layout(x) if self.channels_last else x)
        self.loss += self.task.loss(output, y, reduction="sum")
        self.tally += self.task.tally(output, y)

    def _replay(self, x: Tensor, y: Tensor) -> None:
        if self.batch is None:
            self.batch = x.clone(), y.clone()
        if any(new.shape != old.shape for new, old in zip((x, y), self.batch, strict=True)):
            return self._add(x, y)
        for new, old in zip((x, y), self.batch, strict=True):
            old.copy_(new)
        self.launch()
