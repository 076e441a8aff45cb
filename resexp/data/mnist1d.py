"""MNIST-1D (Greydanus and Kobak 2024), generated on the fly: no files, no download."""

import numpy as np
import torch

from resexp.data.dataset import Dataset

# One template of twelve points per digit.
TEMPLATES = np.array(
    [
        [5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5],
        [5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5],
        [5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5],
        [5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5],
        [5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5],
        [5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5],
        [5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5],
        [5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5],
        [5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5],
    ]
)
EXAMPLES, TRAIN, LENGTH = 5000, 4000, 40
PADDING = (36, 60)  # minimum and maximum number of zeros appended to the template
MAX_SHIFT = 48
SCALE, SHEAR, SMOOTH_NOISE, NOISE = 0.4, 0.75, 0.25, 0.02


def load(seed: int) -> Dataset:
    """Generate MNIST-1D.

    Args:
        seed: 42 gives the published dataset.
    Returns:
        4,000 + 1,000 float32 sequences of shape (1, 40), standardized over all 5,000.
    Source: arXiv:2011.14439; agrees with make_dataset of package mnist1d 0.0.2 to 1e-12
    before rounding to float32. Departure: a local instance of numpy's legacy generator is used, so the
    global random state is left unchanged.
    Raises:
        ValueError: a seed that the generator does not take.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"dataset.load.seed must lie in 0..2^32 - 1, got {seed}")
    sequences, labels = generate(seed)
    x = torch.from_numpy(sequences.astype(np.float32)).unsqueeze(1)
    y = torch.from_numpy(labels)
    return Dataset(x[:TRAIN], y[:TRAIN], x[TRAIN:], y[TRAIN:])


def generate(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """All 5,000 sequences (float64, shape (5000, 40)) and their labels, shuffled."""
    random = np.random.RandomState(seed)
    templates = TEMPLATES - TEMPLATES.mean(axis=1, keepdims=True)
    templates /= templates.std(axis=1, keepdims=True)
    templates = (templates - templates[:, :1]) / 6
    labels = np.repeat(np.arange(len(templates)), EXAMPLES // len(templates))
    sequences = np.stack([_sequence(templates[label], random) for label in labels])
    order = random.permutation(EXAMPLES)
    sequences, labels = sequences[order], labels[order]
    return (sequences - sequences.mean()) / sequences.std(), labels


def _sequence(template: np.ndarray, random: np.random.RandomState) -> np.ndarray:
    """Pad, dilate, scale, shift, add two kinds of noise, shear, subsample; random draws in this order."""
    x = template + 1e-8  # distinguishes zeros of the template from the padding below
    x = np.append(x, np.zeros(PADDING[0] + int(random.rand() * (PADDING[1] - PADDING[0] + 1))))
    x = _resample(x, len(template) + PADDING[1])
    x *= 1 + SCALE * (random.rand() - 0.5)
    x = np.roll(x, random.choice(MAX_SHIFT))
    smooth = _gaussian_filter(SMOOTH_NOISE * random.randn(len(x)))
    x = np.where(x != 0, x, smooth) + NOISE * random.randn(len(x))
    x -= SHEAR * (random.rand() - 0.5) * np.linspace(-0.5, 0.5, len(x))
    return _resample(x, LENGTH)


def _resample(x: np.ndarray, length: int) -> np.ndarray:
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(x)), x)


def _gaussian_filter(x: np.ndarray, sigma: float = 2.0, radius: int = 8) -> np.ndarray:
    """Gaussian filter truncated at four sigma, with reflected boundaries."""
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.convolve(np.pad(x, radius, mode="symmetric"), kernel / kernel.sum(), mode="valid")
