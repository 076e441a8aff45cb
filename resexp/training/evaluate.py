"""Loss and error over a whole split."""

from collections.abc import Iterable
from contextlib import AbstractContextManager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.training.precision import channels_last_layout


@torch.no_grad()
def evaluate(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    autocast: AbstractContextManager,
    channels_last: bool,
) -> tuple[float, float]:
    """Mean cross-entropy (nats) and error (percent) in evaluation mode, in one view per example.

    Args:
        model: is put back into the mode it came in.
        batches: (inputs as the network receives them, targets) on the model's device; the result
            does not depend on their size.
        autocast: entered around each forward pass.
        channels_last: memory layout of the batches.
    """
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    loss = torch.zeros((), dtype=torch.float64, device=device)
    wrong = torch.zeros((), dtype=torch.int64, device=device)
    examples = 0
    for x, y in batches:
        with autocast:
            logits = model(channels_last_layout(x) if channels_last else x).float()
        loss += F.cross_entropy(logits, y, reduction="sum")
        wrong += (logits.argmax(1) != y).sum()
        examples += len(y)
    model.train(was_training)
    return loss.item() / examples, 100 * wrong.item() / examples
