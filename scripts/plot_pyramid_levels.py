"""Objects found by size, on image pyramids, single maps, feature pyramids (Lin et al. 2017, figure 1)."""

from matplotlib.figure import Figure

from resexp.plots import figures, pyramids
from resexp.plots.tables import Tables, published, seeds

TABLES = ("pyramid_detections_scores", "pyramid_detections_pictures")
REFERENCE = ("comparisons",)
CASES = {
    "images": "(a) image pyramid",
    "single": "(b) single map, second coarsest",
    "single_coarsest": "(b) single map, coarsest",
    "hierarchy": "(c) hierarchy, no top-down",
    "pyramid": "(d) feature pyramid (FPN)",
    "no_lateral": "FPN without lateral",
    "finest": "FPN, finest map only",
}


def draw(tables: Tables) -> Figure:
    """Recall by size, average recall beside the published one, time; below, detections in one image."""
    numbers = published(tables.reference("comparisons"), "pyramid_detections")
    return pyramids.draw(*(tables[name] for name in tables.names), CASES, numbers)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    scores = tables["pyramid_detections_scores"]
    return {
        "after": "Lin et al. 2017 (arXiv:1612.03144), figure 1 and table 1",
        "published": published(tables.reference("comparisons"), "pyramid_detections"),
        "published_is": "average recall of 1,000 proposals of COCO, of any class: only orders compare",
        "data": "generated: digits of a font at scales 1 to 8 on a textured canvas, other faces in the test",
        "seeds": seeds(scores),
        "objects": {
            k: int(scores.loc[scores["size"] == k, "objects"].iloc[0]) for k in ("all", *pyramids.SIZES)
        },
        "picture": "the first test image, seed 0; green: right class, IoU from 0.5 on; red: not; scores from"
        " 0.15 on",
        "times": "of one image at a time, on one thread of a CPU",
        "departures": DEPARTURES,
        **tables.made_with("pyramid_detections"),
    }


DEPARTURES = [
    "10 detections an image, of the right class, instead of 1,000 proposals of any class",
    "a bottom-up network of 13 layers and three levels, trained from scratch for a few hundred steps",
    "focal loss, square anchors, one size a level (three sizes on single maps)",
    "group normalization, as levels and image sizes share layers",
    "image pyramid: the second coarsest map of images at twice, once and half the size",
]

if __name__ == "__main__":
    figures.main(__file__)
