"""Does training heal what initialization broke? Both measurements, before and after training."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from resexp.plots import style
from resexp.plots.save import folders, made_with, read, save

AUTOCORRELATION = "results/tables/trained_networks_autocorrelation.csv"
VARIANCE = "results/tables/trained_networks_variance.csv"
COLUMNS = ["model", "depth", "seed", "stage", "line", "lag", "autocorrelation"]
STAGES = {"initial": ":", "trained": "-"}


def draw(autocorrelation: pd.DataFrame, variance: pd.DataFrame) -> Figure:
    """Autocorrelation along lines between test inputs, then variances, of the deepest networks."""
    figure = Figure(figsize=(style.PAGE, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    depth = autocorrelation["depth"].max()
    for model in ("plain", "resnet"):
        for stage, line_style in STAGES.items():
            look = {"color": style.COLORS[model], "linestyle": line_style}
            label = f"{style.LABELS[model]}-{depth}, {stage}"

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


def main() -> None:
    where = folders()
    autocorrelation, variance = read(where.tables, AUTOCORRELATION), read(where.tables, VARIANCE)
    with mpl.rc_context(style.SETTINGS):
        facts = {
            "figure": "gradient autocorrelation and layer-wise variances before and after training",
            "after": "no published figure; the measurements of UDL 11.3 and 11.6 on trained networks",
            "networks": "the runs of depth_sweep on MNIST-1D; the deepest are drawn",
            "lines": "20 lines between test inputs, logit of the first one's class; mean over lines and "
            "seeds, band: standard deviation over seeds; in (a) batch normalization holds the statistics of "
            "512 test inputs; (b) and (c): one batch of 256 test inputs, mean over seeds",
            "seeds": sorted(int(seed) for seed in variance["seed"].unique()),
            **made_with(where.tables, "trained_networks"),
        }
        save(draw(autocorrelation, variance), where.figures, "trained_networks", facts)


if __name__ == "__main__":
    main()
