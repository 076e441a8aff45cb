"""Assignment, loss and recall against versions with loops, and made-up cases."""

import math

import pytest
import torch
from helpers import mentions

from resexp.tasks.detection import Detection, assigned, overlaps

SETTINGS = {"sizes": [0.125, 0.25], "detections": 3, "overlap": 0.5, "box_weight": 1.0}


def grid(classes=2):
    """Anchors of 4x4 cells and of 2x2 cells, nothing predicted: output (1, classes + 10, 20)."""
    columns = []
    for cells in (4, 2):
        for y in range(cells):
            for x in range(cells):
                centre, side = [(x + 0.5) / cells, (y + 0.5) / cells], [1.5 / cells] * 2
                columns.append([*[-9.0] * classes, *centre, *side, *centre, *side, 1 / cells, 1 / cells])
    return torch.tensor(columns).T.unsqueeze(0).contiguous()


@pytest.fixture
def objects():
    """A small one near a corner of cells, a large one in the middle, and nothing."""
    return torch.tensor([[[1.0, 0.27, 0.24, 0.2, 0.3], [0.0, 0.5, 0.5, 0.7, 0.9], [0.0, 0.0, 0.0, 0.0, 0.0]]])


def slow_assignment(places, target):
    found = torch.zeros(target.shape[1], places.shape[2], dtype=torch.bool)
    for n, (_, x, y, w, h) in enumerate(target[0].tolist()):
        if w * h == 0:
            continue
        away = [abs(math.log2(math.sqrt(p[2] * p[3]) / math.sqrt(w * h))) for p in places[0].T.tolist()]
        for a, (cx, cy, _, _, cw, ch) in enumerate(places[0].T.tolist()):
            found[n, a] = away[a] < min(away) + 1e-4 and abs(cx - x) < cw and abs(cy - y) < ch
    return found


def test_objects_have_the_four_nearest_anchors_of_their_size(objects):
    places = grid()[:, -6:]
    found = assigned(places, objects)
    assert torch.equal(found[0], slow_assignment(places, objects))
    assert found[0].sum(1).tolist() == [4, 4, 0]
    assert found[0, 0, :16].sum() == found[0, 1, 16:].sum() == 4


@pytest.fixture
def crowd(objects):
    """The small one, and a smaller one of another class that wants some of the same anchors."""
    objects[0, 1] = torch.tensor([0.0, 0.3, 0.26, 0.2, 0.25])
    return objects


@pytest.mark.parametrize("scene", ["objects", "crowd"])
def test_the_loss_is_that_of_its_formula(scene, request, generator):
    output, objects = grid(), request.getfixturevalue(scene)
    output[:, :6] += 0.1 * torch.randn(1, 6, 20, generator=generator)
    task, mine = Detection(**SETTINGS), slow_assignment(output[:, -6:], objects)
    expected, positive = 0.0, 0
    for a, column in enumerate(output[0].T.tolist()):
        own = [n for n in range(3) if mine[n, a]]
        for k in range(2):
            p = 1 / (1 + math.exp(-column[k]))
            there = any(objects[0, n, 0] == k for n in own)
            expected -= 0.25 * (1 - p) ** 2 * math.log(p) if there else 0.75 * p**2 * math.log(1 - p)
        if own:
            positive += 1
            _, x, y, w, h = min((objects[0, n].tolist() for n in own), key=lambda o: o[3] * o[4])
            bx, by, bw, bh = column[2:6]
            for error in ((bx - x) / w, (by - y) / h, math.log(bw / w), math.log(bh / h)):
                expected += error**2 / 0.2 if abs(error) < 0.1 else abs(error) - 0.05
    found = task.loss(output, objects)
    assert found.item() == pytest.approx(expected / positive, rel=1e-4)
    twice = task.loss(output.repeat(2, 1, 1), objects.repeat(2, 1, 1), reduction="sum")
    assert twice.item() == pytest.approx(2 * found.item(), rel=1e-5)


def test_an_image_without_objects_has_a_loss_and_a_gradient():
    output = grid().requires_grad_()
    Detection(**SETTINGS).loss(output, torch.zeros(1, 3, 5)).backward()
    assert output.grad.isfinite().all()


def set_box(output, anchor, kind, logit, box):
    output[0, :2, anchor] = -9.0
    output[0, kind, anchor] = logit
    output[0, 2:6, anchor] = torch.tensor(box)


def test_recall_counts_objects_by_size_and_drops_duplicates(objects):
    task, output = Detection(**SETTINGS), grid()
    set_box(output, 0, 1, 3.0, [0.27, 0.24, 0.2, 0.28])  # found
    for anchor in range(1, 9):  # duplicates that would use up the three detections
        set_box(output, anchor, 1, 2.0, [0.27, 0.24, 0.2, 0.29])
    set_box(output, 10, 0, 0.0, [0.5, 0.5, 0.7, 0.8])
    columns = task.columns(task.tally(output, objects).tolist(), 1)
    assert columns["recall"] == 1
    assert columns["recall_medium"] == columns["recall_large"] == 1
    assert math.isnan(columns["recall_small"])
    set_box(output, 10, 1, 0.0, [0.5, 0.5, 0.7, 0.8])  # another class
    assert task.columns(task.tally(output, objects).tolist(), 1)["error_percent"] == 50
    set_box(output, 10, 0, 0.0, [0.5, 0.5, 0.7, 0.4])  # too flat
    assert task.columns(task.tally(output, objects).tolist(), 1)["recall_large"] == 0


def test_of_two_that_overlap_the_better_is_kept():
    output, worse, better = grid(), [0.3, 0.3, 0.2, 0.2], [0.31, 0.3, 0.2, 0.2]
    set_box(output, 3, 1, 1.0, worse)
    set_box(output, 5, 1, 2.0, better)
    kinds, boxes = Detection(**SETTINGS).best(output)
    assert kinds[0, 0] == 1
    assert boxes[0, 0].tolist() == pytest.approx(better)
    assert worse not in [pytest.approx(box) for box in boxes[0].tolist()]


def test_overlaps_are_those_of_torchvision(generator):
    from torchvision.ops import box_convert, box_iou

    boxes = torch.rand(2, 7, 4, generator=generator) + 0.05
    for index in range(2):
        corners = box_convert(boxes[index], "cxcywh", "xyxy")
        torch.testing.assert_close(
            overlaps(boxes, boxes)[index], box_iou(corners, corners), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"sizes": [0.2, 0.1]}, ["task.sizes", "0.2"]),
        ({"overlap": 1.0}, ["task.overlap", "1.0"]),
        ({"detections": 0}, ["task.detections", "0"]),
    ],
)
def test_what_does_not_fit_is_refused(choice, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        Detection(**SETTINGS | choice)
