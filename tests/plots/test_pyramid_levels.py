"""The figure of the feature pyramids, drawn from made-up tables."""

import pandas as pd
import pytest
from helpers import ROOT, Given
from matplotlib.patches import Rectangle

from resexp.plots import pyramids
from resexp.plots.figures import load

script = load(ROOT / "scripts" / "plot_pyramid_levels.py")


def tables():
    sizes = {"all": 0.4, "small": 0.2, "medium": 0.5, "large": 0.6}
    scores = [
        {"case": case, "seed": seed, "size": size, "objects": 9, "recall": recall + seed / 100}
        | {"average_recall": recall / 2, "average_precision": recall, "milliseconds_per_image": 3.0}
        for case in script.CASES
        for seed in (0, 1)
        for size, recall in sizes.items()
    ]
    pictures = []
    for case in script.CASES:
        pictures += [(case, 0, "image", row, " ".join(["7"] * 16)) for row in range(16)]
        pictures += [(case, 0, "labelled", 0, "3 8 8 4 4"), (case, 0, "found", 0, "3 8 8 4 5 0.9")]
        pictures += [(case, 0, "found", 1, "4 8 8 4 4 0.5")]
    columns = ["case", "picture", "kind", "row", "values"]
    return Given(
        pyramid_detections_scores=pd.DataFrame(scores),
        pyramid_detections_pictures=pd.DataFrame(pictures, columns=columns),
    )


def test_what_is_drawn_is_what_was_measured():
    figure = script.draw(tables())
    by_size, beside, _, *panels = figure.axes
    means = [line.get_xdata()[0] for line in by_size.lines if line.get_marker() == "|"]
    assert sorted({round(x, 3) for x in means}) == [0.205, 0.505, 0.605]
    diamonds = [
        line.get_xdata()[0] for line in beside.lines if line.get_marker() == "D" and len(line.get_xdata())
    ]
    assert sorted(diamonds) == [44.9, 46.1, 48.3, 49.5, 51.3, 56.3]
    assert [len([p for p in axes.patches if isinstance(p, Rectangle)]) for axes in panels] == [1] + [2] * 7


def test_only_the_right_class_in_the_right_place_is_green():
    figure = script.draw(tables())
    colors = [patch.get_edgecolor()[:3] for patch in figure.axes[-1].patches]
    assert colors[0][1] > colors[0][0]
    assert colors[1][0] > colors[1][1]


def test_overlap_of_two_boxes():
    assert pyramids.overlap([2, 2, 4, 4], [4, 2, 4, 4]) == pytest.approx(8 / 24)
    assert pyramids.overlap([2, 2, 4, 4], [9, 9, 4, 4]) == 0


def test_blood_cells_have_a_figure_of_their_own():
    cells = load(ROOT / "scripts" / "plot_pyramid_cells.py")
    given = {name.replace("detections", "detections_cells"): tables()[name] for name in tables().names}
    by_size, beside, _, *panels = cells.draw(Given(**given)).axes
    assert [label.get_text() for label in by_size.get_yticklabels()] == list(cells.CASES.values())
    diamonds = [x for line in beside.lines if line.get_marker() == "D" for x in line.get_xdata()]
    assert sorted(diamonds) == [48.3, 49.5, 56.3]
    assert [len([p for p in axes.patches if isinstance(p, Rectangle)]) for axes in panels] == [1, 2, 2, 2]
