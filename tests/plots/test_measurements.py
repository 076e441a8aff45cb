"""The measurements' figures draw what their tables hold."""

import math

import numpy as np
import pandas as pd
import pytest
from helpers import Given, script


def autocorrelation(setups, depths, lags=(1, 2, 3)):
    rows = [
        (setup, depth, seed, lag, lag / 64, (1 - lag / 10) * (1 + 0.1 * seed), 1 - lag / 20)
        for setup in setups
        for depth in depths
        for seed in (-1, 0, 1)
        for lag in lags
    ]
    columns = ["setup", "depth", "seed", "lag", "delta_x", "autocorrelation", "about_zero"]
    return pd.DataFrame(rows, columns=columns)


def test_autocorrelation_curves_are_means_and_the_books_stand_beside_them():
    plot = script("gradient_autocorrelation")
    table = autocorrelation([name for name, _ in plot.DEEP] + list(plot.FEEDFORWARD), [0, 2, 4, 24, 50])
    tables = Given(shattered_gradients_curves=table)
    book = tables.reference("udl_fig11_3_shattered_gradients")
    figure = plot.draw(tables)
    for axes in figure.axes[:2]:
        ours = axes.containers[0].lines[0].get_xydata()
        assert ours == pytest.approx(np.array([[lag / 64, 1 - lag / 10 if lag else 1] for lag in range(4)]))
        drawn = [line.get_xydata().tolist() for line in axes.lines]
        about_zero = [[lag / 64, 1 - lag / 20] for lag in range(4)]
        assert any(len(line) == 4 and np.allclose(line, about_zero) for line in drawn)
        for depth in (2, 4, 24):
            rows = book[(book["panel"] == "c") & (book["hidden_layers"] == depth)]
            assert rows[["x", "y"]].to_numpy().tolist() in drawn
    assert len(figure.legends[1].get_texts()) == len(plot.DEEP)


def test_the_books_two_layers_are_the_line_of_a_constant_gradient():
    """1 - k/256, within 0.002 once the offset that lag 0 is drawn with is taken off."""
    book = Given().reference("udl_fig11_3_shattered_gradients")
    two = book[(book["panel"] == "c") & (book["hidden_layers"] == 2)]["y"].to_numpy()
    assert np.abs(two + 1 - two[0] - (1 - np.arange(13) / 256)).max() < 0.002


def test_gradients_stand_before_the_books_and_covariances_are_whole():
    plot = script("shattered_gradients")
    places = [-1.0, 0.0, 1.0]
    gradients = pd.DataFrame(
        [(s, d, n, x, x + n) for s, d, _ in plot.PANELS for n in range(3) for x in places],
        columns=["setup", "depth", "seed", "x", "gradient"],
    )
    covariance = pd.DataFrame(
        [
            (s, d, x, *(4.0 if x == y else 1.0 if y < x else np.nan for y in places))
            for s, d, _ in plot.PANELS
            for x in places
        ],
        columns=["setup", "depth", "x", "x0", "x1", "x2"],
    )
    tables = Given(shattered_gradients_gradients=gradients, shattered_gradients_covariance=covariance)
    axes = plot.draw(tables).axes
    book = tables.reference("udl_fig11_3_shattered_gradients").query("panel == 'a'")
    assert axes[0].lines[0].get_xydata() == pytest.approx(book[["x", "y"]].to_numpy())
    assert [len(a.lines) for a in axes[:6]] == [4, 2, 1, 1, 1, 1]
    middle, bottom = axes[6].images[0].get_array(), axes[12].images[0].get_array()
    assert np.asarray(middle) == pytest.approx(np.array([[1, 0.25, 0.25], [0.25, 1, 0.25], [0.25, 0.25, 1]]))
    assert np.asarray(bottom) == pytest.approx(np.asarray(middle)), "all variances are equal here"


def test_the_ablation_draws_lag_1_of_every_set_up():
    plot = script("shattering_ablation")
    tables = Given(
        shattered_gradients_autocorrelation=autocorrelation(plot.ROWS, [1, 24]),
        shattered_gradients_curves=autocorrelation(plot.ESTIMATED, plot.DEPTHS, lags=[12]),
    )
    *ablation, estimators = plot.draw(tables).axes
    points = [c.lines[0].get_xydata().tolist() for axes in ablation for c in axes.containers]
    assert len(points) == len(plot.ROWS)
    assert all(np.allclose(p, [[1, 0.9], [24, 0.9]]) for p in points)
    heights = {round(c.lines[0].get_ydata()[0], 9) for c in estimators.containers}
    assert heights == {round(1 - 12 / 10, 9), 1 - 12 / 20}


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
        (setup, kind, block, seed, 3 * 2.0**block, 2.0 ** (5 - block), 1 / block if block else None)
        for setup in plot.PANELS
        for kind in [*plot.INPUTS, plot.WIDE]
        for block in range(6)
        for seed in (0, 1)
    ]
    overflow = pd.DataFrame(
        [("none", "float16", 0, 28), ("none", "float32", 0, 257), ("batch", "float16", 0, None)],
        columns=["setup", "format", "seed", "first_block"],
    )
    columns = ["setup", "inputs", "block", "seed", "variance", "gradient_variance", "branch_share"]
    table = pd.DataFrame(rows, columns=columns)
    figure = plot.draw(Given(variance_growth_variance=table, variance_growth_overflow=overflow))
    first, _, walks, shares, none, scaled, batch = figure.axes[:7]
    assert first.containers[0].lines[0].get_xydata().tolist() == [[k, 2.0**k] for k in range(6)]
    assert {text.get_text() for text in first.texts} == {"1", "2", "4", "8"}, "the book's grey numbers"
    assert len(walks.lines) == 2 + 1 + 1, "each network, their mean, theory"
    assert shares.lines[0].get_xydata() == pytest.approx(np.array([[k, 1 / k] for k in range(1, 6)]))
    texts = [text.get_text() for text in none.texts]
    assert texts == ["float16\noverflow (28-28)", "float32\noverflow (257-257)"]
    assert not batch.texts
    exponents = none.lines[0].get_xydata().tolist()
    assert exponents == [pytest.approx([k + 1, k * math.log10(2)]) for k in range(6)]
    assert scaled.lines[0].get_xydata().tolist() == [[k + 1, 2.0**k] for k in range(6)]
