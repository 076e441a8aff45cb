"""Depth against activation and initialization: Balduzzi et al. 2017, figure 6."""

from resexp.plots import compare, figures

LABELS = {
    "relu": "ReLU",
    "crelu": "CReLU",
    "looks_linear": "CReLU, looks-linear",
    "linear": "linear",
    "residual": "residual, ReLU",
}
FIGURE = compare.Curves(
    experiment="initializations",
    x="depth",
    key="case",
    labels=LABELS,
    xlabel="Depth (weight layers)",
    log=False,
    after="Balduzzi et al. 2017 (arXiv:1702.08591), figure 6: CIFAR-10, no numbers in its text",
    departures=[
        "MNIST-1D, width 8: a protocol of our own",
        "batch normalization in all networks, including the linear ones",
        "crelu doubles the channels, and with them the parameters of each convolution that follows",
    ],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
