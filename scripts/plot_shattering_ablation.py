"""Which ingredient shatters the gradient: the answer to the textbook's notebook 11.1."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("shattered_gradients_autocorrelation", "shattered_gradients_curves")
REFERENCE = ("udl_fig11_3_shattered_gradients",)
PANELS = {
    "(a) Not centered": {
        "gain1_bias": ("1/D, biases (the notebook)", "#CC79A7", "o", "-"),
        "gain1_nobias": ("1/D, no biases", "#CC79A7", "o", ":"),
        "gain2_bias": ("2/D, biases", "#E69F00", "s", "-"),
        "gain2_nobias": ("2/D, no biases", "#E69F00", "s", ":"),
        "gain2_kinks": ("2/D, first biases N(0, 1)", "#8C6D46", "d", "-."),
    },
    "(b) Centered over the inputs": {
        "gain1_centered": ("1/D", "#56B4E9", "v", "--"),
        "gain1_bias_centered": ("1/D, biases", "#009E73", "^", "--"),
        "gain2_centered": ("2/D (Balduzzi)", "#0072B2", "D", "--"),
        "gain2_bias_centered": ("2/D, biases", "#332288", "P", "--"),
        "gain1_centered_through": ("1/D, through the means", "#999999", "x", "-."),
        "gain2_centered_through": ("2/D, through the means", "#444444", "+", "-."),
        "gain2_kinks_centered": ("2/D, first biases survive", "#8C6D46", "d", "-."),
    },
    "(c) Batch normalization": {
        "gain1_batch": ("1/D", "#56B4E9", "v", "--"),
        "gain2_batch": ("2/D", "#0072B2", "D", "--"),
        "gain2_batch_through": ("2/D, through the statistics", "#444444", "+", "-."),
        "gain2_kinks_batch": ("2/D, first biases survive", "#8C6D46", "d", "-."),
    },
}
ROWS = {setup: look for panel in PANELS.values() for setup, look in panel.items()}
ESTIMATED = {  # setups for which the two estimators are compared
    "gain2_centered": "centered",
    "gain2_kinks_centered": "centered,\nbiases",
    "gain2_batch": "batch\nnorm.",
    "gain2_kinks_batch": "batch n.,\nbiases",
}
DEPTHS = {2: "#E69F00", 4: "#D55E00"}
LAG = 12


def draw(tables: Tables) -> Figure:
    """Lag-1 autocorrelation against depth, mean and standard error; the estimators at lag 12."""
    table = tables[TABLES[0]]
    figure = Figure(figsize=(style.PAGE, 3.9), layout="constrained")
    *grid, last = figure.subplots(1, 4)
    at_lag_1 = table[table["lag"] == 1]
    for axes, (title, rows) in zip(grid, PANELS.items(), strict=True):
        for setup, (label, color, marker, line_style) in rows.items():
            r = at_lag_1[at_lag_1["setup"] == setup].groupby("depth")["autocorrelation"].agg(["mean", "sem"])
            look = {"color": color, "marker": marker, "linestyle": line_style, "label": label}
            # where the variance only sets a scale, 1/D and 2/D coincide: draw open markers around filled ones
            size = {"markersize": 8, "markerfacecolor": "none"} if "gain1" in setup else {"markersize": 4}
            axes.errorbar(r.index, r["mean"], r["sem"], capsize=2, **size, **look)
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set(xscale="log", xlabel="Hidden layers", ylim=(-0.12, 1.05), title=title)
        axes.set_xticks([1, 2, 4, 10, 24, 50], ["1", "2", "4", "10", "24", "50"])
        axes.minorticks_off()
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=7)
    grid[0].set_ylabel("Autocorrelation of $dy/dx$ at lag 1")
    draw_estimators(last, tables[TABLES[1]], tables.reference(REFERENCE[0]))
    return figure


def draw_estimators(axes: Axes, curves, book) -> None:
    """Mean subtracted (filled) or not (open): mean and standard error over networks, and the book's value."""
    at_lag = curves[curves["lag"] == LAG]
    for depth, color in DEPTHS.items():
        for place, setup in enumerate(ESTIMATED):
            rows = at_lag[(at_lag["setup"] == setup) & (at_lag["depth"] == depth)]
            for shift, column, fill in ((-0.12, "autocorrelation", color), (0.12, "about_zero", "none")):
                label = (
                    None
                    if place
                    else f"{depth} layers, mean " + ("left in" if fill == "none" else "subtracted")
                )
                axes.errorbar(
                    place + shift, rows[column].mean(), rows[column].sem(), fmt="o", color=color,
                    markerfacecolor=fill, capsize=2, markersize=5, label=label,
                )  # fmt: skip
        drawn = book[(book["panel"] == "c") & (book["hidden_layers"] == depth)]
        axes.axhline(
            drawn["y"].iloc[LAG], color=color, linestyle="--", linewidth=1, label=f"UDL 11.3c, {depth}"
        )
    axes.set_xticks(range(len(ESTIMATED)), ESTIMATED.values(), fontsize=7)
    axes.set(ylim=(-0.12, 1.05), title=f"(d) Estimators at lag {LAG}, 2/D", xlim=(-0.5, len(ESTIMATED) - 0.5))
    axes.set_ylabel(f"Autocorrelation of $dy/dx$ at lag {LAG}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=7)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    table = tables[TABLES[0]]
    networks = table.loc[table["setup"].isin(ROWS), "seed"].nunique()
    return {
        "figure": "lag-1 autocorrelation of dy/dx against depth for each setup of the ablation; (d) "
        "autocorrelation at lag 12 with and without subtracting the mean over the line",
        "after": "the question of UDL notebook 11.1: why does it fail to replicate figure 11.3?",
        "networks": f"{networks} per point, 200 units, 256 inputs",
        "bars": "standard error over networks",
        "first_biases": "variance 1 in the first layer, as its pre-activations have, and normalization from "
        "the second layer only: kinks are spread over the inputs",
        "same_by_construction": "without biases, 1/D and 2/D differ only by a scale; centering cancels "
        "biases, and batch normalization also cancels the scale",
        **tables.made_with("shattered_gradients"),
    }


if __name__ == "__main__":
    figures.main(__file__)
