"""Standard deviation of layer responses, in the layers' order and sorted (He et al. 2015, figure 7)."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

EXPERIMENTS = {  # and who trained the networks
    "layer_responses_full": "64,000 steps",
    "layer_responses_cifar10": "imported",
    "layer_responses": "480 steps",
}
TABLES = (
    "layer_responses_deviation",
    ("layer_responses_cifar10_deviation",),
    ("layer_responses_full_deviation",),
)


def draw(tables: Tables) -> Figure:
    """One column per dataset: layers in order above, sorted below; mean over seeds."""
    there = [name for name in EXPERIMENTS if f"{name}_deviation" in tables]
    figure = Figure(figsize=(4.4 * len(there), 5.6), layout="constrained")
    columns = figure.subplots(2, len(there), squeeze=False).T
    for (ordered, descending), name in zip(columns, there, strict=True):
        table = tables[f"{name}_deviation"]
        table["rank"] = table.groupby(["model", "depth", "seed"])["standard_deviation"].rank(
            method="first", ascending=False
        )
        for (model, depth), rows in table.groupby(["model", "depth"]):
            look = style.line(model, depth) | {"label": f"{style.label(model)}-{depth}"}
            for axes, column in ((ordered, "layer"), (descending, "rank")):
                mean = rows.groupby(column)["standard_deviation"].mean()
                axes.plot(mean.index, mean, lw=1.1, **look)
        ordered.set(xlabel="Layer, in the order of the forward pass", ylabel="Standard deviation")
        ordered.set_title(f"{style.dataset(table['dataset'].iloc[0])}, {EXPERIMENTS[name]}")
        descending.set(xlabel="Layer, sorted by its deviation", ylabel="Standard deviation")
        for axes in (ordered, descending):
            axes.set_yscale("log")
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter(lambda x, _: f"{x:g}" if f"{x:.0e}"[0] in "25" else "")
        ordered.legend(fontsize=7, ncols=2)
    return figure


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    there = [name for name in EXPERIMENTS if f"{name}_deviation" in tables]
    means = {}
    for name in there:
        table = tables[f"{name}_deviation"]
        for (model, depth), rows in table.groupby(["model", "depth"]):
            network = f"{table['dataset'].iloc[0]}, {EXPERIMENTS[name]}: {style.label(model)}-{depth}"
            means[network] = round(rows["standard_deviation"].mean(), 3)
    return {
        "after": "He et al. 2015, figure 7",
        "published": "residual networks have smaller responses than plain ones, and deeper residual networks"
        " smaller ones than shallower",
        "lines": "output of each 3x3 layer (3 on sequences) after normalization, before activation and"
        " addition; mean over seeds",
        "mean over layers": means,
        "departures": ["measured on test examples; the paper does not specify the examples"],
        **tables.made_with(*there),
    }


if __name__ == "__main__":
    figures.main(__file__)
