"""Autocorrelation of the gradient: UDL figure 11.3c; Balduzzi et al. 2017, figure 2."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("shattered_gradients_curves",)
REFERENCE = ("udl_fig11_3_shattered_gradients",)
BOOK_DEPTHS = {2: "#E69F00", 4: "#D55E00", 24: "#661100"}
FEEDFORWARD = {
    "balduzzi": "(a) Feed-forward, units centered",
    "feedforward_batch": "(b) Feed-forward, batch norm.",
}
DEEP = [
    ("balduzzi", 50), ("residual", 50), ("residual_batch", 50), ("residual_batch_small", 50),
    ("brown_noise", 0), ("white_noise", 0),
]  # fmt: skip
INPUTS = 256


def draw(tables: Tables) -> Figure:
    """(a), (b) feed-forward networks of the book's depths against delta x; (c) depth 50 against lag."""
    table, book = tables[TABLES[0]], tables.reference(REFERENCE[0])
    figure = Figure(figsize=(style.PAGE, 4.2), layout="constrained")
    *pair, right = figure.subplots(1, 3, sharey=True)
    for axes, (setup, title) in zip(pair, FEEDFORWARD.items(), strict=True):
        draw_feedforward(axes, table[table["setup"] == setup], book[book["panel"] == "c"])
        axes.set_title(title)
    for setup, depth in DEEP:
        rows = table[(table["setup"] == setup) & (table["depth"] == depth)]
        r = rows.groupby("lag")["autocorrelation"].agg(["mean", "std"])
        look, lags = style.setup(setup), [0, *r.index]
        mean, std = np.array([1, *r["mean"]]), np.array([0, *r["std"]])
        right.plot(lags, mean, **look)
        right.fill_between(lags, mean - std, mean + std, color=look["color"], alpha=0.15, lw=0)
    right.set(xlabel="Lag (grid steps of 1/64)", title="(c) 50 layers or residual blocks")
    for axes in (*pair, right):
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set_ylim(-0.25, 1.03)
    pair[0].set_ylabel("Autocorrelation of $dy/dx$")
    handles, labels = pair[0].get_legend_handles_labels()
    order = [labels.index(f"{depth} layers") for depth in BOOK_DEPTHS]
    order += [i for i in range(len(labels)) if i not in order]
    figure.legend(
        [handles[i] for i in order], [labels[i] for i in order], ncols=4, loc="outside lower left", fontsize=7
    )
    figure.legend(*right.get_legend_handles_labels(), ncols=2, loc="outside lower right", fontsize=7)
    return figure


def draw_feedforward(axes: Axes, table, book) -> None:
    """Both estimators and the book's curves; the value at lag 0 is 1 by definition."""
    for depth, color in BOOK_DEPTHS.items():
        rows = table[table["depth"] == depth]
        r = rows.groupby("delta_x")[["autocorrelation", "about_zero"]].agg(["mean", "std"])
        x = [0, *r.index]
        mean, std = ([at_0, *r["autocorrelation"][of]] for at_0, of in ((1, "mean"), (0, "std")))
        axes.errorbar(x, mean, std, color=color, capsize=2, linewidth=1.2, label=f"{depth} layers")
        axes.plot(x, [1, *r["about_zero"]["mean"]], ":", color=color, label=f"{depth}, mean not subtr.")
    for depth, color in BOOK_DEPTHS.items():
        read_off = book[book["hidden_layers"] == depth]
        axes.plot(read_off["x"], read_off["y"], "--", color=color, linewidth=1, label=f"UDL 11.3c, {depth}")
    lags = np.arange(14)
    label = "$1-k/256$: constant $dy/dx$, not subtracted"
    axes.plot(lags / 64, 1 - lags / INPUTS, color="#999999", linewidth=0.8, zorder=0, label=label)
    axes.set(xlabel=r"Distance $\Delta x$", xlim=(0, 0.21))


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    networks = int(tables[TABLES[0]]["seed"].nunique())
    return {
        "figure": "autocorrelation of dy/dx at initialization, mean and standard deviation over networks",
        "after": "UDL figure 11.3c; Balduzzi et al. 2017 (arXiv:1702.08591), figure 2",
        "networks": f"{networks} per curve, 200 units, 256 inputs on [-2, 2), weights N(0, 2/D), no biases; "
        "(a) every unit centered over the inputs, (b) batch normalization over the inputs, (c) see legend",
        "lines": "mean over networks; bars and bands: their standard deviation",
        "estimator": "products at lag k summed over the 256 - k pairs, divided by the sum at lag 0 (biased "
        "towards 0, by 5 % at lag 12); dotted: without subtracting the mean over the line, as in "
        "np.correlate, which notebook 11.1 uses",
        "published": "dashed, as digitized, not shifted: the book draws lag 0 at 0.988",
        "book_2_layers": "the book's curve for 2 layers is 1 - k/256 within 0.002: the biased estimator "
        "without mean subtraction gives this for a nearly constant gradient",
        "departures_from_the_paper": [
            "means and standard deviations over the inputs are not differentiated",
            "looks-linear networks are measured but not drawn: their gradient is constant",
        ],
        **tables.made_with("shattered_gradients"),
    }


if __name__ == "__main__":
    figures.main(__file__)
