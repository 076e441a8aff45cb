"""Images with boxes around objects: as tensors, and from folders in the form of Pascal VOC."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import torch
from torch import Tensor

from resexp.data.class_folders import files_fingerprint
from resexp.data.dense import Augment, Dense

SUFFIXES = (".jpg", ".jpeg", ".png")
Objects = list[tuple[float, ...]]  # class, x and y of the centre, width, height, as shares of the image


@dataclass(frozen=True)
class Boxes(Dense):
    """A training and a test split in memory; standardized and augmented as dense targets are.

    inputs: uint8, (examples, c_in, height, width). targets: float32, (examples, objects, 5): class, x and y
    of the centre, width and height as shares of the image's; zeros where an image has fewer objects.

    Args:
        remarks: on the files.
    """

    remarks: tuple[str, ...] = ()

    kind = "boxes"

    @property
    def classes(self) -> int:
        return 1 + int(max(self.targets[..., 0].max(), self.test_targets[..., 0].max()))


def stacked(objects: Sequence[Objects], count: int) -> Tensor:
    """Objects of images as targets, (images, count, 5)."""
    found = torch.zeros(len(objects), count, 5)
    for image, mine in enumerate(objects):
        if mine:
            found[image, : len(mine)] = torch.tensor(mine)
    return found


@dataclass(frozen=True)
class Mirror:
    """Mirrored along each axis with probability 1/2, boxes alike."""

    def __call__(self, x: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """x: (batch, channels, height, width); targets: (batch, objects, 5)."""
        drawn = torch.rand(len(x), 2, generator=generator, device=generator.device) < 0.5
        targets, there = targets.clone(), targets[..., 3] > 0
        for axis, chosen in enumerate(drawn.unbind(1)):  # 0: x
            x = torch.where(chosen.view(-1, 1, 1, 1), x.flip(3 - axis), x)
            place = targets[..., 1 + axis]
            targets[..., 1 + axis] = torch.where(chosen[:, None] & there, 1 - place, place)
        return x, targets


def load(
    root: str, *, size: Sequence[int], classes: Sequence[str], test_every: int, augment: Augment
) -> Boxes:
    """Read Annotations/*.xml and the images of the same names in JPEGImages/, resized.

    Args:
        root: folder with both.
        size: (height, width) in pixels that images are resized to.
        classes: names of the objects, in the order of their numbers; other objects are refused.
        test_every: in the order of names, every so many images one is a test image.
        augment: of training batches.
    Raises:
        ValueError: a missing or damaged file, another class, a box outside of its image, or too few images.
    """
    if test_every < 2:
        raise ValueError(f"dataset.load.test_every must be at least 2, got {test_every}")
    found = pairs(Path(root).expanduser())
    read = [annotated(xml, classes) for xml, _ in found]
    x = torch.from_numpy(np.stack([_pixels(image, size) for _, image in found])).permute(0, 3, 1, 2)
    y = stacked([objects for objects, _ in read], max(len(objects) for objects, _ in read))
    test = torch.arange(len(x)) % test_every == test_every - 1
    if not test.any():
        raise ValueError(f"{len(x)} images below {root} are too few for dataset.load.test_every={test_every}")
    flat = sum(count for _, count in read)
    remarks = (f"{root}: {flat} boxes without an area are left out",) if flat else ()
    x = x.contiguous()
    return Boxes(x[~test], y[~test], x[test], y[test], augment=augment, remarks=remarks)


def fingerprint(root: str) -> str:
    """Fingerprint of the files; see files_fingerprint."""
    base = Path(root).expanduser()
    return files_fingerprint(base, (file for pair in pairs(base) for file in pair))


def pairs(root: Path) -> list[tuple[Path, Path]]:
    """Annotations and their images, by name.

    Raises:
        ValueError: there are none, or one is without its image.
    """
    xmls = sorted((root / "Annotations").glob("*.xml"))
    if not xmls:
        raise ValueError(
            f"dataset=boxes needs Annotations/*.xml and JPEGImages/ below dataset.root={root}"
            " (dataset=digits_at_scales is generated and needs no files)"
        )
    images = {file.stem: file for file in (root / "JPEGImages").glob("*") if file.suffix.lower() in SUFFIXES}
    if missing := [xml.stem for xml in xmls if xml.stem not in images]:
        raise ValueError(f"{root / 'JPEGImages'} has no image {missing[0]} ({', '.join(SUFFIXES)})")
    return [(xml, images[xml.stem]) for xml in xmls]


def annotated(xml: Path, classes: Sequence[str]) -> tuple[Objects, int]:
    """Objects of one annotation, and how many boxes were left out as they have no area.

    Coordinates are taken as edges of pixels, from 0.

    Raises:
        ValueError: a damaged file, another class, or a box outside of its image.
    """
    objects, flat = [], 0
    try:
        tree = ElementTree.parse(xml).getroot()
        width, height = (float(tree.find("size").findtext(key)) for key in ("width", "height"))
        read = [(o.findtext("name"), _corners(o.find("bndbox").findtext)) for o in tree.iter("object")]
    except (ElementTree.ParseError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(f"{xml} is not an annotation in the form of Pascal VOC: {error}") from error
    for name, (x0, y0, x1, y1) in read:
        if name not in classes:
            raise ValueError(f"{xml} has an object {name}: dataset.load.classes has {', '.join(classes)}")
        if min(x0, y0) < 0 or x1 > width or y1 > height:
            raise ValueError(f"{xml} has a box outside of its image: {x0:g}, {y0:g}, {x1:g}, {y1:g}")
        if x1 <= x0 or y1 <= y0:
            flat += 1
            continue
        centre = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
        objects.append((classes.index(name), *centre, (x1 - x0) / width, (y1 - y0) / height))
    return objects, flat


def _corners(text: Callable[[str], str | None]) -> list[float]:
    return [float(text(key)) for key in ("xmin", "ymin", "xmax", "ymax")]


def _pixels(path: Path, size: Sequence[int]) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path) as opened:
            return np.asarray(opened.convert("RGB").resize((size[1], size[0]), Image.Resampling.BOX))
    except (OSError, SyntaxError) as error:  # Pillow raises SyntaxError for a broken PNG
        raise ValueError(f"{path} is damaged: {error}") from error
