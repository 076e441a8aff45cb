"""Digits of a font at scales 1 to 8 on a textured canvas: boxes without files."""

import numpy as np
import torch
import torch.nn.functional as F

from resexp.data.boxes import Boxes, stacked
from resexp.data.checksums import checksum
from resexp.data.font_digits import FACES, drawn

SCALES = (1.0, 8.0)  # of a digit's height; even on a logarithmic axis
HEIGHT = 10  # pixels, of a digit at scale 1 on a canvas of 128
DRAWN = 80  # pixels, of the digits that are scaled down
TRIES = 20  # places that are tried for a digit
NOISE = 0.05  # standard deviation, of the full range


def load(size: int, train_size: int, test_size: int, most: int, seed: int) -> Boxes:
    """Generate canvases of size x size with digits that do not touch, and their boxes.

    Class and scale are independent: digits of all classes are equally high, and each keeps a square as wide
    as it is high to itself, so that its own width does not decide whether it finds a place. Training and test
    digits are of different faces.

    Args:
        size: of the canvas, pixels, a multiple of 16; digits are scaled with it.
        train_size, test_size: canvases.
        most: digits of a canvas at most; from 2 on, all numbers are equally likely before places are sought.
        seed: of the generator.
    Raises:
        ValueError: a size that is not a multiple of 16, or other numbers below 1 (2 for most).
    """
    if size < 16 or size % 16 or min(train_size, test_size) < 1 or most < 2:
        raise ValueError(
            "dataset.load.size must be a multiple of 16, train_size and test_size at least 1, most at least"
            f" 2, got {size}, {train_size}, {test_size} and {most}"
        )
    parts = []
    for split, count in (("train", train_size), ("test", test_size)):
        random = np.random.default_rng([seed, split == "test"])
        faces = glyphs(split)
        made = [canvas(size, most, faces, random) for _ in range(count)]
        x = torch.from_numpy(np.stack([image for image, _ in made])).unsqueeze(1)
        parts += [x, stacked([objects for _, objects in made], most)]
    return Boxes(*parts)


def fingerprint() -> str:
    """Of the glyphs, which other versions of matplotlib may draw otherwise, and of a few canvases."""
    made = load(size=128, train_size=4, test_size=4, most=6, seed=0)
    drawings = [torch.from_numpy(g.copy()) for split in FACES for face in glyphs(split) for g in face]
    return checksum(*drawings, made.inputs, made.test_inputs)


def glyphs(split: str) -> list[list[np.ndarray]]:
    """The ten digits of each face of a split."""
    return [[drawn(face, value, DRAWN) for value in range(10)] for face in FACES[split]]


def canvas(size: int, most: int, faces: list, random: np.random.Generator) -> tuple[np.ndarray, list]:
    """One canvas, uint8 (size, size), and its objects; see resexp.data.boxes.Objects."""
    picture = 0.3 + texture(size, random)
    low, high = np.log(SCALES)
    scales = np.exp(random.uniform(low, high, random.integers(2, most + 1)))
    taken, objects = np.zeros((size, size), dtype=bool), []
    for scale in sorted(scales, reverse=True):  # large ones first: they find a place less easily
        value, face = random.integers(10), random.integers(len(faces))
        height = round(HEIGHT * scale * size / 128)
        for y, x in random.integers(0, size - height + 1, (TRIES, 2)):
            if taken[y : y + height, x : x + height].any():
                continue
            taken[y : y + height, x : x + height] = True
            mask = shrunk(faces[face][value], height)
            left = x + (height - mask.shape[1]) // 2
            part = picture[y : y + height, left : left + mask.shape[1]]
            part += mask * random.uniform(0.3, 0.5)
            width = mask.shape[1]
            centre = ((left + width / 2) / size, (y + height / 2) / size)
            objects.append((float(value), *centre, width / size, height / size))
            break
    picture += random.normal(0, NOISE, (size, size))
    return (255 * picture.clip(0, 1)).astype(np.uint8), objects


def shrunk(glyph: np.ndarray, height: int) -> np.ndarray:
    """A glyph at another height, at most as wide, from 0 to 1."""
    width = min(max(round(glyph.shape[1] * height / glyph.shape[0]), 1), height)
    x = torch.from_numpy(glyph.astype(np.float32) / 255)[None, None]
    small = F.interpolate(x, size=(height, width), mode="bilinear", antialias=True, align_corners=False)
    return small[0, 0].numpy().astype(float)


def texture(size: int, random: np.random.Generator) -> np.ndarray:
    """Smooth noise of three scales, so that the background has none of its own; deviation about 0.06."""
    found = np.zeros((size, size))
    for nodes in (4, 12, 36):
        coarse = torch.from_numpy(random.normal(0, 0.05, (1, 1, nodes, nodes)))
        found += F.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=False)[0, 0].numpy()
    return found
