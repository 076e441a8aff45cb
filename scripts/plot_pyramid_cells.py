"""Blood cells found by size, on a single map, a hierarchy and a feature pyramid (Lin et al. 2017)."""

from matplotlib.figure import Figure

from resexp.plots import figures, pyramids
from resexp.plots.tables import Tables, published, seeds

TABLES = ("pyramid_detections_cells_scores", "pyramid_detections_cells_pictures")
REFERENCE = ("comparisons",)
CASES = {
    "single": "(b) single map, second coarsest",
    "hierarchy": "(c) hierarchy, no top-down",
    "pyramid": "(d) feature pyramid (FPN)",
}


def draw(tables: Tables) -> Figure:
    """Recall by size, average recall beside the published one, time; below, detections in one image."""
    numbers = published(tables.reference("comparisons"), "pyramid_detections")
    return pyramids.draw(*(tables[name] for name in tables.names), CASES, numbers)


def facts(tables: Tables) -> dict:
    """Contents of the caption."""
    scores = tables["pyramid_detections_cells_scores"]
    return {
        "after": "Lin et al. 2017 (arXiv:1612.03144), figure 1 and table 1",
        "published": published(tables.reference("comparisons"), "pyramid_detections"),
        "published_is": "average recall of 1,000 proposals of COCO, of any class: only orders compare",
        "data": "blood cells of BCCD (Shenggan/BCCD_Dataset, MIT), 291 images to train and 73 to test resized"
        " to 160 x 128; 0: red cells, 1: white cells, 2: platelets; size and class coincide",
        "seeds": seeds(scores),
        "objects": {
            k: int(scores.loc[scores["size"] == k, "objects"].iloc[0]) for k in ("all", *pyramids.SIZES)
        },
        "picture": "the first test image, seed 0; green: right class, IoU from 0.5 on; red: not; scores from"
        " 0.15 on",
        "times": "of one image at a time, on one thread of a CPU shared with other work",
        "departures": [
            "30 detections an image, of the right class, instead of 1,000 proposals of any class",
            "a bottom-up network of 13 layers and three levels, trained from scratch for 300 steps",
            "focal loss, square anchors, one size a level (three sizes on single maps)",
            "group normalization, as levels share layers",
            "some cells of BCCD are not labelled",
        ],
        **tables.made_with("pyramid_detections_cells"),
    }


if __name__ == "__main__":
    figures.main(__file__)
