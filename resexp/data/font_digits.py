"""Digits of a font: images of ten classes without files."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

# Faces of DejaVu, which every matplotlib carries.
FACES = {
    "train": [
        "Sans", "Sans-Bold", "Sans-BoldOblique", "SansMono", "SansMono-Bold", "SansMono-Oblique", "Serif",
        "Serif-Bold", "Serif-BoldItalic",
    ],
    "test": ["Sans-Oblique", "SansMono-BoldOblique", "Serif-Italic"],
}  # fmt: skip
SIDE, HEIGHT = 28, 20  # pixels; a digit is as high as MNIST's


def digits(split: str) -> tuple[Tensor, Tensor]:
    """The ten digits in the faces of a split.

    Args:
        split: train or test; they share no face.
    Returns:
        uint8 images (digits, 1, 28, 28), bright on black; their values.
    """
    images = [_centered(drawn(face, value, HEIGHT)) for face in FACES[split] for value in range(10)]
    values = torch.arange(10).repeat(len(FACES[split]))
    return torch.from_numpy(np.stack(images)).unsqueeze(1), values


def drawn(face: str, value: int, height: int) -> np.ndarray:
    """One digit, cut out, uint8, `height` pixels high to rounding."""
    from matplotlib import ft2font, get_data_path  # which takes longer to import than to draw

    font = ft2font.FT2Font(str(Path(get_data_path()) / "fonts" / "ttf" / f"DejaVu{face}.ttf"))
    # DejaVu's digits are 0.729 em high
    font.set_size(height / 0.729, 72)
    font.set_text(str(value))
    font.draw_glyphs_to_bitmap(antialiased=True)
    image = np.asarray(font.get_image())
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    return image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _centered(image: np.ndarray) -> np.ndarray:
    """In the middle of a black square."""
    canvas = np.zeros((SIDE, SIDE), dtype=np.uint8)
    top, left = ((SIDE - size) // 2 for size in image.shape)
    canvas[top : top + image.shape[0], left : left + image.shape[1]] = image
    return canvas
