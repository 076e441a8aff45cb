"""Relatives of the residual network at about equal parameters.

Reads results/tables/relatives.csv and results/tables/relatives_cifar10.csv.
"""

from resexp.plots import compare

NAMES = {
    "plain": "plain",
    "resnet": "ResNet",
    "preact": "pre-activation ResNet",
    "wide": "wide ResNet",
    "dense": "DenseNet",
    "resnext": "ResNeXt",
    "fractal": "FractalNet",
    "highway": "highway",
    "stochastic": "stochastic depth",
    "ror": "RoR",
}
LABELS = {f"relative_{name}": label for name, label in NAMES.items()}

if __name__ == "__main__":
    compare.draw_points(
        "relatives",
        "case",
        LABELS,
        after="no single paper: each has as many parameters as ResNet-20, to 10 %",
        departures=["one protocol for all, that of He et al. 2015; the papers have protocols of their own"],
    )
