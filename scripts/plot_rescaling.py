"""Networks on enlarged inputs, and where on a larger canvas they see an input's class."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

EXPERIMENTS = ("rescaling_cifar10", "rescaling")
TABLES = ("rescaling_scales", ("rescaling_cifar10_scales",), ("rescaling_heat",), ("rescaling_cifar10_heat",))
CHANCE = 90.0  # percent, for ten classes


def draw(tables: Tables) -> Figure:
    """A row per dataset: error, confidence, and the probability of the class over a canvas."""
    there = [name for name in EXPERIMENTS if f"{name}_scales" in tables]
    figure = Figure(figsize=(style.PAGE + 2, 3.2 * len(there)), layout="constrained")
    for (error, confidence, heat), name in zip(
        figure.subplots(len(there), 3, squeeze=False), there, strict=True
    ):
        table = tables[f"{name}_scales"]
        for (model, depth), rows in table.groupby(["model", "depth"]):
            mean = rows.groupby("factor")[["error_percent", "confidence"]].mean()
            look = style.line(model, depth) | {"marker": style.marker(model), "ms": 3}
            for axes, column in ((error, "error_percent"), (confidence, "confidence")):
                axes.plot(mean.index, mean[column], label=f"{style.label(model)}-{depth}", **look)
        ticks = sorted(table["factor"].unique())
        for axes in (error, confidence):
            axes.set(xscale="log", xlabel="Enlargement of each side")
            axes.set_xticks(
                ticks, ["" if 1 < tick < 1.2 else f"{tick:g}" for tick in ticks]
            )  # 1.1 would touch 1
            axes.minorticks_off()
        error.axhline(CHANCE, color=style.PUBLISHED, lw=0.8, ls=":")
        error.set(ylim=(0, 100), ylabel="Test error (%)", title=style.dataset(table["dataset"].iloc[0]))
        confidence.set(ylim=(0, 1.02), ylabel="Confidence (mean)", title="Probability of the answer")
        confidence.legend(fontsize=7)
        canvas(figure, heat, tables[f"{name}_heat"])
    return figure


def canvas(figure: Figure, axes, table) -> None:
    """Images: the deepest network's map with the input's frame; sequences: a line for each network."""
    if table["row"].nunique() > 1:
        depth = table["depth"].max()
        mine = table[table["depth"] == depth]
        grid = mine.groupby(["row", "column"])["probability"].mean().unstack()
        reach = mine["offset"].max() / 2**0.5
        shown = axes.imshow(grid, extent=(-reach, reach, reach, -reach), vmin=0, vmax=1, cmap="viridis")
        axes.add_patch(Rectangle((-0.5, -0.5), 1, 1, fill=False, ec="white", lw=1.2))
        figure.colorbar(shown, ax=axes, label="Probability of the class")
        axes.set(title=f"residual-{depth}: heat map, frame: the image", xlabel="Offset of the window (sides)")
        return
    for (model, depth), rows in table.groupby(["model", "depth"]):
        mean = rows.groupby("column").agg({"probability": "mean", "offset": "mean"})
        signed = mean["offset"].where(mean.index >= mean.index.max() / 2, -mean["offset"])
        axes.plot(signed, mean["probability"], **style.line(model, depth))
    axes.axvspan(-0.5, 0.5, color="#dddddd", alpha=0.5, lw=0)
    axes.set_xticks([-1, -0.5, 0, 0.5, 1])
    axes.set(ylim=(0, 1.02), xlabel="Offset of the window (lengths; grey: the sequence)")
    axes.set(ylabel="Probability of the class", title="On a canvas of three lengths")


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_scales" in tables]
    return {
        "after": "a lecture's demonstration with an enlarged photograph; its printed predictions are not"
        " quoted, for want of a source",
        "published": "nothing that is compared here",
        "lines": "mean over seeds; enlarged by (bi)linear interpolation; dotted: chance",
        "canvas": "windows of the training size with the classifier as a 1x1 convolution; canvas of three"
        " sides, zero (the mean of the inputs) around the input; probability of its class, mean over inputs",
        "seeds": {name: seeds(tables[f"{name}_scales"]) for name in there},
        "departures": ["test images of CIFAR-10 and sequences of MNIST-1D instead of a photograph"],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
