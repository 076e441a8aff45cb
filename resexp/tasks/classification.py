"""Single-label classification."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor


class Classification:
    """Cross-entropy loss and top-1 error.

    Outputs: logits (batch, classes). Targets: class indices (batch,).
    """

    tallies, kind = 1, "class"

    def loss(self, output: Tensor, target: Tensor, *, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
        """Cross-entropy, nats."""
        return F.cross_entropy(output.float(), target, reduction=reduction)

    def tally(self, output: Tensor, target: Tensor) -> Tensor:
        """Number of wrong predictions, shape (1,)."""
        return (output.argmax(1) != target).sum().unsqueeze(0)

    def columns(self, tally: list[int], examples: int) -> dict[str, float]:
        """`error_percent`: percentage of wrong predictions."""
        return {"error_percent": 100 * tally[0] / examples}
