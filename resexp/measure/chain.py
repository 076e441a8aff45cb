"""Networks as a chain of residual blocks whose parts measurements can remove or reorder."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

PARTS = ("before", "transform", "branch", "shortcut", "after")  # of a block


@dataclass(frozen=True)
class Chain:
    """A network whose output is finish(block_n(... block_1(start(x)))).

    A block is after(shortcut(b, branch(transform(b)))) with b = before(x), or in a plain network anything.

    Args:
        model: has `start` and `finish`.
        blocks: its blocks, or its `links()` if it has any: the layers of a VGG.
        shapes: of each block's input and of its branch's output, without the batch dimension.
        plain: whether the blocks have no shortcuts.
    """

    model: nn.Module
    blocks: Sequence[nn.Module]
    shapes: Sequence[tuple[torch.Size, torch.Size]]
    plain: bool

    def __len__(self) -> int:
        return len(self.shapes)

    def changes_shape(self, block: int) -> bool:
        """Whether the output of a block's branch differs in shape from the block's input."""
        return self.shapes[block][0] != self.shapes[block][1]

    def without_branch(self, block: int, x: Tensor) -> Tensor:
        """A block's output with its branch deleted: that of its shortcut alone.

        A block without a shortcut is removed entirely. Where shapes change, its input is then subsampled
        and zero-padded as by an identity shortcut (He et al. 2015, option A).
        """
        shape = self.shapes[block][1]
        if self.plain:
            return _bridged(x, shape)
        parts = self.blocks[block]
        x = parts.before(x)
        return parts.after(parts.shortcut(x, x.new_zeros(len(x), *shape)))


@torch.no_grad()
def chain_of(model: nn.Module, x: Tensor) -> Chain:
    """View a network in evaluation mode as a chain of blocks.

    Args:
        model: in evaluation mode.
        x: a batch of its inputs.
    Raises:
        ValueError: the network is not a chain of blocks with one branch each.
    """
    blocks = model.links() if hasattr(model, "links") else getattr(model, "blocks", [])
    whole = hasattr(model, "links")  # blocks of which nothing is known but their order
    if not all(hasattr(model, name) for name in ("start", "finish")) or not (
        whole or all(hasattr(block, name) for block in blocks for name in PARTS)
    ):
        raise ValueError(
            "only networks of residual or plain blocks can be taken apart: resnet, plain, vgg, ..."
        )
    h, shapes, joined = model.start(x), [], []
    for block in blocks:
        if whole:
            shapes.append((h.shape[1:], (h := block(h)).shape[1:]))
            joined.append(True)
            continue
        before = block.before(h)
        branch = block.branch(block.transform(before))
        shapes.append((h.shape[1:], branch.shape[1:]))
        together = block.shortcut(before, branch)
        joined.append(together is branch)
        h = block.after(together)
    if not torch.allclose(model.finish(h), model(x), rtol=1e-3, atol=1e-4):
        raise ValueError("this network has connections beside its chain of blocks and cannot be taken apart")
    if any(joined) and not all(joined):
        raise ValueError("some of this network's blocks have a shortcut and some have none")
    return Chain(model, list(blocks), shapes, all(joined))


def _bridged(x: Tensor, shape: Sequence[int]) -> Tensor:
    strides = [-(-size // smaller) for size, smaller in zip(x.shape[2:], shape[1:], strict=True)]
    x = x[(..., *[slice(None, None, stride) for stride in strides])]
    added = shape[0] - x.shape[1]
    return F.pad(x, [0, 0] * len(strides) + [0, added]) if added else x.clone()  # what follows may write
