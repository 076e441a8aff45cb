"""Joints found by one to eight stacked hourglasses (Newell et al. 2016; UDL figure 11.12)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from resexp.plots import figures, style
from resexp.plots.panels import name_lines, spread
from resexp.plots.pictures import pixels
from resexp.plots.tables import Tables, last, seeds

TABLES = ("hourglass_maps_joints", "hourglass_maps_pictures", "hourglass_stacks")
CASES = {
    "one": "1 stack",
    "two": "2 stacks",
    "four": "4 stacks",
    "eight": "8 stacks",
    "eight_last": "8 stacks,\nsupervised at the end only",
}
SHOWN = "eight"  # whose heat maps are drawn
MEASURES = {"test_error_percent": "Visible joints", "test_occluded_error_percent": "Occluded joints"}
JOINTS = (
    "right ankle", "right knee", "right hip", "left hip", "left knee", "left ankle", "right wrist",
    "right elbow", "right shoulder", "left shoulder", "left elbow", "left wrist", "neck", "head top",
)  # fmt: skip
BONES = (
    (0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (2, 8), (3, 9), (6, 7), (7, 8), (8, 12), (12, 9), (9, 10),
    (10, 11), (12, 13),
)  # fmt: skip


def draw(tables: Tables) -> Figure:
    """Pictures with a heat map per joint; below, the share of joints found, a point per seed."""
    joints, pictures, training = (tables[name] for name in tables.names)
    numbers = sorted(pictures["picture"].unique())
    heights = [2.7] * len(numbers) + [2.3]
    figure = Figure(figsize=(style.PAGE + 1, sum(heights)), layout="constrained")
    *above, below = figure.subfigures(len(heights), 1, height_ratios=heights)
    for part, number in zip(above, numbers, strict=True):
        chosen = (
            table[(table["case"] == SHOWN) & (table["picture"] == number)] for table in (joints, pictures)
        )
        show(part, *chosen)
    for axes, (column, label) in zip(below.subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
        compare(axes, last(training, ("case", "seed")), column)
        axes.set_xlabel(f"{label}: PCK at 0.2 torsos (%)")
    return figure


def show(part: SubFigure, joints: pd.DataFrame, picture: pd.DataFrame) -> None:
    """The image with the joints that were found and that are there; beside it, each joint's heat map."""
    grid = part.add_gridspec(2, 9)
    image = pixels(picture, "image")
    maps = [pixels(picture, f"joint-{number}") for number in joints["joint"]]
    axes = part.add_subplot(grid[:, :2])
    axes.imshow(image, cmap="gray", interpolation="nearest")
    scale = image.shape[1] / maps[0].shape[1]
    found = np.array([np.unravel_index(values.argmax(), values.shape)[::-1] for values in maps])
    found = (found + 0.5) * scale - 0.5
    for bone in BONES:
        axes.plot(*found[list(bone)].T, color="#E69F00", lw=1.5)
    for visibility, marker in ((2, "o"), (1, "x")):
        there = joints[joints["visibility"] == visibility]
        axes.plot(there["x"], there["y"], marker, color="#56B4E9", ms=4, fillstyle="none")
    axes.axis("off")
    for place, (name, values) in enumerate(zip(JOINTS, maps, strict=True)):
        axes = part.add_subplot(grid[place // 7, 2 + place % 7])
        edges = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
        axes.imshow(image, cmap="gray", interpolation="nearest", extent=edges)
        strength = {
            "alpha": 0.9 * values / 100,
            "vmin": 0,
            "vmax": 100,
        }  # the image shows where there is none
        axes.imshow(values, cmap="autumn", extent=edges, **strength)
        axes.axis("off")
        axes.set_title(name, fontsize=8)


def compare(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    """A line per network: points are seeds, the bar mean and standard deviation."""
    for place, case in enumerate(CASES):
        spread(axes, place, 100 - rows.loc[rows["case"] == case, column])
    name_lines(axes, list(CASES.values()))


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    _, pictures, training = (tables[name] for name in tables.names)
    return {
        "after": "Newell et al. 2016; UDL figure 11.12",
        "published": "no number for generated figures",
        "pictures": f"heat maps of {CASES[SHOWN]}, seed {seeds(pictures)[0]}, over test images; lines: their"
        " largest values; circles and crosses: where visible and occluded joints are",
        "points": "one per seed; bars: mean and standard deviation",
        "images": "generated figures",
        "seeds": seeds(training),
        "pictured": int(pictures["picture"].nunique()),
        "steps": int(training["step"].max()),
        "departures": [
            "generated figures of 64x64 pixels, heat maps of 16x16",
            "width 32 instead of 256, hourglasses of two poolings instead of four",
            "few steps, by Adam, at one learning rate that was not searched",
        ],
        **tables.made_with("hourglass_stacks"),
    }


if __name__ == "__main__":
    figures.main(__file__)
