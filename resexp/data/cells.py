"""Images of overlapping textured ellipses, generated: nuclei without files."""

import numpy as np
import torch

from resexp.data.dense import Augment, Dense
from resexp.data.instances import planes

RADII = (5.0, 10.0)  # pixels, half axes
CELLS = (8, 16)  # of an image of 64 x 64
NOISE = 0.06  # standard deviation, of the full range
SMOOTH = 8  # pixels between the values of a texture


def load(
    size: int,
    train_size: int,
    test_size: int,
    seed: int,
    border_weight: float,
    border_width: float,
    augment: Augment,
) -> Dense:
    """Generate images of size x size with their instance labels; other sizes keep the density of cells.

    Args:
        train_size, test_size: images.
        seed: of the generator; the test images follow the training images.
        border_weight, border_width: see resexp.data.instances.border_weights.
        augment: of training batches.
    Raises:
        ValueError: sizes below 1 (16 for the side).
    """
    if size < 16 or min(train_size, test_size) < 1:
        raise ValueError(
            "dataset.load.size must be at least 16, train_size and test_size at least 1, got"
            f" {size}, {train_size} and {test_size}"
        )
    random = np.random.default_rng(seed)
    pairs = [image(size, random) for _ in range(train_size + test_size)]
    x = torch.from_numpy(np.stack([picture for picture, _ in pairs])).unsqueeze(1)
    weights = {"border_weight": border_weight, "border_width": border_width}
    y = torch.stack([planes(labels, **weights) for _, labels in pairs])
    return Dense(x[:train_size], y[:train_size], x[train_size:], y[train_size:], augment=augment)


def image(size: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One image (uint8) and its labels: later cells lie over earlier ones; uneven light, then noise."""
    y, x = np.mgrid[:size, :size].astype(float)
    labels, light = np.zeros((size, size), dtype=np.int32), np.full((size, size), 0.08)
    count = round(random.integers(*CELLS) * (size / 64) ** 2)
    for number in range(1, count + 1):
        centre, angle = random.uniform(0, size, 2), random.uniform(0, np.pi)
        a, b = random.uniform(*RADII, 2)
        u = (x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)
        v = (y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)
        inside = (u / a) ** 2 + (v / b) ** 2 < 1
        labels[inside] = number
        light[inside] = (random.uniform(0.25, 0.7) * (1 + 0.3 * texture(size, random)))[inside]
    slope = random.normal(0, 0.3, 2) / size
    uneven = 1 + slope[0] * (x - size / 2) + slope[1] * (y - size / 2)
    seen = light * uneven + random.normal(0, NOISE, (size, size))
    return (255 * seen.clip(0, 1)).astype(np.uint8), labels


def texture(size: int, random: np.random.Generator) -> np.ndarray:
    """Smooth noise in [-1, 1]: values every few pixels, bilinearly between them."""
    nodes = random.uniform(-1, 1, [size // SMOOTH + 2] * 2)
    at = np.arange(size) / SMOOTH
    low = at.astype(int)
    part = at - low
    rows = nodes[low] * (1 - part)[:, None] + nodes[low + 1] * part[:, None]
    return rows[:, low] * (1 - part) + rows[:, low + 1] * part
