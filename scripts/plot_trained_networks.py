"""Gradient autocorrelation and variances by block, before and after training."""

from matplotlib.figure import Figure

from resexp.plots import figures, style
from resexp.plots.tables import Tables, seeds

TABLES = ("trained_networks_autocorrelation", "trained_networks_variance")
STAGES = {"initial": ":", "trained": "-"}


def draw(tables: Tables) -> Figure:
    """Autocorrelation along lines between test inputs, and variances, for the deepest networks."""
    autocorrelation, variance = (tables[name] for name in TABLES)
    figure = Figure(figsize=(style.PAGE, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    depth = autocorrelation["depth"].max()
    for model in ("plain", "resnet"):
        for stage, line_style in STAGES.items():
            look = {"color": style.color(model), "linestyle": line_style}
            label = f"{style.label(model)}-{depth}, {stage}"

            def chosen(table, model=model, stage=stage):
                return table[
                    (table["model"] == model) & (table["stage"] == stage) & (table["depth"] == depth)
                ]

            per_seed = chosen(autocorrelation).groupby(["seed", "lag"])["autocorrelation"].mean()
            r = per_seed.groupby("lag").agg(["mean", "std"])
            left.plot(r.index, r["mean"], label=label, **look)
            left.fill_between(
                r.index, r["mean"] - r["std"], r["mean"] + r["std"], color=look["color"], alpha=0.12, lw=0
            )
            for axes, column in ((middle, "variance"), (right, "gradient_variance")):
                v = chosen(variance).groupby("block")[column].mean()
                axes.plot(v.index, v, label=label, **look)
    left.axhline(0, color="black", linewidth=0.5)
    left.set(xlabel="Lag (1/256 of the line)", ylabel="Autocorrelation of the gradient")
    left.set_title("(a) Between two test inputs")
    middle.set(xlabel="Block", ylabel="Variance of activations", yscale="log")
    middle.set_title("(b) Forward")
    right.set(xlabel="Block", ylabel="Variance of the loss gradient", yscale="log")
    right.set_title("(c) Backward")
    left.set_xticks([0, 5, 10, 15])
    middle.legend()
    return figure


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    return {
        "figure": "gradient autocorrelation and layer-wise variances before and after training",
        "after": "no published figure; the measurements of UDL 11.3 and 11.6 on trained networks",
        "networks": "the runs of depth_sweep on MNIST-1D; only the deepest are drawn",
        "lines": "20 lines between test inputs, logit of the first input's class; mean over lines and "
        "seeds, band: standard deviation over seeds; in (a) batch normalization uses the statistics of "
        "512 test inputs; (b) and (c): one batch of 256 test inputs, mean over seeds",
        "seeds": seeds(tables[TABLES[1]]),
        **tables.made_with("trained_networks"),
    }


if __name__ == "__main__":
    figures.main(__file__)
