"""Error of trained networks with deleted or reordered blocks (Veit et al. 2016, figures 3 to 5)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

KINDS = ("deleted", "several", "shuffled")
EXPERIMENTS = {  # and how the networks were trained
    "lesions_full": "64,000 steps",
    "lesions_cifar10": "imported",
    "lesions": "480 steps",
    "lesions_by_kind": "by kind",
}
TABLES = tuple(f"lesions_{kind}" for kind in KINDS) + tuple(
    (f"{name}_{kind}",) for name in ("lesions_cifar10", "lesions_full", "lesions_by_kind") for kind in KINDS
)
CHANCE = 90.0  # percent, for ten classes
LABELS = ("model", "depth")


def draw(tables: Tables) -> Figure:
    """One row per dataset: one block deleted, several deleted, blocks reordered."""
    there = [name for name in EXPERIMENTS if f"{name}_deleted" in tables]
    figure = Figure(figsize=(style.PAGE + 1.6, 3.1 * len(there)), layout="constrained")
    for row, name in zip(figure.subplots(len(there), 3, squeeze=False), there, strict=True):
        deleted, several, shuffled = (tables[f"{name}_{kind}"] for kind in KINDS)
        one_deleted(row[0], deleted)
        several_deleted(row[1], several, deleted)
        reordered(row[2], shuffled)
        for axes in row:
            axes.axhline(CHANCE, color=style.PUBLISHED, linewidth=0.8, linestyle=":")
            axes.set(ylim=(0, 100), ylabel="Test error (%)")
        row[2].legend(*row[0].get_legend_handles_labels(), loc="center left", bbox_to_anchor=(1.02, 0.5))
        trained = f"{style.dataset(deleted['dataset'].iloc[0])}, {EXPERIMENTS[name]}"
        row[0].set_title(f"{trained}: one block deleted")
        row[1].set_title("Several blocks deleted")
        row[2].set_title("Blocks of equal shape swapped")
    return figure


def networks(table: pd.DataFrame) -> list[tuple[tuple[str, int], pd.DataFrame]]:
    """((model, depth), rows) of each network, shallow ones first."""
    return sorted(table.groupby(list(LABELS)), key=lambda item: (item[0][1], item[0][0]))


def one_deleted(axes: Axes, table: pd.DataFrame) -> None:
    """Error against the position of the deleted block, mean over seeds; open where shapes change."""
    for (model, depth), rows in networks(table):
        mean = rows.groupby("block").agg({"error_percent": "mean", "kind": "first"})
        whole, mean = mean["error_percent"][0], mean.drop(0)
        place = mean.index / len(mean)
        look = style.line(model, depth)
        label = f"{style.label(model)}-{depth}, whole: {whole:.1f} %"
        axes.plot(place, mean["error_percent"], marker=style.marker(model), ms=3, label=label, **look)
        opened = (mean["kind"] == "new_shape").to_numpy()
        axes.plot(
            place[opened], mean["error_percent"][opened], style.marker(model), ms=7, mfc="white",
            mec=look["color"], mew=1.4,
        )  # fmt: skip
    axes.set(xlabel="Position of the deleted block (open: shapes change)", xlim=(0, 1.03))


def several_deleted(axes: Axes, table: pd.DataFrame, whole: pd.DataFrame) -> None:
    """Error against the number of deleted blocks, from 0; mean over draws and seeds."""
    for (model, depth), rows in networks(table):
        error = rows.groupby("deleted")["error_percent"].agg(["mean", "min", "max"])
        mine = whole[(whole["model"] == model) & (whole["depth"] == depth) & (whole["block"] == 0)]
        none = mine["error_percent"]
        error.loc[0] = none.mean(), none.min(), none.max()
        error = error.sort_index()
        look = style.line(model, depth)
        axes.plot(error.index, error["mean"], **look)
        axes.fill_between(error.index, error["min"], error["max"], color=look["color"], alpha=0.08, lw=0)
    axes.set(xlabel="Number of deleted blocks", xlim=(0, None))


def reordered(axes: Axes, table: pd.DataFrame) -> None:
    """Error against Kendall's tau; one point per random order."""
    for (model, depth), rows in networks(table):
        look = {"color": style.shade(model, depth), "marker": style.marker(model)}
        axes.scatter(rows["kendall_tau"], rows["error_percent"], s=9, alpha=0.6, lw=0, **look)
    axes.set(xlabel="Kendall's tau between the orders of the blocks")
    axes.invert_xaxis()  # as published: disorder grows to the right


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_deleted" in tables]
    panels = {}
    for name in there:
        deleted, several = tables[f"{name}_deleted"], tables[f"{name}_several"]
        panels[name] = {
            "dataset": deleted["dataset"].iloc[0],
            "networks": [f"{style.label(m)}-{d}" for (m, d), _ in networks(deleted)],
            "seeds": seeds(deleted),
            "draws": int(several["draw"].nunique()),
        }
    return {
        "after": "Veit et al. 2016, figures 3 to 5",
        "published": "any deleted layer takes VGG to chance; deleting one block of a residual network has"
        " minimal impact, more where it downsamples; error grows smoothly with the number of deleted blocks"
        " and with how far their order is shuffled",
        "lines": "left: mean over seeds, position = block / blocks; middle: mean over draws and seeds, band:"
        " minimum to maximum; right: one point per draw and seed; dotted: chance",
        "deleted": "a residual block is replaced by its shortcut, a plain block by its input, subsampled and"
        " zero-padded where shapes change",
        "panels": panels,
        "departures": ["activation after each addition, except in pre-activation networks (preact)"],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
