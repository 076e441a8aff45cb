"""Relatives of the residual network at about equal parameters.

Reads results/tables/relatives.csv and results/tables/relatives_cifar10.csv.
"""

from resexp.plots import compare

NAMES = ("plain", "resnet", "preact", "wide", "dense", "resnext", "fractal", "highway", "stochastic", "ror")
LABELS = {f"relative_{name}": name for name in NAMES}

if __name__ == "__main__":
    compare.draw_points(
        "relatives",
        "case",
        LABELS,
        after="no single paper: about 91,000 parameters each on MNIST-1D (88,000 to 110,000)",
        departures=["one protocol for all, that of He et al. 2015; the papers have protocols of their own"],
    )
