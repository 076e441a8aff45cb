"""Objects against instances: by hand, and against distances between all boundary pixels."""

import numpy as np
import pytest
import torch
from helpers import Fixed, mentions

from resexp.measure.segments import boundary_distance, fullest, matches, overlaps, regions, trained

THERE = np.zeros((30, 30), dtype=int)
THERE[2:12, 2:12], THERE[2:12, 14:24], THERE[16:26, 2:12] = 7, 3, 9


def test_two_cells_taken_for_one_match_neither():
    found = THERE.copy()
    found[2:12, 2:24] = 1  # a merge; 9 is found, a region more is not there
    found[20:26, 20:26] = 5
    assert matches(found, THERE, 0.5) == (1, 3, 3)
    slow = [[((found == a) & (b == THERE)).sum() / ((found == a) | (b == THERE)).sum() for b in (3, 7, 9)]
            for a in (1, 5, 9)]  # fmt: skip
    np.testing.assert_allclose(overlaps(found, THERE), slow)


def test_nothing_found_matches_nothing():
    assert matches(0 * THERE, THERE, 0.5) == (0, 0, 3)


def test_regions_are_parted_and_specks_dropped():
    inside = THERE > 0
    inside[28, 28] = True
    assert len(np.unique(regions(inside))) == 1 + 3


def test_the_boundary_distance_is_that_of_all_pairs():
    found = np.roll(THERE, 2, axis=0)

    def edge(x):
        padded = np.pad(x > 0, 1)
        beside = [np.roll(padded, s, axis)[1:-1, 1:-1] for s in (1, -1) for axis in (0, 1)]
        return np.argwhere((x > 0) & ~np.all(beside, axis=0))

    a, b = edge(found), edge(THERE)
    pairs = np.linalg.norm(a[:, None] - b[None], axis=2)
    expected = (pairs.min(1).mean() + pairs.min(0).mean()) / 2
    assert boundary_distance(found, THERE) == pytest.approx(expected)
    assert boundary_distance(THERE, THERE) == 0


class Threshold(torch.nn.Module):
    """Predicts foreground where the input is above 0."""

    def forward(self, x):
        return torch.cat([-x, x], 1)


def test_a_perfect_network_finds_every_object():
    labels = torch.from_numpy(THERE).float()
    x = (labels > 0).float()[None, None] - 0.5
    y = torch.stack([labels > 0, 0 * labels, labels]).float()[None]
    settings = {"pictures": 1, "side": 16, "batch_size": 1, "tile": None}
    tables = trained(Fixed(Threshold(), x, y), threshold=0.5, **settings)
    objects = tables["objects"].iloc[0]
    assert (objects["f1"], objects["boundary_error"], objects["there"]) == (1, 0, 3)
    labelled = tables["pictures"].query("kind == 'labels'")["values"]
    assert [list(map(int, line.split())) for line in labelled] == THERE[fullest(THERE, 16)].tolist()
    with pytest.raises(ValueError, match=mentions("measure.threshold", "0.4")):
        trained(Fixed(Threshold(), x, y), threshold=0.4, **settings)


def test_the_part_with_most_instances_is_pictured():
    labels = np.zeros((40, 40), dtype=int)
    labels[2:5, 2:5] = 1
    for number, (y, x) in enumerate([(22, 32), (28, 26), (31, 36)], start=2):
        labels[y : y + 3, x : x + 3] = number
    assert set(np.unique(labels[fullest(labels, 20)])) == {0, 2, 3, 4}
    assert labels[fullest(labels, 64)].shape == (40, 40), "a smaller image is taken whole"
