"""Updates, estimates and linear readouts block by block, stage by stage (Greff et al. 2017)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

EXPERIMENTS = ("refinement_cifar10", "refinement")
TABLES = ("refinement_blocks", ("refinement_cifar10_blocks",))
PANELS = {  # column -> title, axis
    "relative_size": ("Size of the update", "Norm, relative to the input's"),
    "cosine": ("Direction of the update", "Cosine with the input"),
    "error_deviation": ("Distance from the stage's last output", "Standard deviation, relative"),
    "error_percent": ("Linear readout of the stage", "Test error (%)"),
}


def draw(tables: Tables) -> Figure:
    """A row per dataset, a panel per quantity; a piece of line for each stage."""
    there = [name for name in EXPERIMENTS if f"{name}_blocks" in tables]
    figure = Figure(figsize=(style.PAGE + 4, 3.0 * len(there)), layout="constrained")
    for row, name in zip(figure.subplots(len(there), 4, squeeze=False), there, strict=True):
        table = tables[f"{name}_blocks"]
        for axes, (column, (title, label)) in zip(row, PANELS.items(), strict=True):
            lines(axes, table, column)
            axes.set(xlabel="Position of the block", ylabel=label, title=title, xlim=(0, 1.03))
        row[0].set_title(f"{style.dataset(table['dataset'].iloc[0])}: size of the update")
        row[0].set_yscale("log")
        row[0].yaxis.set_major_formatter("{x:g}")
        row[0].yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in "25" else "")
        row[2].set(ylim=(-0.05, 2.2))
        row[1].axhline(0, color=style.PUBLISHED, lw=0.8, ls=":")
        row[3].set(ylim=(0, 100))
        row[3].legend(loc="center left", bbox_to_anchor=(1.02, 0.5))
    return figure


def lines(axes: Axes, table: pd.DataFrame, column: str) -> None:
    """Mean over seeds against block / blocks, interrupted where a stage ends."""
    for (model, depth), rows in table.groupby(["model", "depth"]):
        blocks = rows["block"].max()
        label = f"{style.label(model)}-{depth}"
        for _, part in rows.groupby("stage"):
            mean = part.groupby("block")[column].mean()
            look = style.line(model, depth) | {"marker": style.marker(model), "ms": 2.5}
            axes.plot(mean.index / blocks, mean, label=label, **look)
            label = None


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_blocks" in tables]
    return {
        "after": "Greff et al. 2017, section 3",
        "published": "successive layers of a residual network iteratively refine their estimates of the same"
        " features (abstract)",
        "lines": "mean over seeds, position = block / blocks, a piece for each stage; the first block of the"
        " second and third stage changes shapes",
        "distance": "block's output minus that of its stage's last block: standard deviation over examples,"
        " root mean square over units, over that of the last output; plain-56 leaves the axis in its first"
        " stage",
        "readout": "fitted to the training examples' output of the stage's last block, averaged over"
        " positions; applied to each block of the stage",
        "seeds": {name: seeds(tables[f"{name}_blocks"]) for name in there},
        "departures": ["MNIST-1D and CIFAR-10 instead of ImageNet", "size, direction and readout are ours"],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
