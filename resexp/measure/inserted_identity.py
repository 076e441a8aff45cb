"""A deep plain network that begins as a trained shallow one: layers that are the identity are inserted."""

import copy
from collections.abc import Iterator

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.chain import chain_of
from resexp.measure.refinement import stages
from resexp.measure.run import Run, spread


@torch.no_grad()
def make_identity(block: nn.Module, h: Tensor) -> None:
    """Turn a block into the identity on its input, in evaluation mode, but for rounding.

    Kernels get a one in their centre. Behind each, batch normalization takes away what it would do: its
    scale is the deviation and its bias the mean of h, which its running statistics are set to as well. An
    activation must leave h as it is: ReLU does so behind another ReLU, where nothing is negative.

    Args:
        block: keeps its input's shape; without a shortcut.
        h: its input, of many examples: (batch, channels, ...).
    Raises:
        ValueError: the block cannot be the identity: it has a shortcut, another normalization that
            depends on each example, or an activation that changes h.
    """
    mean, variance = h.mean((0, 2, 3)), h.var((0, 2, 3), correction=0)
    for module in block.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.dirac_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif getattr(module, "running_var", None) is not None:
            module.running_mean.copy_(mean)
            module.running_var.copy_(variance)
            module.weight.copy_((variance + module.eps).sqrt())
            module.bias.copy_(mean)
    if not torch.allclose(block(h), h, rtol=1e-4, atol=1e-4 * h.abs().max().item()):
        raise ValueError(
            "this block cannot be made the identity: it takes no shortcut, batch normalization or none, and"
            " an activation that leaves its input as it is (model=plain, norm=batch or norm=none)"
        )


@torch.no_grad()
def deepened(model: nn.Module, x: Tensor, inserted: int) -> nn.Module:
    """A network with so many identity blocks more at the end of each stage, and the same outputs.

    Args:
        model: plain, in evaluation mode; stays as it is.
        x: a batch of inputs, of whose activations normalizations take the statistics.
        inserted: blocks in each stage.
    Raises:
        ValueError: shortcuts, a stage that has no block of constant shape, or see make_identity.
    """
    chain = chain_of(model, x[:2])
    if not chain.plain:
        raise ValueError("identity layers are inserted into plain networks: this one has shortcuts")
    numbers = [*stages(chain), None]
    deep = copy.deepcopy(model)
    h, blocks = deep.start(x), []
    for index, block in enumerate(deep.blocks):
        h = block(h)
        blocks.append(block)
        if numbers[index] == numbers[index + 1]:
            continue
        if chain.changes_shape(index):
            raise ValueError("each stage needs a block that keeps its shape: a depth of 14 or more")
        for _ in range(inserted):
            blocks.append(copy.deepcopy(block))
            make_identity(blocks[-1], h)
    deep.blocks = nn.ModuleList(blocks)
    return deep


def initialize(model: nn.Module, generator: torch.Generator) -> None:
    """Start over: convolutions from N(0, 2 / fan-out), normalizations at 1 and 0 (He et al. 2015)."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", generator=generator)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            nn.init.uniform_(module.weight, -bound, bound, generator=generator)
            nn.init.uniform_(module.bias, -bound, bound, generator=generator)
        elif hasattr(module, "reset_running_stats"):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)


def training(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    steps: int,
    interval: int,
    batch_size: int,
    learning_rate: float,
    generator: torch.Generator,
) -> Iterator[tuple[int, float | None]]:
    """Train by SGD with momentum 0.9, weight decay 1e-4 and a constant learning rate.

    Yields:
        Steps so far, mean training loss of the interval (nats); at first (0, None). The network is in
        evaluation mode there.
    """
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate, momentum=0.9, weight_decay=1e-4)
    total = 0.0
    for step in range(steps + 1):
        if step % interval == 0:
            model.eval()
            yield step, total / interval if step else None
            model.train()
            total = 0.0
        if step < steps:
            chosen = torch.randint(len(y), (batch_size,), generator=generator).to(y.device)
            loss = F.cross_entropy(model(x[chosen]), y[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()


def trained(
    run: Run,
    *,
    inserted: int,
    examples: int,
    steps: int,
    interval: int,
    batch_size: int,
    learning_rate: float,
    draw_seed: int,
) -> dict[str, pd.DataFrame]:
    """A deeper network with the outputs of a trained one, and what training makes of it.

    Args:
        run: its network is plain.
        inserted: identity blocks that each stage gets.
        examples: test examples, spread over the split; statistics are those of as many training examples.
        steps: of training, on the whole training split.
        interval: steps between rows; divides steps.
        batch_size, learning_rate: of training.
        draw_seed: of its batches and of the initialization from scratch; the run's own seed is added, so that
            runs of several seeds do not share their network from scratch.
    Returns:
        `training`: start (shallow: the run as it is, inserted, scratch: the same depth, initialized
        again), blocks, step, train_loss (nats, mean of the interval; empty at 0), error_percent (test).
    Raises:
        ValueError: see deepened; or interval does not divide steps.
    Source: He et al. 2015 (arXiv:1512.03385), section 1: a deeper model has a solution by construction, with
    added layers the identity. Departures: they do not train it; the protocol here is short and ours.
    """
    if steps % interval:
        raise ValueError(f"measure.interval must divide the {steps} steps, got {interval}")
    x, y = spread(run, "train", 10**9)
    test, targets = spread(run, "test", examples)
    shallow = run.network()

    def error(model: nn.Module) -> float:
        with torch.no_grad():
            wrong = [
                (model(a).argmax(1) != b) for a, b in zip(test.split(500), targets.split(500), strict=True)
            ]
        return 100 * torch.cat(wrong).double().mean().item()

    rows = [("shallow", len(shallow.blocks), 0, None, error(shallow))]
    deep = deepened(shallow, spread(run, "train", examples)[0], inserted)
    scratch = copy.deepcopy(deep)
    drawn = draw_seed + run.config["seed"]
    initialize(scratch, torch.Generator().manual_seed(drawn))
    for start, model in (("inserted", deep), ("scratch", scratch)):
        generator = torch.Generator().manual_seed(drawn)
        settings = {"batch_size": batch_size, "learning_rate": learning_rate, "generator": generator}
        for step, loss in training(model, x, y, steps=steps, interval=interval, **settings):
            rows.append((start, len(model.blocks), step, loss, error(model)))
    columns = ["start", "blocks", "step", "train_loss", "error_percent"]
    return {"training": pd.DataFrame(rows, columns=columns)}
