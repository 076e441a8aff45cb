"""Normalizations against batch size: UDL figure 11.14; Wu and He 2018."""

from resexp.plots import compare, figures

NAMES = ("batch", "ghost", "layer", "group", "instance", "none")
FIGURE = compare.Curves(
    experiment="norm_schemes",
    x="batch_size",
    key="norm",
    labels={name: name for name in NAMES},
    xlabel="Batch size",
    log=True,
    after="UDL figure 11.14 (the schemes); Wu and He 2018 (arXiv:1803.08494): error against batch size",
    departures=[
        "MNIST-1D, 8 layers: 64,000 examples at every batch size, learning rate proportional to batch size",
        "batches are not split over devices: a batch of 2 is normalized over 2 examples",
        "groups have 1, 2 and 4 channels in the three stages: in the first, group is instance normalization",
    ],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
