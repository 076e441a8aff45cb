"""Fully convolutional networks on inputs of other sizes than they were trained on."""

import copy
from collections.abc import Callable, Sequence

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.run import Run, spread

MODES = {3: "linear", 4: "bilinear"}  # of interpolation, by the dimensions of a batch


def enlarged(x: Tensor, factor: float) -> Tensor:
    """A batch of sequences or images, enlarged by linear interpolation; sizes are rounded."""
    size = [max(1, round(side * factor)) for side in x.shape[2:]]
    return F.interpolate(x, size=size, mode=MODES[x.dim()], align_corners=False)


@torch.no_grad()
def at_scale(model: nn.Module, x: Tensor, y: Tensor, factor: float, batch_size: int) -> dict[str, float]:
    """Error and confidence on enlarged inputs.

    Args:
        model: in evaluation mode, for inputs of any size.
        x, y: inputs and class numbers.
        factor: how many times each side is.
        batch_size: inputs of the original size at a time; of larger ones as many fewer as they are larger.
    Returns:
        error_percent, confidence (probability of the answer), probability (of the right class); means.
    """
    fewer = max(1, round(batch_size / factor ** (x.dim() - 2)))
    logits = torch.cat([model(enlarged(part, factor)) for part in x.split(fewer)])
    shares = logits.double().softmax(1)
    return {
        "error_percent": 100 * (logits.argmax(1) != y).double().mean().item(),
        "confidence": shares.max(1).values.mean().item(),
        "probability": shares.gather(1, y.unsqueeze(1)).mean().item(),
    }


def convolutional(model: nn.Module, x: Tensor) -> Callable[[Tensor], Tensor]:
    """A network that gives logits at every position of a larger input.

    The linear classifier becomes a 1x1 convolution, and global average pooling a mean over windows of the
    size that it covers at the size of x, one position apart. On inputs of that size there is one window,
    whose logits are the network's.

    Args:
        model: in evaluation mode, with `features`, global average pooling and a linear `head`.
        x: a batch of inputs of the original size.
    Returns:
        inputs -> (batch, classes, rows, columns).
    Raises:
        ValueError: another kind of network.
    """
    heads = [m for m in model.modules() if isinstance(m, nn.Linear)]
    if not hasattr(model, "features") or len(heads) != 1:
        raise ValueError(
            "heat maps need a network with features, global average pooling and one linear layer"
        )
    with torch.no_grad():
        window = model.features(x[:1]).shape[2:]
    head = copy.deepcopy(heads[0])

    def dense(inputs: Tensor) -> Tensor:
        found = F.avg_pool2d(model.features(inputs), tuple(window), stride=1)
        return F.conv2d(found, head.weight[:, :, None, None], head.bias)

    return dense


@torch.no_grad()
def heat_map(model: nn.Module, x: Tensor, y: Tensor, canvas: int) -> pd.DataFrame:
    """Probability of an input's class at each position of a canvas that holds it in its middle.

    Args:
        model: see convolutional.
        x, y: inputs and class numbers.
        canvas: how many times the input's sides it is; elsewhere it is zero, the mean of the inputs.
    Returns:
        row, column (of the window), offset (of its centre from the input's, Euclidean, in units of the
        input's side), probability (mean over the inputs).
    """
    margins = [(canvas - 1) * side / 2 for side in reversed(x.shape[2:])]
    padding = [cut for margin in margins for cut in (int(margin), round(2 * margin) - int(margin))]
    shares = convolutional(model, x)(F.pad(x, padding)).double().softmax(1)
    mean = shares[torch.arange(len(y), device=y.device), y].mean(0)  # (rows, columns)
    rows, columns = mean.shape
    places = [
        (r, c, canvas_offset(r, rows, canvas), canvas_offset(c, columns, canvas))
        for r in range(rows)
        for c in range(columns)
    ]
    table = pd.DataFrame(places, columns=["row", "column", "down", "right"])
    table["offset"] = (table.pop("down") ** 2 + table.pop("right") ** 2) ** 0.5
    return table.assign(probability=mean.flatten().tolist())


def canvas_offset(place: int, places: int, canvas: int) -> float:
    """Of a window's centre from the middle of the canvas, in units of the window's side."""
    return 0.0 if places == 1 else (canvas - 1) * (place / (places - 1) - 0.5)


def trained(
    run: Run, *, factors: Sequence[float], examples: int, canvas: int, canvas_examples: int, batch_size: int
) -> dict[str, pd.DataFrame]:
    """Error and confidence on enlarged test examples, and where on a larger canvas a class is seen.

    Args:
        run: its network takes inputs of any size.
        factors: of the sides; 1 is the original size.
        examples: test examples, spread over the split.
        canvas: side of the canvas, in sides of an example.
        canvas_examples: of these, laid on a canvas each.
        batch_size: examples of the original size at a time; the numbers do not depend on it.
    Returns:
        `scales`: factor, error_percent, confidence, probability (see at_scale); `heat`: row, column,
        offset, probability (see heat_map).
    Raises:
        ValueError: a factor of zero or less; a network without one linear head behind global pooling.
    Source: a demonstration in lectures on fully convolutional networks; Long et al. 2015
    (arXiv:1411.4038), section 3.1, for the classifier as a convolution. Nothing published is compared.
    """
    if min(factors) <= 0:
        raise ValueError(f"measure.factors must be above 0, got {min(factors)}")
    x, y = spread(run, "test", examples)
    model = run.network().to(memory_format=torch.channels_last)
    columns = ["error_percent", "confidence", "probability"]

    def at(factor: float) -> list[float]:
        found = at_scale(model, x, y, factor, batch_size)
        return [found[column] for column in columns]

    scales = pd.DataFrame(run.each("scales", factors, at), columns=columns)
    scales.insert(0, "factor", list(factors))
    few, labels = spread(run, "test", canvas_examples)
    return {"scales": scales, "heat": heat_map(model, few, labels, canvas)}
