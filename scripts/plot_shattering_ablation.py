"""Which ingredient shatters the gradient: the answer to the textbook's notebook 11.1."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("shattered_gradients_autocorrelation",)
ROWS = {
    "gain1_bias": ("1/D, biases (the notebook)", "#CC79A7", "o", "-"),
    "gain1_nobias": ("1/D, no biases", "#CC79A7", "o", ":"),
    "gain2_bias": ("2/D, biases", "#E69F00", "s", "-"),
    "gain2_nobias": ("2/D, no biases", "#E69F00", "s", ":"),
    "gain1_centered": ("1/D, centered", "#56B4E9", "v", "--"),
    "gain1_bias_centered": ("1/D, biases, centered", "#009E73", "^", "--"),
    "gain2_centered": ("2/D, centered (Balduzzi)", "#0072B2", "D", "--"),
    "gain2_bias_centered": ("2/D, biases, centered", "#332288", "P", "--"),
    "gain1_centered_through": ("1/D, centered, through the means", "#999999", "x", "-."),
    "gain2_centered_through": ("2/D, centered, through the means", "#444444", "+", "-."),
}


def draw(tables: Tables) -> Figure:
    """Lag-1 autocorrelation against depth, mean and standard error over networks."""
    table = tables[TABLES[0]]
    figure = Figure(figsize=(style.PAGE, 4.0), layout="constrained")
    grid = figure.subplots(1, 2, sharey=True)
    at_lag_1 = table[table["lag"] == 1]
    for setup, (label, color, marker, line_style) in ROWS.items():
        r = at_lag_1[at_lag_1["setup"] == setup].groupby("depth")["autocorrelation"].agg(["mean", "sem"])
        look = {"color": color, "marker": marker, "linestyle": line_style, "label": label}
        axes = grid[int("centered" in setup)]
        # without centering the variance is but a scale: the markers of 1/D lie around those of 2/D
        size = {"markersize": 8, "markerfacecolor": "none"} if "gain1" in setup else {"markersize": 4}
        axes.errorbar(r.index, r["mean"], r["sem"], capsize=2, **size, **look)
    for axes, title in zip(grid, ("(a) Not centered", "(b) Units centered over the inputs"), strict=True):
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set(xscale="log", xlabel="Hidden layers", ylim=(-0.12, 1.05))
        axes.set_xticks([1, 2, 4, 10, 24, 50], ["1", "2", "4", "10", "24", "50"])
        axes.minorticks_off()
        axes.set_title(title)
        axes.legend()
    grid[0].set_ylabel("Autocorrelation of $dy/dx$ at lag 1 ($\\Delta x = 1/64$)")
    return figure


def facts(tables: Tables) -> dict:
    """What the caption must say."""
    table = tables[TABLES[0]]
    networks = table.loc[table["setup"].isin(ROWS), "seed"].nunique()
    return {
        "figure": "lag-1 autocorrelation of dy/dx against depth for each set-up of the ablation",
        "after": "the question of UDL notebook 11.1: why does it fail to replicate figure 11.3?",
        "networks": f"{networks} per point, 200 units, 256 inputs",
        "bars": "standard error over networks",
        "same_by_construction": "without biases 1/D and 2/D differ by a scale only; centering takes "
        "biases out again",
        **tables.made_with("shattered_gradients"),
    }


if __name__ == "__main__":
    figures.main(__file__)
