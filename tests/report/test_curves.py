"""Curves: a thin line per seed, their mean, crosses, and how many points they have."""

import pandas as pd
import pytest

from resexp.report import curves
from resexp.report.curves import drawing
from resexp.report.numbers import final_errors, varying


def runs(settings, errors, **columns):
    """Rows of runs: (model, depth, seed) and the errors at steps 1, 2, ..."""
    rows = [
        {"dataset": "mnist1d", "model": model, "depth": depth, "norm": "batch", "seed": seed}
        | {key: values[i] for key, values in columns.items()}
        | {"step": step, "epoch": step / 10, "test_error_percent": error}
        for i, ((model, depth, seed), mine) in enumerate(zip(settings, errors, strict=True))
        for step, error in enumerate(mine, 1)
    ]
    return pd.DataFrame(rows)


def points(text):
    return [tuple(map(float, pair.split(","))) for pair in text.split()]


def test_a_panel_per_model_a_line_per_depth_a_thin_line_per_seed():
    settings = [(m, d, s) for m in ("plain", "resnet") for d in (8, 20, 56) for s in (0, 1)]
    found = drawing(runs(settings, [[90, 50, 10]] * 12), "test_error_percent", "test error")
    assert [panel.title for panel in found.panels] == ["plain", "residual"]
    for panel in found.panels:
        assert [line.label for line in panel.lines] == ["8", "20", "56"]
        assert [len(line.seeds) for line in panel.lines] == [2, 2, 2]
    assert found.legend == "depth"
    assert not found.common, "each model has colours of its own"


def test_the_mean_lies_midway_between_two_seeds_and_the_axes_tell_the_values():
    table = runs([("plain", 8, 0), ("plain", 8, 1)], [[100, 60, 20], [80, 20, 0]])
    found = drawing(table, "test_error_percent", "")
    (line,) = found.panels[0].lines
    one, other = (points(text) for _, text in line.seeds)
    for (_, y), (_, above), (_, below) in zip(points(line.mean), one, other, strict=True):
        assert y == pytest.approx((above + below) / 2, abs=0.1)
    # linear: the ticks of 0 and 100 are where these values are drawn
    ticks = {label: place for place, label in found.yticks}
    assert one[0][1] == pytest.approx(ticks["100"], abs=0.1)
    assert other[2][1] == pytest.approx(ticks["0"], abs=0.1)
    assert [x for x, _ in one] == sorted(x for x, _ in one)


def test_a_diverged_run_is_crossed_and_out_of_the_mean():
    settings = [("plain", 8, seed) for seed in (0, 1, 2)]
    found = drawing(runs(settings, [[90, 60], [90, 40], [90, None]]), "test_error_percent", "")
    (line,) = found.panels[0].lines
    assert len(line.crosses) == 1
    assert len(line.seeds) == 3
    ends = [points(text)[-1][1] for _, text in line.seeds[:2]]
    assert points(line.mean)[-1][1] == pytest.approx(sum(ends) / 2, abs=0.1)


def test_an_unfinished_run_ends_the_mean():
    found = drawing(runs([("plain", 8, 0), ("plain", 8, 1)], [[9, 8, 7], [9, 8]]), "test_error_percent", "")
    (line,) = found.panels[0].lines
    assert [len(points(text)) for _, text in line.seeds] == [3, 2]
    assert len(points(line.mean)) == 2


def test_long_runs_are_thinned_and_keep_their_end():
    found = drawing(runs([("plain", 8, 0)], [range(1000, 0, -1)]), "test_error_percent", "")
    drawn = points(found.panels[0].lines[0].mean)
    assert 100 <= len(drawn) <= curves.MOST_POINTS
    assert drawn[-1][0] == curves.WIDTH - curves.RIGHT


def test_epochs_where_settings_have_other_numbers_of_steps():
    settings = [("plain", 8, 0), ("plain", 20, 0)]
    assert drawing(runs(settings, [[9, 8], [9, 8]]), "test_error_percent", "").xlabel == "step"
    assert drawing(runs(settings, [[9, 8], [9, 8, 7]]), "test_error_percent", "").xlabel == "epoch"
    lost = runs([*settings, ("plain", 20, 1)], [[9, 8], [9, 8], [9, 8, None]])
    assert drawing(lost, "test_error_percent", "").xlabel == "step", "where it diverged is no length"


def test_nothing_is_drawn_of_nothing():
    assert drawing(runs([("plain", 8, 0)], [[9]]), "test_error_percent", "") is None
    assert drawing(runs([("plain", 8, 0)], [[None, None]]), "test_error_percent", "") is None
    assert drawing(runs([("plain", 8, 0)], [[9, 8]]), "train_error_percent", "") is None


def test_what_follows_from_a_case_is_no_setting_of_its_own():
    networks = [("plain", 8, 0), ("resnet", 20, 0), ("resnet", 20, 1), ("resnet", 20, 0)]
    table = runs(networks, [[9], [8], [8], [7]], case=["a", "b", "b", "c"])
    assert varying(table) == ["case"]
    crossed = runs([("plain", 8, 0), ("plain", 20, 0), ("resnet", 8, 0), ("resnet", 20, 0)], [[9]] * 4)
    assert varying(crossed) == ["model", "depth"]
    assert varying(runs([("plain", 8, 0), ("plain", 8, 1)], [[9], [8]])) == []


def test_diverged_runs_are_counted_and_left_out_of_the_mean():
    settings = [("plain", 8, 0), ("plain", 8, 1), ("plain", 20, 0), ("plain", 20, 1)]
    found = final_errors(runs(settings, [[9, 4], [9, 2], [9, 5], [9, None]]))
    assert found["test_error_percent_mean"].tolist() == [3, 5]
    assert found["n"].tolist() == [2, 1]
    assert found["diverged"].tolist() == [0, 1]
