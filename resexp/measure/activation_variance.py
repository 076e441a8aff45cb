"""Variance of activations and gradients after each block (UDL section 11.4.3, figure 11.6)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from resexp.measure.block_variances import branch_shares, first_overflow, variances
from resexp.measure.run import Run, before_and_after

FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
OVERFLOW_BATCH = 4  # examples: half precision is emulated on most CPUs


@dataclass(frozen=True)
class Case:
    """A type of input, and the size of the networks that receive it.

    Args:
        batch: inputs, (examples, features or channels, ...).
        dims: 0 for vectors, 1 for sequences, 2 for images.
        width: units or channels.
        depth: blocks.
        seeds: number of networks; null: the measurement's `seeds`.
    """

    batch: Tensor
    dims: int
    width: int
    depth: int
    seeds: int | None = None


def measure(
    setups: Mapping[str, Callable[..., nn.Module]],
    *,
    cases: Mapping[str, Case | None],
    seeds: int,
    overflow_depth: int,
    seed: int,
    device: torch.device,
) -> dict[str, pd.DataFrame]:
    """Variances at initialization, for every setup and type of input.

    The gradient is that of a random linear function of the last block's output with standard normal
    coefficients, so the gradient after the last block has variance 1. Computed in float64.

    Args:
        setups: name -> (depth, width=, dims=, c_in=) -> network.
        cases: name -> inputs and sizes; a case that is null is skipped.
        seeds: networks per setup and case, unless the case sets its own number.
        overflow_depth: blocks of the networks that are tested for overflow in float32, bfloat16 and
            float16, with the inputs of the first case.
        seed: of the first network.
    Returns:
        `variance`: setup, inputs, block, seed, variance, gradient_variance, batch_variance,
        branch_share (see branch_shares), at every block up to 20 and at increasing intervals beyond;
        `overflow`: setup, format, seed, first_block (empty: none overflows).
    """
    cases = {name: case for name, case in cases.items() if case is not None}
    rows, overflows = [], []
    for setup, make in setups.items():
        for kind, case in cases.items():
            for number in range(seed, seed + (case.seeds or seeds)):
                found = _at_initialization(make, case, number, device)
                kept = found[found["block"].isin(_kept(case.depth))]
                rows.append(kept.assign(setup=setup, inputs=kind, seed=number))
        first = next(iter(cases.values()))
        deep = replace(first, depth=overflow_depth, batch=first.batch[:OVERFLOW_BATCH])
        for number in range(seed, seed + seeds):
            for name, dtype in FORMATS.items():
                model, x = _draw(make, deep, number, device)
                block = first_overflow(model, x, dtype)
                overflows.append((setup, name, number, block))
    columns = ["setup", "inputs", "block", "seed", "variance", "gradient_variance", "batch_variance"]
    columns.append("branch_share")
    overflow = pd.DataFrame(overflows, columns=["setup", "format", "seed", "first_block"])
    return {
        "variance": pd.concat(rows, ignore_index=True)[columns],
        "overflow": overflow.astype({"first_block": "Int64"}),
    }


def trained(run: Run, *, batch: int) -> dict[str, pd.DataFrame]:
    """Variances of a trained run; the gradient is that of the cross-entropy on test examples.

    Args:
        run: its networks have `stem` and `blocks`.
        batch: number of test examples.
    Returns:
        `variance`: stage, block, variance, gradient_variance, batch_variance.
    """
    x, y = run.examples("test", batch)
    frames = []
    for stage in before_and_after(run):
        found = variances(run.network(stage), x, lambda logits: F.cross_entropy(logits, y))
        found.insert(0, "stage", stage)
        frames.append(found)
    return {"variance": pd.concat(frames, ignore_index=True)}


def _at_initialization(
    make: Callable[..., nn.Module], case: Case, seed: int, device: torch.device
) -> pd.DataFrame:
    model, x = _draw(make, case, seed, device)
    generator = torch.Generator(device).manual_seed(seed)

    def backward(output: Tensor) -> Tensor:
        shape = {"generator": generator, "dtype": output.dtype, "device": device}
        return (output * torch.randn(output.shape, **shape)).sum()

    found = variances(model.double(), x.double(), backward)
    return found.assign(branch_share=branch_shares(model, x.double()))


def _draw(
    make: Callable[..., nn.Module], case: Case, seed: int, device: torch.device
) -> tuple[nn.Module, Tensor]:
    with torch.random.fork_rng(devices=[]):  # constructors draw from the global generator
        torch.manual_seed(seed)
        model = make(case.depth, width=case.width, dims=case.dims, c_in=case.batch.shape[1])
    return model.to(device), case.batch.to(device)


def _kept(depth: int) -> set[int]:
    """All blocks up to 20, then in steps of 5 %, and the last one."""
    kept, block = set(range(21)), 20
    while block < depth:
        kept.add(block)
        block += max(1, block // 20)
    return kept | {depth}
