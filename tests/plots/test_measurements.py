"""The measurements' figures draw what their tables hold."""

import math

import numpy as np
import pandas as pd
import pytest
from helpers import Given, script


def autocorrelation(setups, depths, lags=3):
    rows = [
        (setup, depth, seed, lag, lag / 64, (1 - lag / 10) * (1 + 0.1 * seed) if lag else 1.0)
        for setup in setups
        for depth in depths
        for seed in (-1, 0, 1)
        for lag in range(lags + 1)
    ]
    columns = ["setup", "depth", "seed", "lag", "delta_x", "autocorrelation"]
    return pd.DataFrame(rows, columns=columns)


def test_autocorrelation_curves_are_means_and_the_books_stand_beside_them():
    plot = script("gradient_autocorrelation")
    table = autocorrelation([name for name, _ in plot.DEEP], [0, 2, 4, 24, 50])
    tables = Given(shattered_gradients_autocorrelation=table)
    book = tables.reference("udl_fig11_3_shattered_gradients")
    left, right = plot.draw(tables).axes
    ours = left.containers[0].lines[0].get_xydata()
    assert ours == pytest.approx(np.array([[lag / 64, 1 - lag / 10 if lag else 1] for lag in range(4)]))
    drawn = [line.get_xydata().tolist() for line in left.lines]
    for depth in (2, 4, 24):
        rows = book[(book["panel"] == "c") & (book["hidden_layers"] == depth)]
        assert rows[["x", "y"]].to_numpy().tolist() in drawn
    assert len(right.get_legend().get_texts()) == len(plot.DEEP)


def test_the_ablation_draws_lag_1_of_every_set_up():
    plot = script("shattering_ablation")
    figure = plot.draw(Given(shattered_gradients_autocorrelation=autocorrelation(plot.ROWS, [1, 24])))
    points = [c.lines[0].get_xydata().tolist() for axes in figure.axes for c in axes.containers]
    assert len(points) == len(plot.ROWS)
    assert all(np.allclose(p, [[1, 0.9], [24, 0.9]]) for p in points)


def test_correlation_is_a_ratio_of_means():
    plot = script("gradient_correlation")
    rows = [
        (setup, depth, seed, variance, 0.25, 1.0, 0.5**depth)
        for setup in plot.SETUPS
        for depth in (1, 2)
        for seed, variance in ((0, 0.5), (1, 1.5))
    ]
    columns = ["setup", "depth", "seed", "variance", "covariance", "theory_variance", "theory_correlation"]
    table = pd.DataFrame(rows, columns=columns)
    left, right = plot.draw(Given(shattered_gradients_correlation=table)).axes
    assert left.containers[0].lines[0].get_ydata() == pytest.approx([0.25, 0.25])
    assert right.containers[0].lines[0].get_ydata() == pytest.approx([1, 1])


def test_theory_of_the_variance():
    plot = script("variance_growth")
    block = np.array([0, 1, 3])
    assert plot.theory("none", block, 3)[0].tolist() == [1, 2, 8]
    assert plot.theory("none", block, 3)[1].tolist() == [8, 4, 1]
    assert plot.theory("batch", block, 3)[0].tolist() == [1, 2, 4]
    assert plot.theory("batch", block, 3)[1].tolist() == [4, 2, 1]
    assert plot.theory("scaled_sum", block, 3)[0].tolist() == [1, 1, 1]
    assert plot.theory("scaled_branch", block, 4)[0][1] == 1.25


def test_variance_panels_mark_the_overflow():
    plot = script("variance_growth")
    rows = [
        (setup, kind, block, 0, 2.0**block, 2.0 ** (5 - block))
        for setup in plot.PANELS
        for kind in plot.INPUTS
        for block in range(6)
    ]
    overflow = pd.DataFrame(
        [("none", "float16", 0, 28), ("none", "float32", 0, 257), ("batch", "float16", 0, None)],
        columns=["setup", "format", "seed", "first_block"],
    )
    columns = ["setup", "inputs", "block", "seed", "variance", "gradient_variance"]
    table = pd.DataFrame(rows, columns=columns)
    figure = plot.draw(Given(variance_growth_variance=table, variance_growth_overflow=overflow))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["float16\noverflow (28-28)", "float32\noverflow (257-257)"]
    assert not figure.axes[2].texts
    exponents = figure.axes[0].lines[0].get_xydata().tolist()
    assert exponents == [pytest.approx([k + 1, k * math.log10(2)]) for k in range(6)]
    assert figure.axes[1].lines[0].get_xydata().tolist() == [[k + 1, 2.0**k] for k in range(6)]
