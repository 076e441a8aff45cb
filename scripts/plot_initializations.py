"""Depth against activation and initialization: Balduzzi et al. 2017, figure 6.

Reads results/tables/initializations.csv and results/tables/initializations_cifar10.csv.
"""

from resexp.plots import compare

LABELS = {
    "relu": "ReLU",
    "crelu": "CReLU",
    "looks_linear": "CReLU, looks-linear",
    "linear": "linear",
    "residual": "residual, ReLU",
}

if __name__ == "__main__":
    compare.draw_curves(
        "initializations",
        "depth",
        "case",
        LABELS,
        xlabel="Depth (weight layers)",
        log=False,
        after="Balduzzi et al. 2017 (arXiv:1702.08591), figure 6: CIFAR-10, no numbers in its text",
        departures=[
            "MNIST-1D, width 8, 480 steps: a protocol of our own",
            "batch normalization in all networks, the linear ones, too",
            "crelu doubles the channels, and with them the parameters of each convolution behind it",
        ],
    )
