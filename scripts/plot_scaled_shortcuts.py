"""Propagation through scaled shortcuts in random networks (He et al. 2016, section 3)."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("scaled_shortcuts_carried",)


def draw(tables: Tables) -> Figure:
    """Left: forward, right: backward; mean over networks and closed form."""
    table = tables["scaled_shortcuts_carried"]
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, column in zip(panels, ("forward", "backward"), strict=True):
        for (scale, rows), color in zip(table.groupby("scale"), style.PALETTE, strict=False):
            mean = rows.groupby("block")[[column, "closed_form"]].mean()
            axes.plot(mean.index, mean["closed_form"], color=color, lw=1)
            axes.plot(mean.index, mean[column].where(mean[column] > 0), "o", ms=3, color=color,
                      label=f"$\\lambda={scale:g}$")  # fmt: skip
        axes.set(yscale="log", xlabel="Block $l$", xticks=range(0, int(table["block"].max()) + 1, 5))
    panels[0].set(ylabel="Share that shortcuts carry", title="Signal: of block $l$ in the last one")
    panels[1].set_title("Gradient: of the last block at block $l$")
    panels[1].legend(fontsize=7)
    return figure


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    table = tables["scaled_shortcuts_carried"]
    first = table[table["block"] == 0].groupby("scale")[["forward", "backward", "closed_form"]].mean()
    return {
        "after": "He et al. 2016, section 3: a shortcut scaled by lambda carries lambda^(L - l)",
        "lines": "closed form; markers: regression coefficients, mean over networks",
        "from the first block to the last": {
            f"lambda={scale:g}": {name: float(f"{value:.3g}") for name, value in row.items()}
            for scale, row in first.iterrows()
        },
        "departures": ["random fully connected networks; branches receive a normalized stream"],
        **tables.made_with("scaled_shortcuts"),
    }


if __name__ == "__main__":
    figures.main(__file__)
