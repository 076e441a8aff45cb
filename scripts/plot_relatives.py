"""Relatives of the residual network with about equal parameter counts."""

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
    after="no single paper: each has as many parameters as ResNet-20, within 10 %",
    departures=["all use the protocol of He et al. 2015; each paper has its own"],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
