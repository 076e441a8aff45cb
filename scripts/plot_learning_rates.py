"""Learning rates with and without batch normalization."""

from resexp.plots import compare, figures

LABELS = {
    "plain batch": "plain, batch norm.",
    "plain none": "plain, no normalization",
    "resnet batch": "residual, batch norm.",
    "resnet none": "residual, no normalization",
}
FIGURE = compare.Curves(
    experiment="learning_rates",
    x="schedule.learning_rate",
    key=["model", "norm"],
    labels=LABELS,
    xlabel="Learning rate at the start",
    log=True,
    after="UDL section 11.5.1: batch normalization allows higher learning rates",
    departures=["MNIST-1D, 20 layers, width 8: a protocol of our own"],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
