"""From instance labels to what a segmentation network learns from: classes and weights."""

import numpy as np
import torch
from torch import Tensor

BEYOND = 4  # standard deviations behind which a border weighs nothing (below exp(-8))


def planes(labels: np.ndarray, *, border_weight: float, border_width: float) -> Tensor:
    """Planes of one image or volume: class, additional weight, instance; float32, (3, *size).

    Args:
        labels: instance numbers, 0 where there is none, below 2^24, which float32 holds exactly.
        border_weight, border_width: w0 and sigma of `border_weights`; 0: no weights.
    """
    inside = separated(labels)
    weights = border_weights(labels, border_weight, border_width) if border_weight else np.zeros(labels.shape)
    return torch.from_numpy(np.stack([inside, weights, labels]).astype(np.float32))


def separated(labels: np.ndarray) -> np.ndarray:
    """1 within instances, 0 outside and where two of them touch along an axis or a diagonal.

    Source: Ronneberger et al. 2015, section 3: borders between touching cells are background.
    """
    padded = np.pad(labels, 1, mode="edge")
    inside = labels > 0
    for shift in np.ndindex(*[3] * labels.ndim):
        beside = padded[tuple(slice(s, s + n) for s, n in zip(shift, labels.shape, strict=True))]
        inside &= (beside == labels) | (beside == 0)
    return inside.astype(np.uint8)


def border_weights(labels: np.ndarray, w0: float, sigma: float) -> np.ndarray:
    """w0 exp(-(d1 + d2)^2 / (2 sigma^2)) in the background: d1, d2 to the nearest two instances, in pixels.

    Within instances 0, as the borders to be learned are background. The class weight is the task's.

    Raises:
        ValueError: scipy is not installed.
    Source: Ronneberger et al. 2015, eq. 2: w0 = 10, sigma = 5.
    """
    try:
        from scipy import ndimage
    except ImportError as error:
        raise ValueError(
            "border weights need scipy: pip install 'resexp[segmentation]', or leave out load.border_weight"
        ) from error
    near, next_near = np.full(labels.shape, np.inf), np.full(labels.shape, np.inf)
    reach = int(np.ceil(BEYOND * sigma)) + 1
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(slice(max(s.start - reach, 0), s.stop + reach) for s in box)
        distance = ndimage.distance_transform_edt(labels[wide] != number)
        a, b = near[wide], next_near[wide]
        next_near[wide] = np.minimum(b, np.maximum(a, distance))
        near[wide] = np.minimum(a, distance)
    return w0 * np.exp(-((near + next_near) ** 2) / (2 * sigma**2)) * (separated(labels) == 0)
