"""Autocorrelation of the gradient: UDL figure 11.3c; Balduzzi et al. 2017, figure 2."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("shattered_gradients_autocorrelation",)
REFERENCE = ("udl_fig11_3_shattered_gradients",)
BOOK_DEPTHS = {2: "#E69F00", 4: "#D55E00", 24: "#661100"}
DEEP = [
    ("balduzzi", 50), ("residual", 50), ("residual_batch", 50), ("residual_batch_small", 50),
    ("brown_noise", 0), ("white_noise", 0),
]  # fmt: skip


def draw(tables: Tables) -> Figure:
    """(a) feed-forward networks of the book's depths against delta x; (b) 50 layers against lag."""
    table, book = tables[TABLES[0]], tables.reference(REFERENCE[0])
    figure = Figure(figsize=(style.PAGE, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    for depth, color in BOOK_DEPTHS.items():
        rows = table[(table["setup"] == "balduzzi") & (table["depth"] == depth)]
        r = rows.groupby("delta_x")["autocorrelation"].agg(["mean", "std"])
        left.errorbar(r.index, r["mean"], r["std"], color=color, capsize=2, label=f"{depth} hidden layers")
        read_off = book[(book["panel"] == "c") & (book["hidden_layers"] == depth)]
        left.plot(read_off["x"], read_off["y"], "--", color=color, linewidth=0.9, label=f"UDL 11.3c, {depth}")
    left.set(xlabel=r"Distance $\Delta x$", ylabel="Autocorrelation of $dy/dx$", xlim=(0, 0.21))
    left.set_title("(a) Feed-forward, units centered over the inputs")
    for setup, depth in DEEP:
        rows = table[(table["setup"] == setup) & (table["depth"] == depth)]
        r = rows.groupby("lag")["autocorrelation"].agg(["mean", "std"])
        look = style.setup(setup)
        right.plot(r.index, r["mean"], **look)
        right.fill_between(
            r.index, r["mean"] - r["std"], r["mean"] + r["std"], color=look["color"], alpha=0.15, lw=0
        )
    right.set(xlabel="Lag (grid steps of 1/64)", ylabel="Autocorrelation of $dy/dx$")
    right.set_title("(b) 50 layers or residual blocks")
    for axes in (left, right):
        axes.axhline(0, color="black", linewidth=0.5)
        axes.set_ylim(-0.25, 1.03)
    left.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.17))
    right.legend(ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.17))
    return figure


def facts(tables: Tables) -> dict:
    """What the caption must say."""
    networks = int(tables[TABLES[0]]["seed"].nunique())
    return {
        "figure": "autocorrelation of dy/dx at initialization, mean and standard deviation over networks",
        "after": "UDL figure 11.3c; Balduzzi et al. 2017 (arXiv:1702.08591), figure 2",
        "networks": f"{networks} per curve, 200 units, 256 inputs on [-2, 2), weights N(0, 2/D), every "
        "unit centered over the inputs (batch normalization in the residual ones)",
        "lines": "mean over networks; bars and bands: their standard deviation",
        "estimator": "mean over the line subtracted; products at lag k summed over the 256 - k pairs, "
        "over the sum at lag 0 (the biased one, which leans to 0 by up to 6 % at lag 15)",
        "departures_from_the_paper": [
            "our curves for 2 and 4 layers differ from the book's, see results/FINDINGS.md",
            "the derivative holds the means over the inputs fixed",
            "looks-linear networks are measured but not drawn: their gradient is constant",
        ],
        **tables.made_with("shattered_gradients"),
    }


if __name__ == "__main__":
    figures.main(__file__)
