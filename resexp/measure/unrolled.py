"""Networks with shared weights in recurrent form, unrolled for any number of steps (Liao and Poggio 2016)."""

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call

from resexp.measure.chain import chain_of
from resexp.measure.refinement import stages
from resexp.measure.run import Run, spread


@dataclass(frozen=True)
class Stage:
    """A stage in recurrent form: h = first(h), then h = cell(h) with the normalizations of each step.

    Args:
        first: the block that may change shapes; its weights are its own.
        cell: holds the only copy of the shared convolutions.
        norms: parameters and statistics of each step's normalizations, by their names in the cell.
    """

    first: nn.Module
    cell: nn.Module
    norms: list[dict[str, Tensor]]

    def __call__(self, h: Tensor, steps: int) -> Tensor:
        """The stage unrolled; steps beyond those trained have the normalizations of the last one."""
        h = self.first(h)
        for step in range(steps):
            h = functional_call(self.cell, self.norms[min(step, len(self.norms) - 1)], (h,))
        return h


def recurrent(model: nn.Module, x: Tensor) -> list[Stage]:
    """The stages of a network in recurrent form.

    Args:
        model: a chain of blocks in evaluation mode, those of a stage but the first with shared weights.
        x: a batch of inputs.
    Raises:
        ValueError: the blocks of a stage do not share their weights, or there are fewer than two to do so.
    """
    numbers = stages(chain_of(model, x[:2]))
    found = []
    for stage in sorted(set(numbers)):
        first, *cells = (block for block, other in zip(model.blocks, numbers, strict=True) if other == stage)
        if len(cells) < 2 or any(_weights(cell) != _weights(cells[0]) for cell in cells):
            raise ValueError(
                "only blocks that share their weights can be rolled up: model=recurrent of at least 20 layers"
            )
        found.append(Stage(first, cells[0], [_of_norms(cell) for cell in cells]))
    return found


def unrolled(model: nn.Module, x: Tensor, form: list[Stage], steps: int) -> Tensor:
    """Logits with so many steps of the cell in each stage."""
    h = model.start(x)
    for stage in form:
        h = stage(h, steps)
    return model.finish(h)


@torch.no_grad()
def trained(run: Run, *, most: int, examples: int, batch_size: int) -> dict[str, pd.DataFrame]:
    """Test error of a trained network against the number of steps that each stage is unrolled for.

    Args:
        run: its network shares weights within a stage (model=recurrent).
        most: steps, in multiples of those trained.
        examples: test examples, spread over the split.
        batch_size: examples at a time; the numbers do not depend on it.
    Returns:
        `steps`: steps (of the cell in each stage), trained_steps, error_percent.
    Raises:
        ValueError: see recurrent.
    Source: Liao and Poggio 2016 (arXiv:1604.03640): a residual network with shared weights is a recurrent
    one. Departure: other numbers of steps than those trained are ours; normalizations are specific to
    their step, and later steps have those of the last.
    """
    x, y = spread(run, "test", examples)
    model = run.network()
    form = recurrent(model, x)
    there = len(form[0].norms)

    def after(steps: int) -> tuple[float]:
        logits = torch.cat([unrolled(model, part, form, steps) for part in x.split(batch_size)])
        return (100 * (logits.argmax(1) != y).double().mean().item(),)

    steps = range(most * there + 1)
    rows = [(step, there, *error) for step, error in zip(steps, run.each("steps", steps, after), strict=True)]
    return {"steps": pd.DataFrame(rows, columns=["steps", "trained_steps", "error_percent"])}


def _weights(block: nn.Module) -> list[int]:
    """Which tensors the convolutions of a block hold."""
    return [id(module.weight) for module in block.modules() if isinstance(module, nn.Conv2d)]


def _of_norms(block: nn.Module) -> dict[str, Tensor]:
    names = [name for name, module in block.named_modules() if getattr(module, "normalizes", False)]
    tensors = [*block.named_parameters(), *block.named_buffers()]
    return {name: tensor for name, tensor in tensors if name.rpartition(".")[0] in names}
