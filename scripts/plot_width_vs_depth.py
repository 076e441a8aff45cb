"""Width against depth: Zagoruyko and Komodakis 2016.

Reads results/tables/width_vs_depth.csv, results/tables/width_vs_depth_cifar10.csv and
results/reference/comparisons.csv.
"""

from resexp.plots import compare

LABELS = {depth: f"{depth} layers" for depth in (10, 16, 22, 28, 40)}

if __name__ == "__main__":
    compare.draw_curves(
        "width_vs_depth",
        "model.widen",
        "depth",
        LABELS,
        xlabel="Widening factor",
        log=True,
        after="Zagoruyko and Komodakis 2016 (arXiv:1605.07146), tables of depth and width",
        departures=["MNIST-1D, 10 to 28 layers, 480 steps: a protocol of our own"],
    )
