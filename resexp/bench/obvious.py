"""The obvious loop that studies of trained networks are compared with: load, change, evaluate everything."""

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.chain import Chain, chain_of
from resexp.measure.loss_surface import filter_normalized, grid
from resexp.measure.run import Run, spread


class Deleted(nn.Module):
    """What is left of a block of a chain without its branch."""

    def __init__(self, chain: Chain, block: int):
        super().__init__()
        self.left = lambda x: chain.without_branch(block, x)

    def forward(self, x: Tensor) -> Tensor:
        return self.left(x)


def lesions(run: Run, *, examples: int, batch_size: int) -> dict[str, pd.DataFrame]:
    """Error of the whole network and without each block; for each the run's network is loaded.

    Args:
        run: its network has a list of residual or plain blocks.
        examples: test examples, spread over the split.
        batch_size: examples at a time.
    Returns:
        `deleted`: block (0: none is deleted), error_percent; those of resexp.measure.lesion.
    """
    x, y = spread(run, "test", examples)
    rows: list[tuple[int, float]] = []
    blocks = len(run.network().blocks)
    for block in range(blocks + 1):
        model = run.network().to(memory_format=torch.channels_last)
        if block:
            model.blocks[block - 1] = Deleted(chain_of(model, x[:2]), block - 1)
        rows.append((block, _error(_logits(model, x, batch_size), y)))
    return {"deleted": pd.DataFrame(rows, columns=["block", "error_percent"])}


def surface(
    run: Run, *, points: int, reach: float, examples: int, batch_size: int, draw_seed: int
) -> dict[str, pd.DataFrame]:
    """The loss on a square grid around a trained network; for each point the run's network is loaded.

    Args:
        run, points, reach, examples, batch_size, draw_seed: see resexp.measure.loss_surface.trained.
    Returns:
        `grid`: x, y, loss (nats), error_percent; those of resexp.measure.loss_surface.
    """
    x, y = spread(run, "train", examples)
    rows: list[tuple[float, ...]] = []
    for place in grid(points, reach):
        model, generator = run.network(), torch.Generator().manual_seed(draw_seed)
        for a, direction in zip(place, [filter_normalized(model, generator) for _ in place], strict=True):
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    weight += a * direction[name]
        logits = _logits(model, x, batch_size)
        rows.append((*place, F.cross_entropy(logits, y).item(), _error(logits, y)))
    return {"grid": pd.DataFrame(rows, columns=["x", "y", "loss", "error_percent"])}


@torch.no_grad()
def _logits(model: nn.Module, x: Tensor, batch_size: int) -> Tensor:
    return torch.cat([model(part) for part in x.split(batch_size)])


def _error(logits: Tensor, y: Tensor) -> float:
    return 100 * (logits.argmax(1) != y).double().mean().item()
