"""Whether the blocks of a stage refine one estimate step by step (Greff et al. 2017)."""

from collections.abc import Iterable, Iterator
from functools import cache

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.chain import Chain, chain_of
from resexp.measure.run import Run, spread

PENALTY = 1e-4  # of a readout's squared weights: without it separable classes have no optimum


def stages(chain: Chain) -> list[int]:
    """The stage of each block, from 1: a new one begins where shapes change."""
    starts = [index > 0 and chain.changes_shape(index) for index in range(len(chain))]
    return [1 + sum(starts[: index + 1]) for index in range(len(chain))]


@torch.no_grad()
def steps(chain: Chain, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """What enters each block and what leaves it, for one batch.

    Yields:
        The block's output without its branch (see Chain.without_branch), and its output.
    """
    h = chain.model.start(x)
    for index, block in enumerate(chain.model.blocks):
        kept, h = chain.without_branch(index, h), block(h)
        yield kept, h


def updates(chain: Chain, batches: Iterable[Tensor]) -> pd.DataFrame:
    """Size and direction of what each block changes, and how far its output is from its stage's last.

    Args:
        chain: of a network in evaluation mode.
        batches: of inputs.
    Returns:
        stage, block (from 1), relative_size (norm of the change over that of the block's input),
        cosine (between both; means over the examples), error_mean, error_deviation (of the block's output
        minus its stage's last output: mean and standard deviation over the examples at each unit, then root
        mean square over the units, in units of that of the last output's standard deviation).
    """
    numbers = stages(chain)
    last = [max(i for i, other in enumerate(numbers) if other == stage) for stage in numbers]
    geometry = torch.zeros(len(chain), 2, dtype=torch.float64)
    errors, outputs = [0.0] * len(chain), [0.0] * len(chain)
    examples = 0
    for x in batches:
        found = list(steps(chain, x))
        examples += len(x)
        for index, (kept, h) in enumerate(found):
            change, start = (h - kept).flatten(1), kept.flatten(1)
            size = change.norm(dim=1) / start.norm(dim=1)
            cosine = F.cosine_similarity(change, start)
            geometry[index] += torch.stack([size.sum(), cosine.sum()]).double().cpu()
            errors[index] += _sums(h - found[last[index]][1])
            outputs[index] += _sums(h)
    rows = []
    for index, stage in enumerate(numbers):
        _, scale = _moments(outputs[last[index]], examples)
        mean, deviation = _moments(errors[index], examples)
        rows.append(
            (stage, index + 1, *(geometry[index] / examples).tolist(), mean / scale, deviation / scale)
        )
    columns = ["stage", "block", "relative_size", "cosine", "error_mean", "error_deviation"]
    return pd.DataFrame(rows, columns=columns)


def fitted(features: Tensor, targets: Tensor, classes: int) -> nn.Linear:
    """The linear readout with the least cross-entropy, a small penalty on its weights added.

    Args:
        features: (examples, features).
        targets: class numbers.
        classes: how many.
    Returns:
        A layer of float64; its weights are those of the standardized features.
    """
    mean, deviation = features.mean(0), features.std(0).clamp(min=1e-6)
    x = (features - mean) / deviation
    weight = x.new_zeros(classes, x.shape[1], requires_grad=True)
    bias = x.new_zeros(classes, requires_grad=True)
    settings = {"max_iter": 500, "tolerance_grad": 1e-8, "tolerance_change": 0}
    optimizer = torch.optim.LBFGS([weight, bias], line_search_fn="strong_wolfe", **settings)

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(x @ weight.T + bias, targets) + PENALTY / 2 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    layer = nn.Linear(x.shape[1], classes, dtype=x.dtype, device=x.device)
    with torch.no_grad():
        layer.weight.copy_(weight / deviation)
        layer.bias.copy_(bias - layer.weight @ mean)
    return layer


def pooled(chain: Chain, batches: Iterable[Tensor]) -> list[Tensor]:
    """Each block's output, averaged over positions: (examples, channels) of float64."""
    found = [[h.flatten(2).mean(2) for _, h in steps(chain, x)] for x in batches]
    return [torch.cat(parts).double() for parts in zip(*found, strict=True)]


def trained(run: Run, *, examples: int, training_examples: int, batch_size: int) -> dict[str, pd.DataFrame]:
    """Each block's update, and what one linear readout per stage makes of each block's output.

    Args:
        run: its network is a chain of blocks (resexp.measure.chain).
        examples: test examples, spread over the split.
        training_examples: the same of the training split, for the readouts.
        batch_size: examples at a time; the numbers do not depend on it.
    Returns:
        `blocks`: the columns of updates, error_percent (test): of the readout that was fitted to the
        output of the stage's last block, averaged over positions, and is applied to each block of its stage.
    Source: Greff et al. 2017 (arXiv:1612.07771), section 3: the blocks of a stage estimate the same
    features. Departures: they measure the error of the estimates alone, on ImageNet and unit by unit; the
    size, the direction and the readout are ours, the update of a block contains the activation that
    follows its sum.
    """
    x, y = spread(run, "test", examples)
    network = run.network().to(memory_format=torch.channels_last)
    chain = chain_of(network, x[:2])
    table = updates(chain, x.split(batch_size))
    seen, targets = spread(run, "train", training_examples)
    classes = int(max(targets.max(), y.max())) + 1
    features = cache(lambda: [pooled(chain, inputs.split(batch_size)) for inputs in (seen, x)])

    def readouts(stage: int) -> list[float]:
        for_training, for_test = features()
        blocks = table.loc[table["stage"] == stage, "block"]
        readout = fitted(for_training[blocks.max() - 1], targets, classes)
        with torch.no_grad():
            return [100 * (readout(for_test[b - 1]).argmax(1) != y).double().mean().item() for b in blocks]

    errors = run.each("readouts", sorted(set(stages(chain))), readouts)
    return {"blocks": table.assign(error_percent=[error for some in errors for error in some])}


def _sums(x: Tensor) -> Tensor:
    """Sum and sum of squares over the examples at each unit."""
    x = x.flatten(1).double()
    return torch.stack([x.sum(0), x.square().sum(0)])


def _moments(sums: Tensor, examples: int) -> tuple[float, float]:
    """Mean and standard deviation over the examples; root mean squares over the units."""
    mean, squares = sums / examples
    return mean.square().mean().sqrt().item(), (squares - mean.square()).clamp(min=0).mean().sqrt().item()
