"""Orders of normalization, activation and addition: He et al. 2016, table 2."""

from resexp.plots import compare, figures

LABELS = {
    "post_activation": "original",
    "bn_after_addition": "BN after addition",
    "relu_before_addition": "ReLU before addition",
    "relu_only_preactivation": "ReLU-only pre-activation",
    "full_preactivation": "full pre-activation",
}
FIGURE = compare.Points(
    experiment="activation_orders",
    key="block",
    labels=LABELS,
    after="He et al. 2016 (arXiv:1603.05027), table 2: 110 layers, CIFAR-10, median of five runs",
    departures=["MNIST-1D, 56 layers, width 8: a protocol of our own"],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
