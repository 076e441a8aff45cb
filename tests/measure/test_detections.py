"""Recall and average precision by hand, and against the slow definition."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers import Fixed, mentions

from resexp.measure import detections
from resexp.measure.detections import average_precision, best, by_size, match, scores, trained

ALL, SIZES = (0.0, float("inf")), [0.125, 0.25]


def detection(kind, score, *box):
    return [float(kind), score, *box]


A, B = (0.2, 0.2, 0.1, 0.1), (0.6, 0.6, 0.4, 0.4)  # a small and a large box


def test_the_area_under_precision_over_recall():
    """Hit, miss, hit, of four objects: precision 1 up to recall 1/4, then 2/3 up to 1/2."""
    marks = [(0.9, True), (0.8, False), (0.7, True)]
    assert average_precision(marks, 4) == pytest.approx(1 / 4 + 2 / 3 / 4)
    assert average_precision(marks[::-1], 4) == pytest.approx(1 / 4 + 2 / 3 / 4), "in order of scores"
    assert average_precision([], 4) == 0


def test_average_precision_is_that_of_its_definition(generator):
    """At each recall the greatest precision from there on, integrated over every threshold."""
    for _ in range(20):
        marks = [(float(s), bool(h)) for s, h in torch.rand(12, 2, generator=generator).round(decimals=6)]
        marks = [(s, h and i % 2 == 0) for i, (s, h) in enumerate(marks)]
        points = []
        for threshold in sorted({s for s, _ in marks}):
            chosen = [hit for s, hit in marks if s >= threshold]
            points.append((sum(chosen) / 8, sum(chosen) / len(chosen)))
        recalls = sorted({0.0, *(r for r, _ in points)})
        expected = sum(
            (high - low) * max(p for r, p in points if r >= high) for low, high in pairwise(recalls)
        )
        assert average_precision(marks, 8) == pytest.approx(expected)


def test_each_object_is_found_once_and_by_its_class():
    there = torch.tensor([[0.0, *A], [1.0, *B]])
    found = torch.tensor([detection(0, 0.9, *A), detection(0, 0.8, *A), detection(0, 0.7, *B)])
    assert match(found, there, 0.5).tolist() == [0, -1, -1]
    assert match(found, torch.zeros(0, 5), 0.5).tolist() == [-1, -1, -1]


def test_sizes_are_counted_apart():
    """The large object is found, the small one is not; a false small detection harms small ones alone."""
    there = [torch.tensor([[0.0, *A], [0.0, *B]])]
    found = [torch.tensor([detection(0, 0.9, 0.9, 0.1, 0.1, 0.1), detection(0, 0.8, *B)])]
    found_of = {name: scores(found, there, limits) for name, limits in by_size(SIZES).items()}
    assert [found_of[k]["objects"] for k in ("all", "small", "medium", "large")] == [2, 1, 0, 1]
    assert [found_of[k]["recall"] for k in ("all", "small", "large")] == [0.5, 0, 1]
    assert found_of["large"]["average_precision"] == 1
    assert found_of["all"]["average_precision"] == pytest.approx(0.5 * 0.5)
    assert np.isnan(found_of["medium"]["recall"])


@pytest.mark.parametrize(("width", "thresholds"), [(0.4, 10), (0.31, 6), (0.21, 1), (0.19, 0)])
def test_average_recall_is_over_ten_overlaps(width, thresholds):
    """A box with the centre and height of an object 0.4 wide overlaps it by width / 0.4."""
    found = [torch.tensor([detection(0, 0.9, 0.6, 0.6, width, 0.4)])]
    expected = thresholds / 10
    assert scores(found, [torch.tensor([[0.0, *B]])], ALL)["average_recall"] == pytest.approx(expected)


class Predicts(torch.nn.Module):
    """Two anchors and two classes for every image: what is labelled, A, and once more beside it."""

    kind = "boxes"

    def forward(self, x):
        near = (A[0] + 0.01, *A[1:])
        columns = [[3.0, -3.0, *A, *[0.1] * 6], [2.0, -5.0, *near, *[0.1] * 6]]
        return torch.tensor(columns).T.expand(len(x), -1, -1)


def test_a_network_that_knows_the_answer():
    x, y = torch.randn(3, 1, 32, 32), torch.tensor([[[0.0, *A], [0.0] * 5]]).expand(3, -1, -1)
    settings = {"detections": 1, "overlap": 0.5, "bounds": SIZES, "images": 2, "shown": 0.5}
    tables = trained(Fixed(Predicts(), x, y), **settings)
    rows = tables["scores"].set_index("size")
    assert rows.loc["small", ["objects", "recall", "average_precision"]].tolist() == [3, 1, 1]
    pictures = tables["pictures"]
    assert (pictures["kind"] == "image").sum() == 2 * 32
    assert pictures.query("kind == 'found'")["values"].tolist() == ["0 6.4 6.4 3.2 3.2 0.953"] * 2
    other = Fixed(Predicts(), x, y)
    other.config = {"seed": 1}
    assert set(trained(other, **settings)) == {"scores"}, "pictures of one seed are enough"
    assert len(best(Predicts()(x)[0], 5, 0.5)) == 2, "the duplicate is dropped; another class is not"


def test_the_first_image_is_not_timed(monkeypatch):
    now, took = [0.0], iter([100.0, 1.0, 2.0, 6.0])

    def network(x):
        now[0] += next(took)
        return x

    monkeypatch.setattr(detections, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert detections.milliseconds(network, torch.zeros(4, 1)) == pytest.approx(2000)


def test_another_network_is_refused():
    run = Fixed(torch.nn.Identity(), torch.zeros(1, 1), torch.zeros(1))
    with pytest.raises(ValueError, match=mentions("measure=detections", "model=pyramid")):
        trained(run, detections=1, overlap=0.5, bounds=SIZES, images=1, shown=0.5)
