"""Volumes segmented by one 3-D U-Net and by several that agree (Falk et al. 2019; UDL figure 11.11)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.panels import name_lines, spread
from resexp.plots.pictures import coloured, pixels
from resexp.plots.tables import Tables

TABLES = (
    ("unet3d_regions_em_scores", "unet3d_regions_scores"),
    ("unet3d_regions_em_slices", "unet3d_regions_slices"),
)
RULES = {"one": "one network", "mean": "mean probability", "all": "all agree"}
KINDS = {"image": "image", "labels": "labelled", **RULES}
MEASURES = {
    "precision": "Precision of voxels",
    "rand_precision": "Precision of pairs (Rand)",
    "merges_bits": "Merges (bits)",
    "recall": "Recall of voxels",
    "rand_recall": "Recall of pairs (Rand)",
    "splits_bits": "Splits (bits)",
}


def draw(tables: Tables) -> Figure:
    """Three slices, connected regions in colours; below, every network and the rules of all of them."""
    scores, slices = (tables[name] for name in tables.names)
    scores = scores[scores["threshold"] == scores["threshold"].max()]
    places = sorted(slices["slice"].unique())
    figure = Figure(figsize=(style.PAGE, 1.9 * len(places) + 3.4), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.9 * len(places), 3.4))
    for row, place in zip(above.subplots(len(places), len(KINDS), squeeze=False), places, strict=True):
        mine = slices[slices["slice"] == place]
        for axes, (kind, label) in zip(row, KINDS.items(), strict=True):
            values = pixels(mine, kind)
            axes.imshow(values if kind == "image" else coloured(values), cmap="gray", interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            if place == places[0]:
                axes.set_title(label)
        row[0].set_ylabel(f"slice {place}")
    for axes, (column, label) in zip(below.subplots(2, 3).flat, MEASURES.items(), strict=True):
        compare(axes, scores, column, named=axes.get_subplotspec().is_first_col())
        axes.set_xlabel(label)
    return figure


def compare(axes: Axes, scores: pd.DataFrame, column: str, *, named: bool) -> None:
    """A line per rule: points are networks on test volumes, the bar mean and standard deviation."""
    for place, rule in enumerate(RULES):
        spread(axes, place, scores.loc[scores["rule"] == rule, column])
    name_lines(axes, list(RULES.values()) if named else [""] * len(RULES))


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    scores, _ = (tables[name] for name in tables.names)
    real = tables.names[0] == "unet3d_regions_em_scores"
    sources = {
        True: "FIB-SEM of a fly's medulla, not of mouse cortex as in the book:"
        " janelia-flyem/neuroproof_examples, training_sample2, Creative Commons Attribution",
        False: "generated tissue: Voronoi cells with membranes, not mouse cortex as in the book",
    }
    departures = ["small networks and few steps", "no watershed or other post-processing"]
    if real:
        departures.append(
            "a voxel counts above 0.9, chosen by eye on a training block after 0.5 had failed on the test"
            " volume"
        )
    return {
        "after": "UDL figure 11.11 (Falk et al. 2019)",
        "images": sources[real],
        "slices": "of the first test volume; connected regions (in three dimensions) in colours; one network:"
        " the first",
        "points": "one per network by itself, or all together, and test volume; bars: mean and standard"
        " deviation",
        "merges": "variation of information: entropy of the true given the found regions; splits: the"
        " reverse; found regions are extended to all voxels before",
        "threshold": float(scores["threshold"].max()),
        "networks": int(scores["networks"].max()),
        "volumes": int(scores["volume"].nunique()),
        "departures": departures,
        **tables.made_with(tables.names[0].removesuffix("_scores")),
    }


if __name__ == "__main__":
    figures.main(__file__)
