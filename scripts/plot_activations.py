"""Activations in pre-activation networks."""

from resexp.plots import compare, figures

LABELS = {
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "crelu": "CReLU",
    "gelu": "GELU",
    "silu": "SiLU",
}
FIGURE = compare.Points(
    experiment="activations",
    key="activation",
    labels=LABELS,
    after="no single paper: the same network, depth and protocol with each activation",
    departures=[
        "MNIST-1D, 20 layers, width 8: a protocol of our own",
        "crelu doubles the channels, and with them the parameters of each convolution that follows",
    ],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
