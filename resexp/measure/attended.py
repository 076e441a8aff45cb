"""What spatial transformers look at (Jaderberg et al. 2015)."""

import pandas as pd
import torch
from torch import Tensor

from resexp.measure.run import Run

ENTRIES = ("theta_11", "theta_12", "theta_13", "theta_21", "theta_22", "theta_23")


@torch.no_grad()
def trained(run: Run, *, examples: int) -> dict[str, pd.DataFrame]:
    """Inputs, where each transformer looks, and the patch that it passes on.

    Args:
        run: its network begins with spatial transformers (resexp.models.spatial_transformer).
        examples: the first ones of the test split.
    Returns:
        `theta`: example, target, answer (class numbers), transformer (from 1), theta_11 to theta_23 (from
        (x, y, 1) in the patch to (x, y) in the input, both from -1 to 1); `pixels`: example, image (0: the
        input; else the transformer), channel, row, values (of that row's pixels, separated by spaces).
    Raises:
        ValueError: the network has no spatial transformers.
    Source: Jaderberg et al. 2015 (arXiv:1506.02025), appendix A.1's figure of inputs and samples.
    """
    model = run.network()
    transformers = getattr(model, "transformers", ())
    if not len(transformers):
        raise ValueError(
            "measure=attended needs a network that begins with spatial transformers: train one with"
            " model=stn, with model.transformers of at least 1"
        )
    x, y = run.examples("test", examples)
    images = x.unsqueeze(2) if x.dim() == 3 else x
    answers = model(x).argmax(1).tolist()
    rows, pixels = [], _rows_of(0, images)
    for index, transformer in enumerate(transformers, start=1):
        pixels += _rows_of(index, transformer(images))
        for example, theta in enumerate(transformer.theta(images).flatten(1).tolist()):
            rows.append((example, int(y[example]), answers[example], index, *theta))
    return {
        "theta": pd.DataFrame(rows, columns=["example", "target", "answer", "transformer", *ENTRIES]),
        "pixels": pd.DataFrame(pixels, columns=["example", "image", "channel", "row", "values"]),
    }


def _rows_of(image: int, x: Tensor) -> list[tuple]:
    """One entry for each row of each channel, to three digits."""
    return [
        (example, image, channel, row, " ".join(f"{value:.3g}" for value in values))
        for example, channels in enumerate(x.tolist())
        for channel, lines in enumerate(channels)
        for row, values in enumerate(lines)
    ]
