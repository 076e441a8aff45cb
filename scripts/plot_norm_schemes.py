"""Normalizations against batch size: UDL figure 11.14; Wu and He 2018.

Reads results/tables/norm_schemes.csv and results/tables/norm_schemes_cifar10.csv.
"""

from resexp.plots import compare

NAMES = ("batch", "ghost", "layer", "group", "instance", "none")

if __name__ == "__main__":
    compare.draw_curves(
        "norm_schemes",
        "batch_size",
        "norm",
        {name: name for name in NAMES},
        xlabel="Batch size",
        log=True,
        after="UDL figure 11.14 (the schemes); Wu and He 2018 (arXiv:1803.08494): error against batch size",
        departures=[
            "MNIST-1D: 16,000 examples at every batch size, learning rate in proportion to it",
            "batches are not spread over devices: a batch of 2 is normalized over 2 examples",
            "the 8 groups have 1, 2 and 4 channels here: in the first stage group is instance normalization",
        ],
    )
