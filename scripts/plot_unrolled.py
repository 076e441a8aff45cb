"""Error of networks with shared weights against the steps that they are unrolled for."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

NAME = "unrolled"
TABLES = ("unrolled_steps",)


def draw(tables: Tables) -> Figure:
    """A line per depth: mean over seeds, band from least to most, the steps of training marked."""
    table = tables["unrolled_steps"]
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for index, (depth, rows) in enumerate(table.groupby("depth")):
        found = rows.groupby("steps")["error_percent"].agg(["mean", "min", "max"])
        color = style.PALETTE[index]
        axes.plot(found.index, found["mean"], color=color, marker="o", ms=3, label=f"{depth} layers")
        axes.fill_between(found.index, found["min"], found["max"], color=color, alpha=0.12, lw=0)
        there = rows["trained_steps"].iloc[0]
        axes.plot(there, found["mean"][there], "o", ms=10, mfc="none", mec=color)
    axes.axhline(90, color=style.PUBLISHED, ls=":", lw=0.8)
    axes.set(xlabel="Steps of each stage (ring: as trained)", ylabel="Test error (%)", ylim=(0, 100))
    axes.set_title(f"{style.dataset(table['dataset'].iloc[0])}: shared weights, unrolled")
    axes.legend()
    return figure


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    table = tables["unrolled_steps"]
    return {
        "after": "Liao and Poggio 2016, who unroll each network for the steps that it was trained with",
        "published": "a residual network with shared weights is a recurrent network; no such figure",
        "lines": "mean over seeds, band: least to most; ring: steps in training; dotted: chance",
        "steps": "of the shared block behind the first block of each stage; each has its own normalization,"
        " steps beyond the trained ones that of the last",
        "seeds": seeds(table),
        "departures": ["MNIST-1D", "other numbers of steps than those trained are ours"],
        **tables.made_with(NAME),
    }


if __name__ == "__main__":
    figures.main(__file__)
