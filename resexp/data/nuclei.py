"""Images with instance labels in two folders."""

from pathlib import Path

import numpy as np
import torch

from resexp.data.class_folders import files_fingerprint
from resexp.data.dense import Augment, Dense
from resexp.data.instances import planes

SUFFIXES = {".png", ".tif", ".tiff"}


def load(root: str, *, test_every: int, border_weight: float, border_width: float, augment: Augment) -> Dense:
    """Read image/* and label/*, pairs by name; grey values in 8 bit, labels in 8 or 16 bit (0: background).

    Args:
        root: folder with image/ and label/.
        test_every: in the order of names, every so many images one is a test image.
        border_weight, border_width: see resexp.data.instances.border_weights.
        augment: of training batches.
    Raises:
        ValueError: a missing folder or file, a damaged one, images of different sizes, or too small a
            test_every.
    """
    if test_every < 2:
        raise ValueError(f"dataset.load.test_every must be at least 2, got {test_every}")
    weights = {"border_weight": border_weight, "border_width": border_width}
    read = [_pair(image, label) for image, label in pairs(Path(root).expanduser())]
    if len(sizes := {image.shape for image, _ in read}) > 1:
        raise ValueError(f"the images below {root} have different sizes ({sorted(sizes)}): crop them to one")
    x = torch.from_numpy(np.stack([image for image, _ in read])).unsqueeze(1)
    y = torch.stack([planes(labels, **weights) for _, labels in read])
    test = torch.arange(len(x)) % test_every == test_every - 1
    if not test.any():
        raise ValueError(f"{len(x)} images below {root} are too few for dataset.load.test_every={test_every}")
    return Dense(x[~test], y[~test], x[test], y[test], augment=augment)


def fingerprint(root: str) -> str:
    """Fingerprint of the files; see files_fingerprint."""
    base = Path(root).expanduser()
    return files_fingerprint(base, (file for pair in pairs(base) for file in pair))


def pairs(root: Path) -> list[tuple[Path, Path]]:
    """Images and their labels, by name.

    Raises:
        ValueError: there are none, one is without the other, or two differ in their suffix alone.
    """
    found = []
    for folder in ("image", "label"):
        if not (root / folder).is_dir():
            raise ValueError(
                f"dataset=nuclei needs image/ and label/ below dataset.root={root}; {folder}/ is missing"
                " (dataset=cells is generated and needs no files)"
            )
        files = sorted(file for file in (root / folder).iterdir() if file.suffix.lower() in SUFFIXES)
        found.append({file.stem: file for file in files})
        if twice := sorted({file.name for file in files} - {file.name for file in found[-1].values()}):
            raise ValueError(f"{root / folder} holds {twice[0]} with another suffix as well: keep one")
    images, labels = found
    if odd := sorted(images.keys() ^ labels.keys()):
        raise ValueError(f"{root}: {odd[0]} is in one of image/ and label/ only")
    if not images:
        raise ValueError(f"{root / 'image'} contains no images ({', '.join(sorted(SUFFIXES))})")
    return [(images[name], labels[name]) for name in images]


def _pair(image: Path, label: Path) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    arrays = []
    for path, mode in ((image, "L"), (label, "I")):
        try:
            with Image.open(path) as opened:
                if mode == "I" and opened.mode not in ("L", "I", "I;16", "I;16B"):
                    raise ValueError(f"{path} must have one channel of 8 or 16 bit, it has {opened.mode}")
                arrays.append(np.asarray(opened.convert(mode)))
        except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken PNG
            raise ValueError(f"{path} is damaged: {error}") from error
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f"{image} and {label} have different sizes")
    return arrays[0], arrays[1].astype(np.int32)
