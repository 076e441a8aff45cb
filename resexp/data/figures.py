"""Articulated figures over clutter, generated: images with joints without files."""

import numpy as np
import torch

from resexp.data.cells import texture
from resexp.data.checksums import checksum
from resexp.data.joints import Mirror, Posed

# The joints of Leeds Sports Pose, in its order; left and right are the figure's own, which faces the viewer.
JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "right wrist",
    "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist", "neck", "head top",
)  # fmt: skip
MIRRORED = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13)
REFERENCE = (3, 8)  # left hip to right shoulder: the torso, by which FLIC's keypoints are judged
# pixels in an image of 64 x 64
TORSO, SHOULDER, HIP, HEAD = 16.0, 5.0, 3.5, 7.0
ARM, FOREARM, THIGH, SHIN = 8.0, 7.0, 10.0, 9.0
# pairs of joints and the half width of what is drawn between them, from the back to the front
LIMBS = (
    (3, 4, 2.2), (4, 5, 1.8), (2, 1, 2.2), (1, 0, 1.8), (3, 9, 3.0), (2, 8, 3.0), (8, 9, 2.0),
    (9, 10, 1.8), (10, 11, 1.5), (8, 7, 1.8), (7, 6, 1.5), (12, 13, 2.6),
)  # fmt: skip
CLUTTER, OCCLUDERS = 12, 3  # bars behind each figure; fewer than so many before it
NOISE = 0.04  # standard deviation, of the full range


def load(size: int, train_size: int, test_size: int, seed: int, mirror: bool) -> Posed:
    """Generate images of size x size with fourteen joints.

    A figure has rigid limbs, of lengths that vary by a fifth, and joints that bend. Behind it are an uneven
    ground and bars that resemble limbs, before it up to two wider bars: joints beneath those are occluded. A
    limb before another does not make its joint count as occluded. Joints outside are not annotated.

    Args:
        train_size, test_size: images.
        seed: of the generator; the test images follow the training images.
        mirror: whether training images are mirrored with probability 1/2.
    Raises:
        ValueError: sizes below 1 (32 for the side).
    """
    if size < 32 or min(train_size, test_size) < 1:
        raise ValueError(
            "dataset.load.size must be at least 32, train_size and test_size at least 1, got"
            f" {size}, {train_size} and {test_size}"
        )
    random = np.random.default_rng(seed)
    pairs = [image(size, random) for _ in range(train_size + test_size)]
    x = torch.from_numpy(np.stack([picture for picture, _ in pairs])).unsqueeze(1)
    y = torch.from_numpy(np.stack([joints for _, joints in pairs]))
    settings = {"augment": Mirror(MIRRORED)} if mirror else {}
    return Posed(x[:train_size], y[:train_size], x[train_size:], y[train_size:], **settings)


def fingerprint() -> str:
    """Of eight images: other versions of numpy may draw them otherwise."""
    drawn = load(size=64, train_size=7, test_size=1, seed=0, mirror=False)
    return checksum(drawn.inputs, drawn.targets, drawn.test_inputs, drawn.test_targets)


def image(size: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One image (uint8) and its joints, (14, 4) float32; see Posed."""
    unit = size / 64
    light = 0.3 + 0.15 * texture(size, random)
    for _ in range(CLUTTER):
        a = random.uniform(0, size, 2)
        b = a + random.normal(0, 8 * unit, 2)
        bar(light, a, b, random.uniform(1, 2.5) * unit, random.uniform(0.05, 0.8))
    joints, tone = pose(size, random), random.uniform(0.6, 0.95)
    for a, b, width in LIMBS:
        bar(light, joints[a], joints[b], width * unit, tone * random.uniform(0.85, 1.0))
    covered = np.zeros((size, size))
    for _ in range(random.integers(OCCLUDERS)):
        a = joints.mean(0) + random.normal(0, 10 * unit, 2)
        b, width = a + random.normal(0, 10 * unit, 2), random.uniform(3, 5) * unit
        bar(light, a, b, width, random.uniform(0.05, 0.8))
        bar(covered, a, b, width, 1.0)
    seen = light + random.normal(0, NOISE, light.shape)
    pixels = np.rint(joints).astype(int)
    inside = ((pixels >= 0) & (pixels < size)).all(1)
    column, row = pixels.clip(0, size - 1).T
    visibility = np.where(inside, np.where(covered[row, column] > 0.5, 1, 2), 0)
    length = np.linalg.norm(joints[REFERENCE[0]] - joints[REFERENCE[1]])
    targets = np.column_stack([joints, visibility, np.full(len(joints), length)])
    return (255 * seen.clip(0, 1)).astype(np.uint8), targets.astype(np.float32)


def pose(size: int, random: np.random.Generator) -> np.ndarray:
    """Joints of a figure, (14, 2), x and y in pixels."""
    unit, lean = size / 64 * random.uniform(0.85, 1.15), random.normal(0, 0.2)
    across, pelvis = towards(lean + np.pi / 2), size * random.uniform((0.38, 0.52), (0.62, 0.62))
    neck = pelvis - TORSO * unit * towards(lean)
    joints = np.zeros((len(JOINTS), 2))
    joints[12], joints[13] = neck, neck - HEAD * unit * towards(lean + random.normal(0, 0.2))
    for side, (ankle, knee, hip, wrist, elbow, shoulder) in (
        (-1, (0, 1, 2, 6, 7, 8)),
        (1, (5, 4, 3, 11, 10, 9)),
    ):
        joints[hip], joints[shoulder] = (
            pelvis + side * HIP * unit * across,
            neck + side * SHOULDER * unit * across,
        )
        thigh, arm = lean + side * random.uniform(-0.2, 0.9), lean + side * random.uniform(-0.2, 2.4)
        shin, forearm = thigh - side * random.uniform(-0.1, 1.0), arm + side * random.uniform(-1.2, 1.2)
        joints[knee] = joints[hip] + THIGH * unit * towards(thigh)
        joints[ankle] = joints[knee] + SHIN * unit * towards(shin)
        joints[elbow] = joints[shoulder] + ARM * unit * towards(arm)
        joints[wrist] = joints[elbow] + FOREARM * unit * towards(forearm)
    return joints


def towards(angle: float) -> np.ndarray:
    """Unit vector (x, y) at an angle from straight down, positive to the right."""
    return np.array([np.sin(angle), np.cos(angle)])


def bar(light: np.ndarray, a: np.ndarray, b: np.ndarray, width: float, tone: float) -> None:
    """Draw the points within `width` of the segment from a to b (x, y), with a soft edge of a pixel."""
    y, x = np.mgrid[: light.shape[0], : light.shape[1]]
    along, squared = b - a, max(((b - a) ** 2).sum(), 1e-9)
    part = (((x - a[0]) * along[0] + (y - a[1]) * along[1]) / squared).clip(0, 1)
    distance = np.hypot(x - a[0] - part * along[0], y - a[1] - part * along[1])
    share = (width + 0.5 - distance).clip(0, 1)
    light += share * (tone - light)
