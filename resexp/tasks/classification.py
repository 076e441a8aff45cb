"""Classification: one class for each example."""

from typing import Literal

import torch.nn.functional as F
from torch import Tensor


class Classification:
    """Cross-entropy, and the share of examples whose largest logit is another class's.

    Outputs are logits (batch, classes), targets class numbers (batch,).
    """

    tallies = 1

    def loss(self, output: Tensor, target: Tensor, *, reduction: Literal["mean", "sum"] = "mean") -> Tensor:
        """Cross-entropy in nats, over the examples."""
        return F.cross_entropy(output.float(), target, reduction=reduction)

    def tally(self, output: Tensor, target: Tensor) -> Tensor:
        """Wrong predictions, shape (1,)."""
        return (output.argmax(1) != target).sum().unsqueeze(0)

    def columns(self, tally: list[int], examples: int) -> dict[str, float]:
        """`error_percent`: wrong predictions in percent of the examples."""
        return {"error_percent": 100 * tally[0] / examples}
