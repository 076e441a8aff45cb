"""Blood cells found by size, on a single map, a hierarchy and a feature pyramid (Lin et al. 2017)."""

from matplotlib.figure import Figure

from resexp.plots import figures, pyramids
from resexp.plots.tables import Tables

TABLES = ("pyramid_detections_cells_scores", "pyramid_detections_cells_pictures")
REFERENCE = ("comparisons",)
CASES = {case: pyramids.CASES[case] for case in ("single", "hierarchy", "pyramid")}
DEPARTURES = [
    "30 detections an image, of the right class, instead of 1,000 proposals of any class",
    "a bottom-up network of 13 layers and three levels, trained from scratch for 300 steps",
    "focal loss, square anchors, one size a level (three sizes on single maps)",
    "group normalization, as levels share layers",
    "some cells of BCCD are not labelled",
]


def draw(tables: Tables) -> Figure:
    """Recall by size, average recall beside the published one, time; below, detections in one image."""
    return pyramids.draw(tables, CASES)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    shared = pyramids.facts(
        tables,
        data="blood cells of BCCD (Shenggan/BCCD_Dataset, MIT), 292 images to train and 72 to test resized"
        " to 160 x 128; 0: red cells, 1: white cells, 2: platelets; size and class nearly coincide",
        times="of one image at a time, on one thread of a CPU shared with other work",
        departures=DEPARTURES,
    )
    return {**shared, **tables.made_with("pyramid_detections_cells")}


if __name__ == "__main__":
    figures.main(__file__)
