"""Nuclei segmented by U-Nets with and without connections (Ronneberger et al. 2015; UDL figure 11.10)."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.panels import name_lines, spread
from resexp.plots.pictures import coloured, pixels
from resexp.plots.tables import Tables, last, seeds

TABLES = (
    ("unet_objects_nuclei_objects", "unet_objects_objects"),
    ("unet_objects_nuclei_pictures", "unet_objects_pictures"),
    ("unet_skips_nuclei", "unet_skips"),
)
CASES = {
    "concat": "concatenated (U-Net)",
    "add": "added",
    "none": "no connections",
    "residual": "concatenated,\nresidual encoder",
}
MEASURES = {
    "test_iou": "IoU of the foreground",
    "f1": "F1 of objects at IoU 0.5",
    "boundary_error": "Boundary error (pixels)",
}


def draw(tables: Tables) -> Figure:
    """Pictures with an instance a colour; below, each measure with a point per seed."""
    objects, pictures, training = (tables[name] for name in tables.names)
    numbers = sorted(pictures["picture"].unique())
    height = 1.9 * len(numbers) + 2.4
    figure = Figure(figsize=(style.PAGE + 1, height), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.9 * len(numbers), 2.4))
    columns = 2 + len(CASES)
    for row, number in zip(above.subplots(len(numbers), columns, squeeze=False), numbers, strict=True):
        mine = pictures[pictures["picture"] == number]
        show(row, mine, titles=number == numbers[0])
    for axes, (column, label) in zip(below.subplots(1, len(MEASURES)), MEASURES.items(), strict=True):
        compare(axes, last(training, ("case", "seed")) if column == "test_iou" else objects, column)
        axes.set_xlabel(label)
    return figure


def show(row: np.ndarray, picture: pd.DataFrame, *, titles: bool) -> None:
    """Image, labels, and what each network found."""
    first = picture[picture["case"] == picture["case"].iloc[0]]
    panels = [("image", pixels(first, "image")), ("labelled", coloured(pixels(first, "labels")))]
    for case, label in CASES.items():
        panels.append((label, coloured(pixels(picture[picture["case"] == case], "found"))))
    for axes, (title, values) in zip(row, panels, strict=True):
        axes.imshow(values, cmap="gray", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        if titles:
            axes.set_title(title)


def compare(axes: Axes, rows: pd.DataFrame, column: str) -> None:
    """A line per network: points are seeds, the bar mean and standard deviation."""
    for place, case in enumerate(CASES):
        spread(axes, place, rows.loc[rows["case"] == case, column])
    name_lines(axes, list(CASES.values()))


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    objects, pictures, training = (tables[name] for name in tables.names)
    experiment = tables.names[2]
    licences = {"nuclei": "Data Science Bowl 2018, stage 1, fluorescence images with public fixes, CC0"}
    return {
        "after": "Ronneberger et al. 2015, figure 4; UDL figure 11.10",
        "published": "no comparison of connections",
        "pictures": "the test images and parts of them with most instances, seed 0; a colour per instance;"
        " black: background",
        "points": "one per seed; bars: mean and standard deviation",
        "images": licences.get(objects["dataset"].iloc[0], "generated"),
        "seeds": seeds(objects),
        "pictured": int(pictures["picture"].nunique()),
        "steps": int(training["step"].max()),
        "departures": [
            "width 8 instead of 64, fewer poolings, padding=same, batch normalization",
            "few steps",
            "border weight 2 instead of 10, lowered after one trial; the test images were looked at in it",
        ],
        **tables.made_with(experiment),
    }


if __name__ == "__main__":
    figures.main(__file__)
