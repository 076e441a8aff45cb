"""Training on effective paths alone beside training the whole network: Veit et al. 2016, section 4.3."""

from resexp.plots import compare, figures

FIGURE = compare.Points(
    experiment="effective_paths",
    key="case",
    labels={"effective_whole": "whole network", "effective_drawn": "11 of 27 blocks a batch"},
    after="Veit et al. 2016 (arXiv:1605.06431), section 4.3: 23 of 54 blocks drawn for each batch",
    departures=[
        "MNIST-1D, 56 layers with 27 blocks, width 8: a protocol of our own",
        "an activation behind each sum, where theirs is pre-activated",
    ],
)
TABLES, REFERENCE = FIGURE.tables, compare.REFERENCE
draw, facts = FIGURE.draw, FIGURE.facts

if __name__ == "__main__":
    figures.main(__file__)
