"""Batch normalization's running averages beside averages over training data, in the test."""

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from resexp.measure.run import Run, spread


@torch.no_grad()
def averaged(model: nn.Module, batches: Sequence[Tensor]) -> nn.Module:
    """Replace the running averages of a network by the means of its statistics in these batches.

    Args:
        model: whose weights stay as they are.
        batches: of inputs.
    Returns:
        The network, in evaluation mode.
    Raises:
        ValueError: it has no batch normalization, or there is no batch.
    Source: Wu and Johnson 2021 (arXiv:2105.07576), "PreciseBN": running averages are of the networks of the
    last steps, which differ at a high learning rate; these are of one network. Departure: a mean over batches
    of one size, whose variances are not pooled.
    """
    layers = [module for module in model.modules() if isinstance(module, _BatchNorm)]
    if not layers:
        raise ValueError("running averages are those of batch normalization; this network has none")
    if not len(batches):
        raise ValueError("averages over training examples need at least one batch of them")
    momenta = [layer.momentum for layer in layers]
    model.eval()
    for layer in layers:
        layer.train()
    for count, x in enumerate(batches, start=1):
        for layer in layers:
            layer.momentum = 1 / count  # the mean of all so far
        model(x)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return model.eval()


def trained(run: Run, *, examples: int, batch_size: int) -> dict[str, pd.DataFrame]:
    """Test error with both statistics at each stage of a run that was trained.

    Args:
        run: a network with batch normalization.
        examples: training examples for the averages, spread over the split and shuffled, not augmented.
        batch_size: of these; the run's own, to be the statistics that it was trained with.
    Returns:
        `errors`: step, error_percent (with the running averages), averaged_error_percent (with averages over
        the training examples).
    Raises:
        ValueError: examples below batch_size, or what `averaged` refuses.
    """
    if examples < batch_size:
        raise ValueError(f"measure.examples must be at least measure.batch_size={batch_size}, got {examples}")
    x, _ = spread(run, "train", examples)
    x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0)).to(x.device)]
    batches = x[: len(x) // batch_size * batch_size].split(batch_size)
    rows = []
    for stage in run.stages:
        if stage == "initial":
            continue
        step = run.config["schedule"]["steps"] if stage == "trained" else int(stage.removeprefix("step-"))
        model = run.network(stage)
        rows.append((step, _test_error(run, model), _test_error(run, averaged(model, batches))))
    columns = ["step", "error_percent", "averaged_error_percent"]
    return {"errors": pd.DataFrame(rows, columns=columns)}


@torch.no_grad()
def _test_error(run: Run, model: nn.Module) -> float:
    wrong = [model(x).argmax(1) != y for x, y in run.batches("test", 1000)]
    return 100 * torch.cat(wrong).double().mean().item()
