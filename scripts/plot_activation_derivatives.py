"""The vanishing product of derivatives: sigmoid and tanh compared with ReLUs."""

from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from resexp.plots import figures, style
from resexp.plots.tables import Tables

TABLES = ("activation_derivatives_layers",)
PANELS = (
    ("derivative", "Derivative, mean", "linear"),
    ("product", "Product of derivatives up to the layer", "log"),
    ("gradient_rms", "Gradient at the layer, rms", "log"),
)
LABELS = {"relu": "ReLU", "leaky_relu": "leaky ReLU", "elu": "ELU"}


def draw(tables: Tables) -> Figure:
    """Derivatives, their product from the input, gradients from the output; mean over networks."""
    table = tables["activation_derivatives_layers"]
    figure = Figure(figsize=(style.PAGE, 3.2), layout="constrained")
    panels = figure.subplots(1, 3)
    for axes, (column, label, scale) in zip(panels, PANELS, strict=True):
        for (name, rows), color in zip(table.groupby("activation"), style.PALETTE, strict=False):
            mean = rows.groupby("layer")[column].mean()
            look = {"color": color, "label": LABELS.get(name, name)}
            axes.plot(mean.index, mean.where(mean > 0), "o-", ms=2.5, lw=1, **look)
        axes.xaxis.set_major_locator(MultipleLocator(5))
        axes.set(xlabel="Layer", ylabel=label, yscale=scale)
    depth = int(table["layer"].max())
    layers = range(1, depth + 1)
    panels[1].plot(layers, [0.25**layer for layer in layers], color=style.PUBLISHED, lw=0.8, ls=":",
                   label="$(1/4)^{l}$, bound of sigmoid")  # fmt: skip
    panels[1].legend(fontsize=7)
    return figure


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    table = tables["activation_derivatives_layers"]
    depth = int(table["layer"].max())
    mean = table.groupby(["activation", "layer"]).mean(numeric_only=True)
    return {
        "figure": f"random plain networks of {depth} layers, mean over networks, units and inputs",
        "after": "no published figure; bound of 1/4 on the derivative of the sigmoid",
        "weights": "variance 1 / n for sigmoid and tanh, 2 / n for ReLUs, 1.55 / n for ELU",
        "lines": "the product for ReLU ends where no chain is active in all layers",
        "product of derivatives over all layers": {
            name: float(f"{mean.loc[(name, depth), 'product']:.3g}") for name in mean.index.levels[0]
        },
        "gradient at the first layer": {
            name: float(f"{mean.loc[(name, 1), 'gradient_rms']:.3g}") for name in mean.index.levels[0]
        },
        **tables.made_with("activation_derivatives"),
    }


if __name__ == "__main__":
    figures.main(__file__)
