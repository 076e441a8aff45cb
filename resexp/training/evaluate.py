"""Loss and error over a whole split."""

from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.training.precision import channels_last_layout


@torch.no_grad()
def evaluate(
    model: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    *,
    prepare,
    batch_size: int,
    autocast: AbstractContextManager,
    channels_last: bool,
) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (percent) in evaluation mode, in one view per example.

    Args:
        model: is put back into the mode it came in.
        inputs, targets: the split, on the model's device.
        prepare: inputs of a batch -> what the network receives.
        batch_size: examples at a time; the result does not depend on it.
        autocast: entered around each forward pass.
        channels_last: memory layout of the batches.
    """
    was_training = model.training
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=targets.device)
    wrong = torch.zeros((), dtype=torch.int64, device=targets.device)
    for x, y in zip(inputs.split(batch_size), targets.split(batch_size), strict=True):
        x = prepare(x)
        with autocast:
            logits = model(channels_last_layout(x) if channels_last else x).float()
        loss += F.cross_entropy(logits, y, reduction="sum")
        wrong += (logits.argmax(1) != y).sum()
    model.train(was_training)
    return loss.item() / len(targets), 100 * wrong.item() / len(targets)
