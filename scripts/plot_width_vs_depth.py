"""Width against depth: Zagoruyko and Komodakis 2016."""

from resexp.plots import compare, figures

LABELS = {depth: f"{depth} layers" for depth in (10, 16, 22, 28, 40)}
FIGURE = compare.Curves(
    experiment="width_vs_depth",
    x="model.widen",
    key="depth",
    labels=LABELS,
    xlabel="Widening factor",
    log=True,
    after="Zagoruyko and Komodakis 2016 (arXiv:1605.07146), tables of depth and width",
    departures=["MNIST-1D, 10 to 28 layers: a protocol of our own"],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
