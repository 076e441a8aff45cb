"""What networks that detect objects find: recall by size, time, boxes in an image (Lin et al. 2017)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from resexp.plots import style
from resexp.plots.pictures import pixels
from resexp.plots.tables import Tables, published, seeds

CASES = {
    "images": "(a) image pyramid",
    "single": "(b) single map, second coarsest",
    "single_coarsest": "(b) single map, coarsest",
    "hierarchy": "(c) hierarchy, no top-down",
    "pyramid": "(d) feature pyramid (FPN)",
    "no_lateral": "FPN without lateral",
    "finest": "FPN, finest map only",
}
SIZES = {"small": ("#56B4E9", "v"), "medium": ("#0072B2", "o"), "large": ("#000000", "^")}
SHIFTS = {"small": -0.22, "medium": 0.0, "large": 0.22}
COLUMNS = 4  # of pictures


def draw(tables: Tables, cases: Mapping[str, str]) -> Figure:
    """Recall by size, average recall beside the published one, time; below, detections in one image.

    Args:
        tables: `scores` and `pictures` of measure=detections, and `comparisons`.
        cases: case -> label, from top to bottom.
    """
    scores, pictures = (tables[name] for name in tables.names)
    numbers = published(tables.reference("comparisons"), "pyramid_detections")
    rows = -(-(len(cases) + 1) // COLUMNS)
    heights = (1.6 + 0.2 * len(cases), 2.6 * rows)
    figure = Figure(figsize=(style.PAGE, sum(heights)), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=heights)
    by_size, beside, times = above.subplots(1, 3, sharey=True, width_ratios=(5, 4, 3))
    recall(by_size, scores, list(cases))
    average(beside, scores, list(cases), numbers)
    duration(times, scores, list(cases))
    by_size.set_yticks(range(len(cases)), cases.values())
    by_size.set_ylim(len(cases) - 0.5, -0.6)
    for axes in (by_size, beside, times):
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    panels = below.subplots(rows, COLUMNS).flat
    for axes, (case, label) in zip(panels, ({"labelled": "labelled"} | dict(cases)).items(), strict=True):
        show(axes, pictures, case)
        axes.set_title(label, fontsize=8)
    return figure


def facts(tables: Tables, *, data: str, times: str, departures: Sequence[str]) -> dict[str, Any]:
    """Contents of the caption."""
    scores = tables[tables.names[0]]
    objects = scores.drop_duplicates("size").set_index("size")["objects"]
    return {
        "after": "Lin et al. 2017 (arXiv:1612.03144), figure 1 and table 1",
        "published": published(tables.reference("comparisons"), "pyramid_detections"),
        "published_is": "average recall of 1,000 proposals of COCO, of any class: only orders compare",
        "data": data,
        "seeds": seeds(scores),
        "objects": {size: int(objects[size]) for size in ("all", *SIZES)},
        "picture": "the first test image, seed 0; green: right class, IoU from 0.5 on; red: not; scores from"
        " 0.15 on",
        "times": times,
        "departures": departures,
    }


def recall(axes: Axes, scores: pd.DataFrame, cases: Sequence[str]) -> None:
    """A point per seed and size, a bar at their mean."""
    for size, (color, marker) in SIZES.items():
        for place, case in enumerate(cases):
            found = scores.loc[(scores["case"] == case) & (scores["size"] == size), "recall"]
            at = place + SHIFTS[size]
            axes.plot(found, [at] * len(found), marker, color=color, ms=4, mfc="none")
            axes.plot(found.mean(), at, "|", color=color, ms=9, mew=2)
        axes.plot([], [], marker, color=color, ms=4, mfc="none", label=size)
    axes.legend(ncols=3, loc="lower left", bbox_to_anchor=(0, 1.0), handletextpad=0.1)
    axes.set(xlabel="Recall at IoU 0.5, by object size", xlim=(-0.02, 1.02))


def average(axes: Axes, scores: pd.DataFrame, cases: Sequence[str], numbers: Mapping[str, str]) -> None:
    """Average recall of all objects, each seed, and the published average recall of proposals."""
    overall = scores[scores["size"] == "all"]
    for place, case in enumerate(cases):
        found = 100 * overall.loc[overall["case"] == case, "average_recall"]
        axes.plot(found, [place] * len(found), "o", color=style.COLORS["resnet"], ms=4, mfc="none")
        axes.plot(found.mean(), place, "|", color=style.COLORS["resnet"], ms=14, mew=2)
        if case in numbers:
            axes.plot(float(numbers[case].split()[0]), place, "D", ms=5, color=style.PUBLISHED)
    axes.plot([], [], "o", color=style.COLORS["resnet"], ms=4, mfc="none", label="ours")
    axes.plot([], [], "D", ms=5, color=style.PUBLISHED, label="published, COCO")
    axes.legend(ncols=2, loc="lower left", bbox_to_anchor=(0, 1.0), handletextpad=0.1)
    axes.set(xlabel="Average recall, IoU 0.5 to 0.95 (%)", xlim=(0, 100))


def duration(axes: Axes, scores: pd.DataFrame, cases: Sequence[str]) -> None:
    """Time of an image, each seed."""
    overall = scores[scores["size"] == "all"]
    for place, case in enumerate(cases):
        found = overall.loc[overall["case"] == case, "milliseconds_per_image"]
        axes.plot(found, [place] * len(found), "o", color=style.COLORS["resnet"], ms=4, mfc="none")
    axes.set(xlabel="Time per image (ms)")
    axes.set_xlim(left=0)


def show(axes: Axes, picture: pd.DataFrame, case: str) -> None:
    """The image with the boxes of one case, or with the labelled ones; right ones are green."""
    mine = picture[picture["case"] == (picture["case"].iloc[0] if case == "labelled" else case)]
    image = pixels(mine, "image")
    axes.imshow(image, cmap="gray", interpolation="nearest", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    labelled = boxes(mine, "labelled")
    for box in labelled if case == "labelled" else boxes(mine, "found"):
        right = any(box[0] == other[0] and overlap(box[1:5], other[1:5]) >= 0.5 for other in labelled)
        color = "#56B4E9" if case == "labelled" else "#00E08A" if right else "#FF6A3D"
        x, y, width, height = box[1:5]
        corner = (x - width / 2 - 0.5, y - height / 2 - 0.5)  # pixels have their centres at whole numbers
        axes.add_patch(Rectangle(corner, width, height, fill=False, ec=color, lw=1))
        side = "bottom" if corner[1] > len(image) / 12 else "top"  # not into the title
        axes.annotate(f"{box[0]:.0f}", corner, color=color, fontsize=7, va=side, annotation_clip=True)


def boxes(picture: pd.DataFrame, kind: str) -> list[list[float]]:
    """Class, x, y, width, height (and score)."""
    return [
        [float(value) for value in line.split()] for line in picture.loc[picture["kind"] == kind, "values"]
    ]


def overlap(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes (x and y of the centre, width, height)."""
    sides = [min(a[k] + a[k + 2] / 2, b[k] + b[k + 2] / 2) - max(a[k] - a[k + 2] / 2, b[k] - b[k + 2] / 2)
             for k in (0, 1)]  # fmt: skip
    both = float(np.prod(np.clip(sides, 0, None)))
    return both / (a[2] * a[3] + b[2] * b[3] - both)
