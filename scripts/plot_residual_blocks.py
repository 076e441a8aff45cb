"""The residual blocks of UDL figure 11.5, with and without batch normalization."""

from dataclasses import dataclass

import pandas as pd

from resexp.plots import compare, figures

BLOCKS = {"relu_last": "ReLU last (a)", "relu_first": "ReLU first (b)", "two_layer": "two layers (c)"}
NORMS = {"batch": "batch norm.", "none": "no normalization"}


@dataclass(frozen=True)
class Blocks(compare.Points):
    """Blocks and normalizations as one column."""

    def prepared(self, table: pd.DataFrame) -> pd.DataFrame:
        """See Comparison."""
        return table.assign(option=table["block"] + " " + table["norm"])


FIGURE = Blocks(
    experiment="residual_blocks",
    key="option",
    labels={f"{b} {n}": f"{block}, {norm}" for n, norm in NORMS.items() for b, block in BLOCKS.items()},
    after="UDL figure 11.5: ReLU last can only add to its input; ReLU first needs a linear layer before it",
    departures=["the book shows diagrams and no results; MNIST-1D, 20 layers, width 8"],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
