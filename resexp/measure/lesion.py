"""What a trained network loses when blocks are deleted or change places (Veit et al. 2016)."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations

import pandas as pd
import torch
from torch import Tensor

from resexp.measure.chain import Chain, chain_of
from resexp.measure.run import Run, one_by_one, spread

# The blocks in the order in which they are gone through; ~i is block i without its branch.
Order = Sequence[int]


@torch.no_grad()
def outputs(chain: Chain, x: Tensor, orders: Sequence[Order]) -> Iterator[tuple[int, Tensor]]:
    """Logits of one batch for each of several orders of the blocks.

    What orders have in common up to their first difference is computed once. Deleting each of n blocks
    in turn so takes n + n (n - 1) / 2 blocks instead of n (n - 1), and a deleted block nothing.

    Args:
        chain: of a network in evaluation mode.
        x: inputs of one batch.
        orders: of the same length.
    Yields:
        Index into orders, logits (batch, classes); every index once.
    """
    root: dict = {}
    for index, order in enumerate(orders):
        node = root
        for step in order:
            node = node.setdefault(step, {})
        node.setdefault("ends", []).append(index)

    def walk(h: Tensor, node: dict) -> Iterator[tuple[int, Tensor]]:
        for step, below in node.items():
            if step == "ends":
                logits = chain.model.finish(h)
                yield from ((index, logits) for index in below)
            elif step >= 0:
                yield from walk(chain.blocks[step](h), below)
            else:
                yield from walk(chain.without_branch(~step, h), below)

    yield from walk(chain.model.start(x), root)


def errors(
    chain: Chain,
    batches: Sequence[tuple[Tensor, Tensor]],
    orders: Sequence[Order],
    each: Callable[..., list] = one_by_one,
) -> list[float]:
    """Error in percent for each of several orders of the blocks.

    Args:
        chain, orders: see outputs.
        batches: inputs and class numbers.
        each: numbers of batches, function of one -> its values.
    """

    def wrong(batch: int) -> list[int]:
        x, y = batches[batch]
        found = dict(outputs(chain, x, orders))
        return [int((found[index].argmax(1) != y).sum()) for index in range(len(orders))]

    examples = sum(len(y) for _, y in batches)
    return [100 * sum(counts) / examples for counts in zip(*each(range(len(batches)), wrong), strict=True)]


def each_deleted(blocks: int) -> list[list[int]]:
    """The whole network, then without each of its blocks."""
    return [[~j if j == i else j for j in range(blocks)] for i in range(-1, blocks)]


def several_deleted(blocks: int, most: int, generator: torch.Generator) -> list[list[int]]:
    """Orders without 1, 2, ... up to `most` blocks; each leaves out one more than the one before."""
    drawn = torch.randperm(blocks, generator=generator).tolist()
    gone = [set(drawn[:count]) for count in range(1, most + 1)]
    return [[~j if j in some else j for j in range(blocks)] for some in gone]


def swapped(chain: Chain, swaps: int, generator: torch.Generator) -> list[int] | None:
    """The order after so many swaps of two blocks that have equal shapes and keep them.

    Returns:
        None where no two blocks have equal shapes.
    """
    pairs = [
        (i, j)
        for i, j in combinations(range(len(chain)), 2)
        if chain.shapes[i] == chain.shapes[j] and not chain.changes_shape(i)
    ]
    if not pairs:
        return None
    order = list(range(len(chain)))
    for pair in torch.randint(len(pairs), (swaps,), generator=generator).tolist():
        i, j = pairs[pair]
        order[i], order[j] = order[j], order[i]
    return order


def kendall_tau(order: Sequence[int]) -> float:
    """Kendall's rank correlation with the ascending order: 1 if they agree, -1 if it descends."""
    pairs = list(combinations(order, 2))
    return sum(1 if a < b else -1 for a, b in pairs) / len(pairs)


def trained(
    run: Run,
    *,
    most: int,
    draws: int,
    swaps: Sequence[int],
    examples: int,
    examples_of_draws: int,
    batch_size: int,
    draw_seed: int,
) -> dict[str, pd.DataFrame]:
    """Delete each block, several random blocks, and let blocks change places, without training again.

    Args:
        run: its network is a chain of blocks (resexp.measure.chain).
        most: blocks that are deleted together, at most; never more than there are.
        draws: random choices for each number of blocks, and for each number of swaps.
        swaps: numbers of swaps.
        examples: test examples, spread over the split, that each single deletion is evaluated on.
        examples_of_draws: the same for each random choice.
        batch_size: examples at a time; the numbers do not depend on it.
        draw_seed: of the random choices.
    Returns:
        `deleted`: block (0: none is deleted), kind (none, same_shape, new_shape: whether its output has its
        input's shape), error_percent; `several`: deleted (blocks),
        draw, error_percent; `shuffled`: swaps, draw, kendall_tau (between the orders of all blocks),
        error_percent; it is left out where no two blocks have equal shapes.
    Source: Veit et al. 2016 (arXiv:1605.06431), figures 3 to 5. Departures: the blocks that are deleted
    together in one draw are nested; the network has an activation behind each sum unless block=... says
    otherwise, where theirs is pre-activated.
    """

    def batches(x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
        return list(zip(x.split(batch_size), y.split(batch_size), strict=True))

    x, y = spread(run, "test", examples)
    chain = chain_of(run.network().to(memory_format=torch.channels_last), x[:2])
    generator = torch.Generator().manual_seed(draw_seed)
    deleted = _one_deleted(chain, batches(x, y), partial(run.each, "deleted"))
    few = batches(*spread(run, "test", examples_of_draws))
    return {"deleted": deleted} | _drawn(
        chain, few, most, draws, swaps, generator, partial(run.each, "drawn")
    )


def _one_deleted(
    chain: Chain, batches: Sequence[tuple[Tensor, Tensor]], each: Callable[..., list]
) -> pd.DataFrame:
    blocks = len(chain)
    found = errors(chain, batches, each_deleted(blocks), each)
    kinds = ["none", *("new_shape" if chain.changes_shape(i) else "same_shape" for i in range(blocks))]
    return pd.DataFrame({"block": range(blocks + 1), "kind": kinds, "error_percent": found})


def _drawn(
    chain: Chain,
    batches: Sequence[tuple[Tensor, Tensor]],
    most: int,
    draws: int,
    swaps: Sequence[int],
    generator: torch.Generator,
    each: Callable[..., list],
) -> dict[str, pd.DataFrame]:
    """The tables `several` and `shuffled`; see trained."""
    fewest = min(most, len(chain))
    keys = [(count, draw) for draw in range(draws) for count in range(1, fewest + 1)]
    orders = [order for _ in range(draws) for order in several_deleted(len(chain), fewest, generator)]
    mixed = [(count, draw, swapped(chain, count, generator)) for count in swaps for draw in range(draws)]
    mixed = [row for row in mixed if row[2]]
    found = errors(chain, batches, [*orders, *(order for *_, order in mixed)], each)
    several = [(*key, error) for key, error in zip(keys, found, strict=False)]
    shuffled = [
        (count, draw, kendall_tau(order), error)
        for (count, draw, order), error in zip(mixed, found[len(orders) :], strict=True)
    ]
    tables = {"several": pd.DataFrame(several, columns=["deleted", "draw", "error_percent"])}
    if shuffled:
        columns = ["swaps", "draw", "kendall_tau", "error_percent"]
        tables["shuffled"] = pd.DataFrame(shuffled, columns=columns)
    return tables
