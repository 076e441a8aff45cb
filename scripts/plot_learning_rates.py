"""Learning rates with and without batch normalization.

Reads results/tables/learning_rates.csv and results/tables/learning_rates_cifar10.csv.
"""

from resexp.plots import compare

LABELS = {
    "plain batch": "plain, batch norm.",
    "plain none": "plain, no normalization",
    "resnet batch": "residual, batch norm.",
    "resnet none": "residual, no normalization",
}

if __name__ == "__main__":
    compare.draw_curves(
        "learning_rates",
        "schedule.learning_rate",
        ["model", "norm"],
        LABELS,
        xlabel="Learning rate at the start",
        log=True,
        after="UDL section 11.5.1: batch normalization allows higher learning rates",
        departures=["MNIST-1D, 20 layers, width 8, 480 steps: a protocol of our own"],
    )
