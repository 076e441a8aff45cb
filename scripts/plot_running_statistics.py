"""Test errors with batch normalization's running averages and with averages over training data."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

NAME, NETWORKS = "running_statistics", "running_statistics_networks"
TABLES = (f"{NAME}_errors", NETWORKS)
PUBLISHED = "udl_fig11_2_depth_degradation"
REFERENCE = (PUBLISHED,)


def draw(tables: Tables) -> Figure:
    """Both errors and the training error against the step, and the published test error."""
    table, training = (tables[name].sort_values("step") for name in TABLES)
    last = table["step"].max()
    curve = tables.reference(PUBLISHED)
    curve = curve[(curve["panel"] == "test") & (curve["depth"] == 20) & (curve["step"] < 1.3 * last)]
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    axes = figure.subplots()
    lines = {
        "error_percent": "test, running averages",
        "averaged_error_percent": "test, averages over training images",
    }
    for color, (column, label) in zip(style.PALETTE, lines.items(), strict=False):
        axes.plot(table["step"], table[column], "o-", ms=3, color=color, label=label)
    trained = training["step"], training["train_error_percent"]
    axes.plot(*trained, "--", color="black", lw=1, label="training, mean of the interval")
    axes.plot(curve["step"], curve["error_percent"], "D", ms=4, color=style.PUBLISHED, label="UDL 11.2, test")
    axes.set(xlabel="Step", ylabel="Error (%)", ylim=(0, None), title="CIFAR-10: plain-20 at the first rate")
    axes.legend()
    return figure


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    return {
        "after": "UDL figure 11.2, first rate; Wu and Johnson 2021 (arXiv:2105.07576)",
        "published": "UDL figure 11.2, plain-20, test error as digitized",
        "averages": "means of the statistics of 39 batches of 128 training images, not augmented",
        "seeds": seeds(tables[TABLES[0]]),
        "departures": ["bfloat16 in training, float32 in the test"],
        **tables.made_with(NAME, NETWORKS),
    }


if __name__ == "__main__":
    figures.main(__file__)
