"""Rules of several networks; merges and splits against scikit-image, voxel by voxel and pair by pair."""

from itertools import combinations
from math import log2

import numpy as np
import pytest
import torch
from helpers import mentions

from resexp.measure.agreement import (
    decisions,
    each_and_all,
    rand_precision_recall,
    scores,
    variation_of_information,
)
from resexp.measure.whole import whole


def test_the_three_rules():
    probabilities = np.array([[0.9, 0.6, 0.2], [0.9, 0.3, 0.9], [0.9, 0.4, 0.9]])
    found = {rule: counted.tolist() for rule, counted in decisions(probabilities).items()}
    assert found == {"one": [True, True, False], "mean": [True, False, True], "all": [True, False, False]}


def test_every_network_is_scored_by_itself_and_all_together():
    """Of four voxels inside, the first network finds three and one outside, the second two of these."""
    inside, there = np.array([1, 1, 1, 1, 0, 0], dtype=bool), np.ones(6, dtype=int)
    votes = np.array([[1, 1, 1, 0, 1, 0], [1, 1, 0, 0, 0, 0]])
    table = each_and_all(0.2 + 0.6 * votes, [7, 9], inside, there, 0.5)
    assert table["rule"].tolist() == ["one", "one", "mean", "all"]
    assert table["networks"].tolist() == [1, 1, 2, 2]
    assert table["seed"].fillna(-1).tolist() == [7, 9, -1, -1]
    assert table["precision"].tolist()[:2] + table["precision"].tolist()[3:] == [3 / 4, 1, 1]
    assert table["recall"].tolist()[:2] + table["recall"].tolist()[3:] == [3 / 4, 2 / 4, 2 / 4]


def test_a_network_that_loses_its_margins_needs_tiles():
    shrinking = torch.nn.Conv2d(1, 2, 3)
    with pytest.raises(ValueError, match=mentions("measure.tile")):
        whole(shrinking, torch.zeros(1, 1, 8, 8), None)
    with pytest.raises(ValueError, match=mentions("measure.tile", "Conv2d")):
        whole(shrinking, torch.zeros(1, 1, 8, 8), 4)


@pytest.fixture
def labels():
    random = np.random.default_rng(0)
    return random.integers(1, 4, (3, 4, 5)), random.integers(0, 3, (3, 4, 5))


def test_information_is_that_of_scikit_image(labels):
    metrics = pytest.importorskip("skimage.metrics")
    splits, merges = metrics.variation_of_information(labels[1], labels[0], ignore_labels=[0])
    assert variation_of_information(*labels) == pytest.approx((merges, splits))


def test_information_is_what_the_other_region_of_a_voxel_still_tells(labels):
    """-log2 of the share of its own region that a voxel's other region has, mean over the known voxels."""
    pairs = [(f, t) for f, t in zip(*(x.ravel().tolist() for x in labels), strict=True) if t]

    def left(given):
        own = [sum(p[given] == voxel[given] for p in pairs) for voxel in pairs]
        both = [pairs.count(voxel) for voxel in pairs]
        return sum(-log2(b / o) for b, o in zip(both, own, strict=True)) / len(pairs)

    assert variation_of_information(*labels) == pytest.approx((left(0), left(1)))


def test_two_cells_taken_for_one_cost_a_bit_of_merging():
    there, found = np.array([1, 1, 2, 2]), np.array([5, 5, 5, 5])
    assert variation_of_information(found, there) == pytest.approx((1, 0))
    assert variation_of_information(there, found) == pytest.approx((0, 1))


def test_pairs_are_counted(labels):
    found, there = (x.ravel()[labels[1].ravel() > 0] for x in labels)
    n = len(found)
    pairs = [(a, a) for a in range(n)] + 2 * list(combinations(range(n), 2))  # ordered, each with itself
    one = sum(found[a] == found[b] for a, b in pairs)
    other = sum(there[a] == there[b] for a, b in pairs)
    both = sum(found[a] == found[b] and there[a] == there[b] for a, b in pairs)
    assert rand_precision_recall(*labels) == pytest.approx((both / one, both / other))


def test_perfect_voxels_give_perfect_regions():
    there = np.ones((8, 4), dtype=int)
    there[4:] = 2
    inside = np.ones((8, 4), dtype=bool)
    inside[3:5] = False
    row = scores({"one": inside}, inside, there).iloc[0]
    assert (row["precision"], row["recall"], row["regions"]) == (1, 1, 2)
    assert (row["merges_bits"], row["splits_bits"]) == (0, 0)
