"""Orders of normalization, activation and addition: He et al. 2016, table 2.

Reads results/tables/activation_orders.csv, results/tables/activation_orders_cifar10.csv and
results/reference/comparisons.csv.
"""

from resexp.plots import compare

LABELS = {
    "post_activation": "original",
    "bn_after_addition": "BN after addition",
    "relu_before_addition": "ReLU before addition",
    "relu_only_preactivation": "ReLU-only pre-activation",
    "full_preactivation": "full pre-activation",
}

if __name__ == "__main__":
    compare.draw_points(
        "activation_orders",
        "block",
        LABELS,
        after="He et al. 2016 (arXiv:1603.05027), table 2: 110 layers, CIFAR-10, median of five runs",
        departures=["MNIST-1D, 56 layers, width 8, 480 steps: a protocol of our own"],
    )
