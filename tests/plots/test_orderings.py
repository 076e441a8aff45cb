"""Paired differences over seeds, against closed forms and a slow obvious version."""

import math

import numpy as np
import pandas as pd
import pytest
from helpers import mentions

from resexp.plots.orderings import T_95, main, paired_difference


@pytest.mark.parametrize("freedom", range(1, len(T_95) + 1))
def test_the_quantiles_are_those_of_the_density(freedom):
    scale = math.gamma((freedom + 1) / 2) / math.gamma(freedom / 2) / math.sqrt(math.pi * freedom)
    t = np.linspace(0, T_95[freedom - 1], 100_001)
    inside = 2 * np.trapezoid(scale * (1 + t**2 / freedom) ** (-(freedom + 1) / 2), t)
    assert inside == pytest.approx(0.95, abs=5e-5)


def test_intervals_cover_the_true_difference_in_95_of_100_samples():
    draw = np.random.default_rng(0)
    seeds, true = range(4), 0.7
    covered = 0
    for _ in range(2000):
        common = pd.Series(draw.normal(0, 5, 4), seeds)  # what both share of a seed takes no part
        first = common + true + draw.normal(0, 1, 4)
        found = paired_difference(first, common)
        covered += found.low < true < found.high
    assert covered / 2000 == pytest.approx(0.95, abs=3 * (0.05 * 0.95 / 2000) ** 0.5)


def test_only_common_seeds_count():
    first, second = pd.Series({0: 5.0, 1: 7.0, 2: 9.0}), pd.Series({1: 4.0, 2: 5.0, 3: 0.0})
    found = paired_difference(first, second)
    half = 12.706 * np.std([3, 4], ddof=1) / math.sqrt(2)
    assert found == pytest.approx((3.5, 3.5 - half, 3.5 + half, 2), rel=1e-3)


@pytest.mark.parametrize(
    ("differences", "verdict"),
    [([3, 3.1, 2.9], "holds"), ([-3, -3.1, -2.9], "does not hold"), ([3, 9, 1], "not settled"),
     ([50], "not settled")],
)  # fmt: skip
def test_a_claim_holds_only_if_the_interval_excludes_zero(differences, verdict):
    first = pd.Series(differences, dtype=float)
    assert paired_difference(first, 0 * first).verdict == verdict


def test_what_cannot_be_paired_is_refused():
    one = pd.Series({0: 1.0})
    with pytest.raises(ValueError, match=mentions("seeds", "common", "0")):
        paired_difference(one, pd.Series({1: 1.0}))
    with pytest.raises(ValueError, match=mentions("seed", "twice")):
        paired_difference(pd.concat([one, one]), one)


def test_a_table_is_compared_larger_first_without_what_diverged(tmp_path, capsys):
    rows = [(name, seed, step, None if step == 2 and (name, seed) == ("b", 2) else error + 9 * (step == 1))
            for name, error in (("a", 3.0), ("b", 5.0)) for seed in (0, 1, 2) for step in (1, 2)]  # fmt: skip
    table = pd.DataFrame(rows, columns=["norm", "seed", "step", "test_error_percent"])
    table.to_csv(tmp_path / "table.csv", index=False)
    main(str(tmp_path / "table.csv"), "norm")
    assert capsys.readouterr().out == "b > a: 2.0 [2.0, 2.0] (n = 2), holds\n"
