"""Figures of trained networks draw what their tables hold."""

import math

import pandas as pd
import pytest
from helpers import Given, script

LABELS = {"dataset": "mnist1d", "norm": "batch"}


def frame(rows):
    return pd.DataFrame([LABELS | row for row in rows])


def both(**row):
    return [
        {"model": model, "depth": 8, "seed": seed} | row for model in ("plain", "resnet") for seed in (0, 1)
    ]


@pytest.fixture
def lesions():
    deleted = [
        row
        | {
            "block": block,
            "kind": "new_shape" if block == 2 else "same_shape" if block else "none",
            "error_percent": 10.0 * block + 4 * row["seed"],
        }
        for row in both()
        for block in range(4)
    ]
    several = [
        row | {"deleted": count, "draw": draw, "error_percent": 10.0 * count + draw}
        for row in both()
        for count in (1, 2)
        for draw in (0, 1)
    ]
    shuffled = both(swaps=1, draw=0, kendall_tau=0.5, error_percent=30.0)
    return Given(
        lesions_deleted=frame(deleted), lesions_several=frame(several), lesions_shuffled=frame(shuffled)
    )


def test_lesions_are_means_over_seeds_and_changes_of_shape_are_open(lesions):
    left, middle, right = script("lesions").draw(lesions).axes
    line, opened = left.lines[:2]
    assert line.get_xdata().tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert line.get_ydata().tolist() == [12, 22, 32]
    assert opened.get_xydata().tolist() == [[pytest.approx(2 / 3), 22]]
    assert right.get_legend().get_texts()[0].get_text() == "plain-8, whole: 2.0 %"
    assert middle.lines[0].get_xydata().tolist() == [[0, 2], [1, 10.5], [2, 20.5]]
    assert right.collections[0].get_offsets().tolist() == [[0.5, 30], [0.5, 30]]


@pytest.fixture
def paths():
    keys = {"model": "resnet", "depth": 8, "seed": 0}
    counts, norms = [1, 3, 3, 1], [8.0, 4.0, 2.0, 1.0]
    magnitude = [
        keys | {"length": length, "draw": draw, "gradient_norm": norm + (0.5 - draw) * (0 < length < 3)}
        for length, norm in enumerate(norms)
        for draw in (0, 1)
    ]
    lengths = [
        keys
        | {"length": length, "paths": float(count), "share_of_paths": count / 8, "share_of_gradient": 0.25}
        for length, count in enumerate(counts)
    ]
    return Given(paths_magnitude=frame(magnitude), paths_lengths=frame(lengths))


def test_paths_are_numbers_times_mean_norms(paths):
    plot = script("paths")
    first, second, third = plot.draw(paths).axes
    assert first.lines[0].get_ydata().tolist() == pytest.approx([12.5, 37.5, 37.5, 12.5])
    assert second.lines[0].get_ydata().tolist() == [8, 4, 2, 1]
    assert third.lines[0].get_ydata() == pytest.approx([100 * x / 27 for x in (8, 12, 6, 1)])
    assert third.lines[1].get_ydata().tolist() == [25] * 4
    assert plot.interval(plot.effective(paths, "paths")) == (0, 2), "26 of 27 parts"


def test_responses_are_drawn_in_order_and_sorted():
    rows = [
        row | {"layer": layer, "standard_deviation": deviation + row["seed"]}
        for row in both()
        for layer, deviation in ((1, 1.0), (2, 3.0), (3, 2.0))
    ]
    above, below = script("layer_responses").draw(Given(layer_responses_deviation=frame(rows))).axes
    assert above.lines[0].get_xydata().tolist() == [[1, 1.5], [2, 3.5], [3, 2.5]]
    assert below.lines[0].get_xydata().tolist() == [[1, 3.5], [2, 2.5], [3, 1.5]]


def test_loss_surfaces_show_their_heights_contours_and_both_cuts():
    rows = [
        {"model": model, "depth": 20, "seed": 0, "x": x, "y": y, "loss": 1 + x * x + 3 * y * y}
        for model in ("plain", "resnet")
        for x in (-1.0, 0.0, 1.0)
        for y in (-1.0, 0.0, 1.0)
    ]
    axes = script("loss_surfaces").draw(Given(loss_surfaces_grid=frame(rows))).axes
    titles = [f"{kind}-20, MNIST-1D,\n480 steps" for kind in ("plain", "residual")]
    assert [a.get_title() for a in axes[:2]] == titles
    assert axes[0].zz_dataLim.intervalx == pytest.approx([0, math.log10(5)]), "log10 of the loss"
    first, second = axes[4].lines
    assert first.get_xydata().tolist() == [[-1, 2], [0, 1], [1, 2]]
    assert second.get_ydata().tolist() == [4, 1, 4]


def test_surfaces_with_and_without_normalization_stand_in_one_column():
    def surfaces(scale):
        places = [(x, y) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 0.0, 1.0)]
        return frame(
            {"model": model, "depth": 20, "seed": 0, "x": x, "y": y, "loss": scale * (1 + x * x + 3 * y * y)}
            for model in ("plain", "resnet")
            for x, y in places
        )

    without = surfaces(10).query("model == 'plain'")
    tables = Given(loss_surfaces_grid=surfaces(1), loss_surfaces_without_norm_grid=without)
    axes = script("loss_surfaces_norm").draw(tables).axes
    assert [a.get_title() for a in axes[:2]] == ["plain-20", "residual-20"]
    assert [line.get_ydata().tolist() for line in axes[4].lines] == [[2, 1, 2], [20, 10, 20]]
    assert [[t.get_text() for t in a.texts] for a in axes[2:4]] == [[], ["diverged in training"]]
    assert len(axes[5].lines) == 1


def test_curvature_has_a_point_per_seed_and_a_map_per_network():
    """The residual one of 2 x 2 places has ratios 0, 0.1, 0.2, 0.3."""
    centre = [row | {"x": 0.0, "y": 0.0, "smallest": -2.0, "largest": 10.0 + row["seed"]} for row in both()]
    grid = [
        {"model": "resnet", "depth": 8, "seed": 0, "x": x, "y": y, "ratio": 0.2 * x + 0.1 * y}
        for x in (0, 1)
        for y in (0, 1)
    ]
    tables = Given(hessians_curvature=frame(centre), hessian_grids_curvature=frame(grid))
    above, below = script("hessians").draw(tables).axes[:2]
    assert [line.get_ydata().tolist() for line in above.lines if line.get_label()[0] == "_"] == [
        [10, 11],
        [2, 2],
    ] * 2
    assert below.collections[0].get_array().ravel().tolist() == pytest.approx([0, 0.2, 0.1, 0.3])


def test_smoothness_draws_the_range_and_the_most():
    rows = [
        {
            "model": "plain",
            "depth": 20,
            "norm": norm,
            "seed": seed,
            "step": step,
            "factor": factor,
            "rate": 0.1,
        }
        | {"loss": factor + seed, "gradient_change": 2 * factor, "smoothness": 3 * factor}
        for norm in ("batch", "none")
        for seed in (0, 1)
        for step in (0, 4)
        for factor in (0.5, 1.0)
    ]
    table = pd.DataFrame([{"dataset": "mnist1d"} | row for row in rows])
    first, second, third = script("smoothness").draw(Given(smoothness_along=table)).axes
    assert first.lines[0].get_xydata().tolist() == [[0, 1.5], [4, 1.5]]
    low, high = first.collections[0].get_paths()[0].vertices[:, 1].min(), 1.5
    assert (low, high) == (1.0, 1.5)
    assert second.lines[1].get_ydata().tolist() == [2, 2]
    assert third.lines[0].get_ydata().tolist() == [3, 3]
