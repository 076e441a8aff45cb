"""Activations in pre-activation networks.

Reads results/tables/activations.csv and results/tables/activations_cifar10.csv.
"""

from resexp.plots import compare

NAMES = ("relu", "leaky_relu", "prelu", "elu", "crelu", "gelu", "silu")
LABELS = {name: name.replace("_", " ") for name in NAMES}

if __name__ == "__main__":
    compare.draw_points(
        "activations",
        "activation",
        LABELS,
        after="no single paper: the same network, depth and protocol with each activation",
        departures=["crelu doubles the channels, and with them the parameters of each convolution behind it"],
    )
