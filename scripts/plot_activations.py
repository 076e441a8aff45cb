"""Activations in pre-activation networks.

Reads results/tables/activations.csv and results/tables/activations_cifar10.csv.
"""

from resexp.plots import compare

LABELS = {
    "relu": "ReLU",
    "leaky_relu": "leaky ReLU",
    "prelu": "PReLU",
    "elu": "ELU",
    "crelu": "CReLU",
    "gelu": "GELU",
    "silu": "SiLU",
}

if __name__ == "__main__":
    compare.draw_points(
        "activations",
        "activation",
        LABELS,
        after="no single paper: the same network, depth and protocol with each activation",
        departures=[
            "MNIST-1D, 20 layers, width 8, 480 steps: a protocol of our own",
            "crelu doubles the channels, and with them the parameters of each convolution behind it",
        ],
    )
