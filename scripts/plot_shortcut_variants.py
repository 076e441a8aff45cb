"""Shortcut variants: He et al. 2016, table 1."""

from resexp.plots import compare, figures

LABELS = {
    "identity": "identity",
    "no_shortcut": "0 (plain)",
    "half_shortcut": "0.5, branch 1",
    "half_both": "0.5, branch 0.5",
    "exclusive_gate_0": "exclusive gate, bias 0",
    "exclusive_gate_6": "exclusive gate, bias -6",
    "exclusive_gate_7": "exclusive gate, bias -7",
    "shortcut_only_gate_0": "shortcut-only gate, bias 0",
    "shortcut_only_gate_6": "shortcut-only gate, bias -6",
    "conv1x1": "1x1 convolution",
    "dropout_half": "dropout 0.5",
}
FIGURE = compare.Points(
    experiment="shortcut_variants",
    key="case",
    labels=LABELS,
    after="He et al. 2016 (arXiv:1603.05027), table 1: 110 layers, CIFAR-10, median of five runs",
    departures=[
        "MNIST-1D, 56 layers, width 8: a protocol of our own",
        "where shapes change, gates have the output's shape and the input is zero-padded",
    ],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
