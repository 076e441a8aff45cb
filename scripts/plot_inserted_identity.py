"""A plain network deepened by identity layers, trained on, beside the same depth from scratch."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

NAME = "inserted_identity"
TABLES = ("inserted_identity_training",)
LOOKS = {
    "inserted": ("identity layers inserted", style.COLORS["resnet"], "-"),
    "scratch": ("the same depth from scratch", style.COLORS["plain"], (0, (4, 1.5))),
}


def draw(tables: Tables) -> Figure:
    """Training loss and test error against steps: mean over seeds, band from least to most."""
    table = tables["inserted_identity_training"]
    figure = Figure(figsize=(8.4, 3.2), layout="constrained")
    panels = figure.subplots(1, 2)
    for start, (label, color, dash) in LOOKS.items():
        rows = table[table["start"] == start]
        for axes, column in zip(panels, ("train_loss", "error_percent"), strict=True):
            found = rows.dropna(subset=column).groupby("step")[column].agg(["mean", "min", "max"])
            axes.plot(found.index, found["mean"], color=color, ls=dash, label=label, marker="o", ms=2.5)
            axes.fill_between(found.index, found["min"], found["max"], color=color, alpha=0.12, lw=0)
    shallow = table.loc[table["start"] == "shallow", "error_percent"].mean()
    panels[1].axhline(shallow, color=style.PUBLISHED, ls=":", lw=1, label="the shallow network, as trained")
    panels[0].set(ylabel="Training loss (nats)", ylim=(0, None))
    panels[1].set(ylabel="Test error (%)", ylim=(0, 100))
    for axes in panels:
        axes.set_xlabel("Steps")
    panels[0].set_title(f"{style.dataset(table['dataset'].iloc[0])}, {depths(table)}")
    figure.legend(*panels[1].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=7)
    return figure


def depths(table) -> str:
    """Of the shallow and of the deep networks, in weight layers."""
    return f"plain-{table['depth'].iloc[0]} made {2 * table['blocks'].max() + 2} layers deep"


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    table = tables["inserted_identity_training"]
    return {
        "after": "He et al. 2015, section 1: a deeper model has a solution by construction",
        "published": "the solution exists, and solvers do not find one as good; no figure of it",
        "lines": "mean over seeds, band: least to most; dotted: the networks that layers are inserted into",
        "seeds": seeds(table),
        "departures": [
            "constant learning rate, few steps; the network with inserted layers has been trained before"
        ],
        **tables.made_with(NAME),
    }


if __name__ == "__main__":
    figures.main(__file__)
