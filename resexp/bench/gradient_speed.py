"""Cost of dy/dx for many networks: batched forward mode, and the textbook's backward pass."""

import resource
import sys
import time
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
import torch

from resexp.measure.line_gradients import line_gradients
from resexp.measure.random_networks import Setup


def backward_one_network(
    depth: int, width: int, x: np.ndarray, random: np.random.Generator, gain: float
) -> np.ndarray:
    """dy/dx of one feed-forward network at every input, by a backward pass in numpy.

    As in the textbook's notebook 11.1: float64, one network at a time.

    Args:
        depth, width: hidden layers and units.
        x: inputs, (inputs,).
        random: generator of the weights and biases.
        gain: variance of the weights times the width.
    """
    scale = (gain / width) ** 0.5
    sizes = [1, *[width] * depth, 1]
    weights = [random.normal(size=(b, a)) * scale for a, b in pairwise(sizes)]
    biases = [random.normal(size=(b, 1)) * scale for b in sizes[1:]]
    h, active = x[None], []
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        f = weight @ h + bias
        active.append(f >= 0)
        h = f.clip(0)
    slope = np.repeat(weights[-1].T, len(x), axis=1)
    for weight, mask in zip(reversed(weights[:-1]), reversed(active), strict=True):
        slope = weight.T @ (slope * mask)
    return slope[0]


def measure(
    setup: Setup,
    *,
    depth: int,
    width: int,
    inputs: int,
    networks: Sequence[int],
    one_by_one: int,
    repetitions: int,
    seed: int,
    device: torch.device,
) -> dict[str, pd.DataFrame]:
    """Time of both methods, interleaved in one run, and peak memory.

    Args:
        setup: of the batched networks.
        depth, width, inputs: as in line_gradients.
        networks: batch sizes, ascending, so that the peak memory is that of the last one.
        one_by_one: networks per repetition of the textbook's method.
        repetitions: of the textbook's method and the first batch size, interleaved; larger batch
            sizes are measured once.
    Returns:
        `speed`: way, networks, repetition, seconds, milliseconds_per_network,
        ratio_to_one_by_one (median over repetitions), peak_memory_mib (of the process).
    """
    x = -2 + 4 / inputs * torch.arange(inputs, device=device)
    random, rows = np.random.default_rng(seed), []

    def at_once(count: int) -> None:
        line_gradients(setup, x, [depth], networks=count, width=width, seed=seed)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    def one_at_a_time(count: int) -> None:
        for _ in range(count):
            backward_one_network(depth, width, x.cpu().double().numpy(), random, setup.gain)

    def timed(way: str, function, count: int, repetition: int) -> None:
        started = time.perf_counter()
        function(count)
        seconds = time.perf_counter() - started
        rows.append((way, count, repetition, seconds, 1e3 * seconds / count, _peak_mib()))

    at_once(networks[0])  # warm-up
    for repetition in range(repetitions):
        timed("one_by_one", one_at_a_time, one_by_one, repetition)
        timed("at_once", at_once, networks[0], repetition)
    for count in networks[1:]:
        timed("at_once", at_once, count, 0)
    columns = ["way", "networks", "repetition", "seconds", "milliseconds_per_network", "peak_memory_mib"]
    table = pd.DataFrame(rows, columns=columns)
    baseline = table.loc[table["way"] == "one_by_one", "milliseconds_per_network"].median()
    batched = table.groupby(["way", "networks"])["milliseconds_per_network"].transform("median")
    return {"speed": table.assign(ratio_to_one_by_one=baseline / batched)}


def _peak_mib() -> float:
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
