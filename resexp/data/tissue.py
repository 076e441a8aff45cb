"""A volume of cells parted by membranes, generated: Voronoi cells of random points, bent and noisy."""

import numpy as np

from resexp.data.dense import Augment, Dense
from resexp.data.em_volume import cubes

MEMBRANE = 1.2  # half thickness, voxels
NOISE = 0.12  # standard deviation, of the full range


def load(side: int, train_size: int, test_size: int, cells: int, seed: int, augment: Augment) -> Dense:
    """Generate cubes; each is a tissue of its own.

    Args:
        side: of the cubes, voxels.
        train_size, test_size: cubes.
        cells: of each cube.
        seed: of the generator.
        augment: of training batches.
    Raises:
        ValueError: sizes below 1, or fewer than two cells.
    """
    if min(side, train_size, test_size, cells - 1) < 1:
        raise ValueError(
            "dataset.load.side, train_size and test_size must be at least 1, cells at least 2, got"
            f" {side}, {train_size}, {test_size} and {cells}"
        )
    random, parts = np.random.default_rng(seed), []
    for count in (train_size, test_size):
        made = [tissue(side, cells, random) for _ in range(count)]
        volume, labels = (np.concatenate(arrays) for arrays in zip(*made, strict=True))
        parts += cubes(volume, labels, side)
    return Dense(*parts, augment=augment)


def tissue(side: int, cells: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One cube (uint8) and the cell of every voxel, from 1; membranes are dark, cells of different greys."""
    grid = np.stack(np.mgrid[:side, :side, :side], axis=-1).astype(float)
    waves = random.uniform(0, 2 * np.pi, 3)
    bent = grid + 1.5 * np.sin(2 * np.pi * grid[..., [1, 2, 0]] / side + waves)
    points = random.uniform(0, side, (cells, 3))
    distance = np.linalg.norm(bent[..., None, :] - points, axis=-1)
    labels = distance.argmin(-1) + 1
    nearest = np.partition(distance, 1, axis=-1)
    inside = (nearest[..., 1] - nearest[..., 0]) / 2 > MEMBRANE
    grey = random.uniform(0.55, 0.8, cells)[labels - 1]
    seen = np.where(inside, grey, 0.3) + random.normal(0, NOISE, labels.shape)
    return (255 * seen.clip(0, 1)).astype(np.uint8), labels
