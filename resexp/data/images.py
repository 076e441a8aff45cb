"""Image files of any common kind as RGB."""

import os
import stat
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import numpy as np

# What torchvision's ImageFolder reads; in any case.
SUFFIXES = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
SIXTEEN_BITS = ("PNG", "PPM")  # formats whose wider integers, Pillow's mode I, have 16 bits


def images_below(folder: Path) -> tuple[list[Path], int]:
    """Sorted image files in a folder and its subfolders, and the number of other files.

    Hidden files and folders, and what macOS adds to archives (`__MACOSX`, `._x.png`), are left out, and
    count as other files where they are files.
    """
    found, others, seen = [], 0, set()
    for place, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
        real = os.path.realpath(place)
        folders[:] = [] if real in seen else [name for name in folders if not is_hidden(name)]
        if real in seen:  # by a link
            continue
        seen.add(real)
        images = [n for n in names if n.lower().endswith(SUFFIXES) and not is_hidden(n)]
        found += [Path(place, name) for name in images]
        others += len(names) - len(images)
    return sorted(found), others


def is_hidden(name: str) -> bool:
    """Whether a file or folder belongs to a program, such as `.ipynb_checkpoints`, and not to a dataset."""
    return name.startswith(".") or name == "__MACOSX"


def read_rgb(file: Path):
    """An image file as a PIL image of mode RGB.

    Grey images get three equal channels, 16 bits are scaled to 8, palettes are looked up, and alpha is
    dropped: the colour stored below transparent pixels stays.

    Raises:
        ValueError: the file is damaged, too large, or has values of unknown scale; the message names it.
    Source: torchvision's ImageFolder, which converts with Pillow. Departure: 16 bits, which Pillow clips.
    """
    from PIL import Image

    with _named(file), Image.open(file) as image:
        _refuse_unknown_scale(file, image)
        if image.mode == "I" or image.mode.startswith("I;16"):
            wide = np.asarray(image).astype(np.int64)
            image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))  # 65535 is 255
        elif "transparency" in image.info:
            image = image.convert("RGBA")  # Pillow warns of a palette with alpha that is converted at once
        return image.convert("RGB")


def check_headers(files: Iterable[Path]) -> str:
    """Read the header of every file.

    Returns:
        A word for the record.
    Raises:
        ValueError: a file is no image, or see read_rgb.
    """
    from PIL import Image

    Image.init()  # once, not in several threads

    def check(file: Path) -> None:
        with _named(file), Image.open(file) as image:
            _refuse_unknown_scale(file, image)

    with ThreadPoolExecutor() as pool:
        for _ in pool.map(check, files):
            pass
    return "good"


def refuse_irregular(file: Path, mode: int) -> None:
    """Raise ValueError for a pipe, a folder or a device, given a file's mode: a pipe would be waited for."""
    if not stat.S_ISREG(mode):
        raise ValueError(f"{file} is no regular file: remove it")


class _named:
    """Turn what Pillow raises within the block into a ValueError that names the file."""

    def __init__(self, file: Path):
        self.file = file

    def __enter__(self) -> None:
        with suppress(OSError):  # Pillow's says what is wrong
            refuse_irregular(self.file, self.file.stat().st_mode)

    def __exit__(self, kind, error, trace) -> None:
        from PIL import Image

        if isinstance(error, Image.DecompressionBombError):
            raise ValueError(
                f"{self.file} is larger than {2 * Image.MAX_IMAGE_PIXELS:,} pixels, as files are that should"
                " fill the memory: scale it down, or remove it"
            ) from error
        if isinstance(error, OSError) and error.errno:
            raise ValueError(f"cannot read {self.file}: {error.strerror}") from error
        if isinstance(error, OSError | SyntaxError | EOFError):  # SyntaxError: a broken PNG
            raise ValueError(f"{self.file} is damaged: {error}") from error


def _refuse_unknown_scale(file: Path, image) -> None:
    if image.mode == "F" or (image.mode == "I" and image.format not in SIXTEEN_BITS):
        raise ValueError(f"{file} has 32-bit values, whose scale is unknown: convert it to 8 or 16 bits")


def _raise(error: OSError) -> None:
    raise error
