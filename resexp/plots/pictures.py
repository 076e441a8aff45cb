"""Pictures that tables hold: a row per line of pixels."""

import numpy as np
import pandas as pd
from matplotlib.colors import hsv_to_rgb

GOLDEN = 0.6180339887  # steps of hue: neighbouring numbers get distant colours


def pixels(rows: pd.DataFrame, kind: str) -> np.ndarray:
    """The picture of a kind: column `values` in the order of column `row`."""
    lines = rows[rows["kind"] == kind].sort_values("row")["values"].astype(str)
    return np.array([[int(value) for value in line.split()] for line in lines])


def coloured(labels: np.ndarray) -> np.ndarray:
    """A colour for each number, black for 0; (height, width, 3)."""
    hue = (labels * GOLDEN) % 1
    value = np.where(labels > 0, 1 - 0.35 * (labels % 2), 0)
    return hsv_to_rgb(np.stack([hue, np.full_like(hue, 0.9), value], axis=-1))
