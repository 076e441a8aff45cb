"""Highway networks by depth (Srivastava et al. 2015, figure 1)."""

from resexp.plots import compare, figures

FIGURE = compare.Curves(
    experiment="highway_depths",
    x="depth",
    key="model",
    labels={"highway": "highway", "plain": "plain"},
    xlabel="Depth (weight layers)",
    log=False,
    after="Srivastava et al. 2015 (arXiv:1505.00387): highway networks of up to 100 layers train, plain ones"
    " get worse with depth",
    departures=[
        "MNIST-1D, width 8: a protocol of our own",
        "convolutional blocks of two layers with a gate each, batch normalization, and a ReLU after the sum",
    ],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
