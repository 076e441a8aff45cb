"""Cost of deleting each block in turn: shared beginnings, and the obvious loop."""

import time
from collections.abc import Callable

import pandas as pd
import torch
from torch import Tensor

from resexp.measure.chain import Chain, chain_of
from resexp.measure.lesion import each_deleted, errors
from resexp.measure.run import Run, spread


@torch.no_grad()
def one_by_one(chain: Chain, x: Tensor, y: Tensor) -> list[float]:
    """Error in percent of the whole network and without each block, each evaluated from the input on."""
    found = []
    for order in each_deleted(len(chain)):
        h = chain.model.start(x)
        for i in order:
            h = chain.blocks[i](h) if i >= 0 else chain.without_branch(~i, h)
        found.append(100 * (chain.model.finish(h).argmax(1) != y).double().mean().item())
    return found


def trained(run: Run, *, examples: int, repetitions: int) -> dict[str, pd.DataFrame]:
    """Time of both ways, interleaved; the network is loaded once for both.

    Args:
        run: its network is a chain of residual or plain blocks.
        examples: test examples, one batch.
        repetitions: of both.
    Returns:
        `speed`: way (one_by_one, shared), repetition, seconds (of all CPU threads: whatever else the machine
        does), ratio_to_one_by_one (of the medians).
    """
    x, y = spread(run, "test", examples)

    chain = chain_of(run.network().to(memory_format=torch.channels_last), x[:2])
    ways: dict[str, Callable[[], list[float]]] = {
        "one_by_one": lambda: one_by_one(chain, x, y),
        "shared": lambda: errors(chain, [(x, y)], each_deleted(len(chain))),
    }
    errors(chain, [(x[:10], y[:10])], each_deleted(len(chain))[:2])  # warm-up
    rows = []
    for repetition in range(repetitions):
        for way, function in ways.items():
            started = time.process_time()
            function()
            rows.append((way, repetition, time.process_time() - started))
    table = pd.DataFrame(rows, columns=["way", "repetition", "seconds"])
    median = table.groupby("way")["seconds"].transform("median")
    baseline = table.loc[table["way"] == "one_by_one", "seconds"].median()
    return {"speed": table.assign(ratio_to_one_by_one=baseline / median)}
