"""Relatives of the residual network at about equal parameters."""

from resexp.plots import compare, figures

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
FIGURE = compare.Points(
    experiment="relatives",
    key="case",
    labels=LABELS,
    after="no single paper: each has as many parameters as ResNet-20, to 10 %",
    departures=["one protocol for all, that of He et al. 2015; the papers have protocols of their own"],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
