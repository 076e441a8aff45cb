"""Evaluate a network on a whole split."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from resexp.training.interfaces import Task
from resexp.training.parallel import ALONE, Alone, Together
from resexp.training.precision import channels_last_layout


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    task: Task,
    *,
    autocast: AbstractContextManager,
    channels_last: bool,
    processes: Alone | Together = ALONE,
) -> dict[str, float]:
    """Mean loss and the task's columns, in evaluation mode, without test-time augmentation.

    Args:
        model: its train/eval mode is restored afterwards.
        batches: (network inputs, targets) on the model's device; the result does not depend on
            the batch size.
        task: computes loss and counts.
        autocast: entered around each forward pass.
        channels_last: memory layout of the batches.
        processes: among which the batches are divided.
    Returns:
        `loss` and the columns of Task.columns.
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=device)
    tally = torch.zeros(task.tallies, dtype=torch.int64, device=device)
    examples = 0
    for x, y in batches:
        with autocast:
            output = model(channels_last_layout(x) if channels_last else x)
        loss += task.loss(output, y, reduction="sum")
        tally += task.tally(output, y)
        examples += len(y)
    model.train(was_training)
    loss, tally, count = processes.sums(loss, tally, torch.tensor(examples, device=device))
    return {"loss": loss.item() / count.item(), **task.columns(tally.tolist(), count.item())}
