"""Objects found by size, on image pyramids, single maps, feature pyramids (Lin et al. 2017, figure 1)."""

from matplotlib.figure import Figure

from resexp.plots import figures, pyramids
from resexp.plots.tables import Tables

TABLES = ("pyramid_detections_scores", "pyramid_detections_pictures")
REFERENCE = ("comparisons",)
CASES = pyramids.CASES
DEPARTURES = [
    "10 detections an image, of the right class, instead of 1,000 proposals of any class",
    "a bottom-up network of 13 layers and three levels, trained from scratch for a few hundred steps",
    "focal loss, square anchors, one size a level (three sizes on single maps)",
    "group normalization, as levels and image sizes share layers",
    "image pyramid: the second coarsest map of images at twice, once and half the size",
]


def draw(tables: Tables) -> Figure:
    """Recall by size, average recall beside the published one, time; below, detections in one image."""
    return pyramids.draw(tables, CASES)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    shared = pyramids.facts(
        tables,
        data="generated: digits of a font at scales 1 to 8 on a textured canvas, other faces in the test",
        times="of one image at a time, on one thread of a CPU",
        departures=DEPARTURES,
    )
    return {**shared, **tables.made_with("pyramid_detections")}


if __name__ == "__main__":
    figures.main(__file__)
