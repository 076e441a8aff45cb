"""Kinds of shortcut: He et al. 2016, table 1.

Reads results/tables/shortcut_variants.csv, results/tables/shortcut_variants_cifar10.csv and
results/reference/comparisons.csv.
"""

from resexp.plots import compare

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

if __name__ == "__main__":
    compare.draw_points(
        "shortcut_variants",
        "case",
        LABELS,
        after="He et al. 2016 (arXiv:1603.05027), table 1: 110 layers, CIFAR-10, median of five runs",
        departures=[
            "MNIST-1D, 56 layers, width 8, 480 steps: a protocol of our own",
            "where shapes change, gates have the output's shape and the input is zero-padded",
        ],
    )
