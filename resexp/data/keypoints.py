"""Images with joints in an npz."""

from pathlib import Path

import numpy as np
import torch

from resexp.data import npz
from resexp.data.joints import Mirror, Posed

FILE = "keypoints.npz"
ADVICE = "set dataset.root to an npz with image, joints and length (dataset=figures needs no files)"


def load(root: str, *, test_every: int, mirror: bool) -> Posed:
    """Read images and joints of an npz; nothing is unpickled.

    image: uint8, (images, height, width) or (images, height, width, channels). joints: (images, joints, 3),
    x and y in pixels (the first pixel's centre at 0) and visibility as in COCO: 2 visible, 1 occluded, 0 not
    annotated. length: (images,), reference lengths in pixels, such as the head's or the torso's. mirrored,
    optional: (joints,), the joint that each one's mirror image is.

    Args:
        root: the npz, or the folder with keypoints.npz.
        test_every: every so many images one is a test image.
        mirror: whether training images are mirrored with probability 1/2.
    Raises:
        ValueError: a missing or damaged file, other arrays, or too small a test_every.
    """
    path = npz.find(root, FILE, ADVICE)
    image, joints, length, mirrored = npz.read(path, ("image", "joints", "length"), ("mirrored",))
    _check(path, image, joints, length, mirrored)
    if not 2 <= test_every <= len(image):
        raise ValueError(
            f"dataset.load.test_every must lie in 2..{len(image)}, the number of images, got {test_every}"
        )
    if mirror and mirrored is None:
        raise ValueError(f"{path} has no array mirrored: add it, or set dataset.load.mirror=false")
    x = torch.from_numpy(np.moveaxis(image.reshape(*image.shape[:3], -1), 3, 1).copy())
    lengths = np.broadcast_to(length[:, None, None], (*joints.shape[:2], 1))
    y = torch.from_numpy(np.concatenate([np.nan_to_num(joints), lengths], 2).astype(np.float32))
    test = torch.arange(len(x)) % test_every == test_every - 1
    settings = {"augment": Mirror(mirrored.tolist())} if mirror else {}
    return Posed(x[~test], y[~test], x[test], y[test], **settings)


def fingerprint(root: str) -> str:
    """Fingerprint of the file; see files_fingerprint."""
    return npz.fingerprint(npz.find(root, FILE, ADVICE))


def _check(path: Path, image, joints, length, mirrored) -> None:
    count = len(image) if image.ndim else 0
    if image.dtype != np.uint8 or image.ndim not in (3, 4) or not count:
        raise ValueError(
            f"{path}: image must be uint8 (images, height, width) or (images, height, width, channels), got"
            f" {image.dtype} {image.shape}"
        )
    shapes = joints.ndim == 3 and joints.shape[::2] == (count, 3) and length.shape == (count,)
    if not shapes or joints.dtype.kind not in "iuf" or length.dtype.kind not in "iuf":
        raise ValueError(
            f"{path}: joints must be numbers ({count}, joints, 3) and length numbers ({count},), got"
            f" {joints.dtype} {joints.shape} and {length.dtype} {length.shape}"
        )
    annotated = joints[:, :, 2] > 0
    if not np.isin(joints[:, :, 2], (0, 1, 2)).all() or not np.isfinite(joints[annotated]).all():
        raise ValueError(f"{path}: joints must be x, y and a visibility of 0, 1 or 2; one is not")
    if not (np.isfinite(length) & (length > 0)).all():
        raise ValueError(f"{path}: every length must be above 0")
    if mirrored is not None and (mirrored.shape != joints.shape[1:2] or mirrored.dtype.kind not in "iu"):
        raise ValueError(
            f"{path}: mirrored must be {joints.shape[1]} joint numbers, got {mirrored.dtype} {mirrored.shape}"
        )
