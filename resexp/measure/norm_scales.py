"""Scales gamma of normalization by block, before and after training."""

import pandas as pd
from torch import nn

from resexp.measure.run import Run, before_and_after


def trained(run: Run) -> dict[str, pd.DataFrame]:
    """How much each block's branch is let through: the scales of its last normalization.

    A branch that ends in a normalization is as large as its gamma: at gamma = 0 the block is the
    identity. Branches that do not end in one (pre-activation) still have a last one, whose gamma
    scales what the last convolution reads.

    Args:
        run: its networks have `blocks`, each with a `transform` as resexp.models.blocks builds it; a
            normalization is what its network was given as one (resexp.models.parts).
    Returns:
        `scales`: stage, block (from 1), scale_mean (of the absolute values over the channels),
        scale_lowest, scale_highest.
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
