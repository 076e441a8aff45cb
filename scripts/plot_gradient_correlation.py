"""Correlation and variance of gradients at random pairs of inputs: Balduzzi et al. 2017, theorems 1-3."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("shattered_gradients_correlation",)
SETUPS = {
    "balduzzi": "o",
    "uncentered": "s",
    "residual": "^",
    "residual_centered": "P",
    "residual_batch": "D",
    "residual_batch_small": "v",
}


def draw(tables: Tables) -> Figure:
    """(a) correlation, (b) variance against depth; measured with standard error, theory dashed."""
    table = tables[TABLES[0]]
    figure = Figure(figsize=(style.PAGE, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2)
    for setup, marker in SETUPS.items():
        by_depth = table[table["setup"] == setup].groupby("depth")
        mean, error = by_depth.mean(numeric_only=True), by_depth[["variance", "covariance"]].sem()
        look = style.setup(setup) | {"linestyle": "-", "marker": marker, "markersize": 4, "capsize": 2}
        left.errorbar(
            mean.index, mean["covariance"] / mean["variance"], error["covariance"] / mean["variance"], **look
        )
        right.errorbar(mean.index, mean["variance"], error["variance"], **look)
        dashed = {"color": look["color"], "linestyle": "--", "linewidth": 1}
        left.plot(mean.index, mean["theory_correlation"], **dashed)
        right.plot(mean.index, mean["theory_variance"], **dashed)
    left.set(yscale="log", xlabel="Depth $L$ (layers or blocks)", ylabel="Correlation of gradients")
    right.set(yscale="log", xlabel="Depth $L$ (layers or blocks)", ylabel="Variance of gradients")
    left.set_title("(a) Correlation at random pairs; dashed: theory")
    right.set_title("(b) Variance; dashed: theory")
    right.legend(fontsize=7)
    return figure


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    return {
        "figure": "correlation and variance of the gradient at random pairs of Gaussian inputs",
        "after": "Balduzzi et al. 2017 (arXiv:1702.08591), theorems 1-3",
        "networks": f"{tables[TABLES[0]]['seed'].nunique()} per point, 600 units, 600 inputs of 600 features",
        "theory": "1/2^L and 1; (3/4)^L and 2^L; beta^2 L + 1 and, for beta = 1, the exact product "
        "prod(1 + 1/(2k)) / (L + 1), for which theorem 3 states the approximation 1/(beta sqrt L)",
        "departures_from_the_paper": [
            "theorem 3 also counts the layer before the first block: its L is one larger than here",
            "theorem 2 assumes that units are active independently at both inputs, as centered units are",
            "batch normalization divides by the standard deviation over the inputs, which is smaller than "
            "that over the weights assumed by theorem 3: the measured variance grows faster",
        ],
        **tables.made_with("shattered_gradients"),
    }


if __name__ == "__main__":
    figures.main(__file__)
