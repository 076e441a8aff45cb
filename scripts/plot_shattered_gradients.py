"""Gradients along a line of inputs and their covariance: Balduzzi et al. 2017, figure 1; UDL 11.3a, b."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("shattered_gradients_gradients", "shattered_gradients_covariance")
PANELS = [
    ("balduzzi", 1, "(a) 1 hidden layer"),
    ("balduzzi", 24, "(b) 24 hidden layers"),
    ("residual_batch", 50, "(c) 50 residual blocks"),
    ("brown_noise", 0, "(d) brown noise"),
    ("white_noise", 0, "(e) white noise"),
]


def draw(tables: Tables) -> Figure:
    """Row 1: one network's gradient; row 2: correlation over all networks between two inputs."""
    gradients, covariance = (tables[name] for name in TABLES)
    figure = Figure(figsize=(style.PAGE, 4.4), layout="constrained")
    grid = figure.subplots(2, len(PANELS), sharex=True)
    for (setup, depth, title), top, bottom in zip(PANELS, *grid, strict=True):
        curve = gradients[(gradients["setup"] == setup) & (gradients["depth"] == depth)]
        top.plot(curve["x"], curve["gradient"], color=style.SETUPS[setup][1], linewidth=0.9)
        top.set_title(title)
        part = covariance[(covariance["setup"] == setup) & (covariance["depth"] == depth)]
        matrix = part.pivot(index="other_x", columns="x", values="correlation")
        image = bottom.imshow(
            matrix, extent=(-2, 2, -2, 2), origin="lower", cmap="RdBu_r", vmin=-1, vmax=1, aspect="auto"
        )
        bottom.set_xlabel("Input $x$")
    grid[0, 0].set_ylabel("Gradient $dy/dx$")
    grid[1, 0].set_ylabel("Input $x'$")
    figure.colorbar(image, ax=grid[1, :].tolist(), label="Correlation of gradients", pad=0.01)
    return figure


def facts(tables: Tables) -> dict:
    """What the caption must say."""
    return {
        "figure": "gradients of random scalar networks, and their correlation between inputs",
        "after": "Balduzzi et al. 2017 (arXiv:1702.08591), figure 1; UDL figure 11.3a, b",
        "networks": "200 units, weights N(0, 2/D), every unit centered over the 256 inputs; (c) batch "
        "normalization; one network in the first row, 100 in the second",
        "departures_from_the_paper": [
            "the second row shows correlations, not covariances, so that all panels share one scale",
            "without biases a centered first layer has all its kinks at x = 0: (a) has one step",
            "gradients of brown and white noise are drawn, not those of a network",
        ],
        **tables.made_with("shattered_gradients"),
    }


if __name__ == "__main__":
    figures.main(__file__)
