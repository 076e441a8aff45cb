"""The paths that a residual network consists of, and what they carry of the gradient (Veit et al. 2016)."""

from collections.abc import Callable, Sequence
from math import comb

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.chain import chain_of
from resexp.measure.run import Run, spread


def number_of_paths(blocks: int) -> list[int]:
    """How many of the 2^blocks paths go through 0, 1, ..., all branches: binomial coefficients."""
    return [comb(blocks, length) for length in range(blocks + 1)]


def share_left(blocks: int, deleted: int) -> list[float]:
    """Share of the paths of each length that is left when so many blocks have lost their branches.

    Raises:
        ValueError: more are deleted than there are.
    """
    if not 0 <= deleted <= blocks:
        raise ValueError(f"deleted must lie in 0..{blocks}, got {deleted}")
    return [comb(blocks - deleted, length) / comb(blocks, length) for length in range(blocks + 1)]


class Paths:
    """The gradient of a loss at the input of a residual network, path by path.

    A path takes the branch of some blocks and the shortcut of the others. The forward pass is that of the
    whole network, and each block is linearized there, so that the gradients of all 2^n paths add up to the
    whole gradient. What follows a sum (an activation) and what both sides share belong to both.

    Args:
        model: a chain of residual blocks in evaluation mode; its parameters are frozen.
        x: inputs (batch, ...).
        loss: logits -> scalar, a sum over the examples.
    Raises:
        ValueError: no chain of blocks, or one without shortcuts, which has a single path.
    """

    def __init__(self, model: nn.Module, x: Tensor, loss: Callable[[Tensor], Tensor]):
        if chain_of(model, x[:2]).plain:
            raise ValueError("a plain network has one path: paths are of networks with shortcuts")
        model.requires_grad_(False)
        self.input = x.detach().requires_grad_(True)
        self.start = model.start(self.input)
        self.blocks: list[tuple[Tensor, Tensor, Tensor]] = []  # input, output by branch, by shortcut
        h = self.start
        for block in model.blocks:
            h = h.detach().requires_grad_(True)
            b = block.before(h)
            t = block.branch(block.transform(b))
            by_branch = block.after(block.shortcut(b.detach(), t))
            by_shortcut = block.after(block.shortcut(b, t.detach()))
            self.blocks.append((h, by_branch, by_shortcut))
            h = by_branch
        h = h.detach().requires_grad_(True)
        self.end = torch.autograd.grad(loss(model.finish(h)), h)[0]

    def __len__(self) -> int:
        return len(self.blocks)

    def gradient(self, branches: Sequence[bool]) -> Tensor:
        """What one path carries: the shape of the input.

        Args:
            branches: for each block, whether the path takes its branch.
        """
        v = self.end
        for index in reversed(range(len(self))):
            v = self._back(index, v, branch=branches[index])
        return self._to_input(v)

    def summed(self) -> list[Tensor]:
        """For each length the sum over all paths of that length, exactly.

        By recursion over the blocks, since what reaches a block by k branches takes its branch to k + 1 or
        its shortcut: n (n + 1) / 2 steps back through a branch instead of n 2^(n - 1).
        """
        sums: list[Tensor] = [self.end]
        for index in reversed(range(len(self))):
            stay = [self._back(index, v, branch=False) for v in sums]
            take = [self._back(index, v, branch=True) for v in sums]
            middle = [a + b for a, b in zip(stay[1:], take[:-1], strict=True)]
            sums = [stay[0], *middle, take[-1]]
        return [self._to_input(v) for v in sums]

    def sampled(self, length: int, generator: torch.Generator) -> Tensor:
        """What a random path of this length carries."""
        drawn = set(torch.randperm(len(self), generator=generator)[:length].tolist())
        return self.gradient([index in drawn for index in range(len(self))])

    def _back(self, index: int, v: Tensor, *, branch: bool) -> Tensor:
        h, by_branch, by_shortcut = self.blocks[index]
        return torch.autograd.grad(by_branch if branch else by_shortcut, h, v, retain_graph=True)[0]

    def _to_input(self, v: Tensor) -> Tensor:
        return torch.autograd.grad(self.start, self.input, v, retain_graph=True)[0]


def mean_norm(gradient: Tensor) -> float:
    """Euclidean norm at each example, then the mean over the examples."""
    return gradient.flatten(1).norm(dim=1).mean().item()


def trained(
    run: Run, *, examples: int, draws: int, deleted: Sequence[int], draw_seed: int
) -> dict[str, pd.DataFrame]:
    """Number of paths by length, and the gradient of the cross-entropy at the input that they carry.

    Args:
        run: its network is a chain of residual blocks (resexp.measure.chain).
        examples: test examples, spread over the split.
        draws: random paths of each length.
        deleted: numbers of deleted blocks, for the paths that are left; those above the number of blocks
            are passed over.
        draw_seed: of the random paths.
    Returns:
        `magnitude`: length, draw, gradient_norm (of one path: mean over the examples, nats per unit of the
        normalized input); `lengths`: length, paths, share_of_paths, summed_norm (of the sum over all paths
        of that length, likewise), share_of_gradient (the part of the whole gradient along itself that these
        paths carry; sums to 1 and may be negative); `left`: deleted, length, share_left.
    Source: Veit et al. 2016 (arXiv:1605.06431), section 5 and figure 6; UDL section 11.4. Departures:
    normalizations hold the statistics of training; shortcuts that change shapes count as shortcuts.
    """
    x, y = spread(run, "test", examples)
    paths = Paths(run.network(), x, lambda logits: F.cross_entropy(logits, y, reduction="sum"))
    generator, blocks = torch.Generator().manual_seed(draw_seed), len(paths)
    lengths, counts = range(blocks + 1), number_of_paths(blocks)
    magnitude = [
        (length, draw, mean_norm(paths.sampled(length, generator)))
        for length in lengths
        for draw in range(1 if length in (0, blocks) else draws)  # there is one such path
    ]
    sums = paths.summed()
    whole = torch.stack(sums).sum(0)
    table = {
        "length": lengths,
        "paths": [float(count) for count in counts],
        "share_of_paths": [count / 2**blocks for count in counts],
        "summed_norm": [mean_norm(g) for g in sums],
        "share_of_gradient": [((g * whole).sum() / whole.square().sum()).item() for g in sums],
    }
    left = [
        (count, length, share)
        for count in deleted
        if count <= blocks
        for length, share in enumerate(share_left(blocks, count))
    ]
    return {
        "magnitude": pd.DataFrame(magnitude, columns=["length", "draw", "gradient_norm"]),
        "lengths": pd.DataFrame(table),
        "left": pd.DataFrame(left, columns=["deleted", "length", "share_left"]),
    }
