"""Scale gamma of each block's last normalization, before and after training."""

import pandas as pd
from torch import nn

from resexp.measure.run import Run, before_and_after


def trained(run: Run) -> dict[str, pd.DataFrame]:
    """Contribution of each block's branch, measured by the scale of its last normalization.

    If a branch ends in a normalization, gamma determines its magnitude: at gamma = 0 the block is the
    identity. In pre-activation blocks the last normalization is followed by a convolution, whose input
    it scales.

    Args:
        run: its networks have `blocks`, each with a `transform` (see resexp.models.blocks);
            normalization layers have `normalizes`, as set by resexp.models.parts.
    Returns:
        `scales`: stage, block (from 1), and scale_mean, scale_lowest and scale_highest of the absolute
        values over the channels.
    Raises:
        ValueError: a block without a normalization that has a scale.
    """
    rows = []
    for stage in before_and_after(run):
        for number, block in enumerate(run.network(stage).blocks, start=1):
            scale = _last_scale(block).detach().abs()
            rows.append((stage, number, scale.mean().item(), scale.min().item(), scale.max().item()))
    columns = ["stage", "block", "scale_mean", "scale_lowest", "scale_highest"]
    return {"scales": pd.DataFrame(rows, columns=columns)}


def _last_scale(block: nn.Module) -> nn.Parameter:
    branch = getattr(block, "transform", block)
    norms = [module for module in branch.modules() if getattr(module, "normalizes", False)]
    scales = [norm.weight for norm in norms if getattr(norm, "weight", None) is not None]
    if not scales:
        raise ValueError("measure=norm_scales needs blocks with a normalization that has a scale")
    return scales[-1]
