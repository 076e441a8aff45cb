"""Loss, counts and columns of segmentation against slow versions."""

import pytest
import torch
from helpers import mentions

from resexp.tasks.segmentation import Segmentation, centre


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(0, 2, (3, 1, 6, 6), generator=generator).float()
    weight = torch.rand(3, 1, 6, 6, generator=generator)
    return torch.randn(3, 2, 4, 4, generator=generator), torch.cat([classes, weight, classes], 1)


def test_the_loss_is_that_of_the_paper(batch):
    output, target = batch
    expected = 0.0
    for image in range(3):
        for y in range(4):
            for x in range(4):
                k = int(target[image, 0, y + 1, x + 1])
                weight = (0.5, 2.0)[k] + target[image, 1, y + 1, x + 1]
                expected -= weight * output[image, :, y, x].log_softmax(0)[k] / 16
    task = Segmentation([0.5, 2.0])
    torch.testing.assert_close(task.loss(output, target, reduction="sum"), expected)
    torch.testing.assert_close(task.loss(output, target), expected / 3)


def test_without_the_border_weights_it_is_plain_cross_entropy(batch):
    output, target = batch
    classes = target[:, 0, 1:5, 1:5].long()
    expected = torch.nn.functional.cross_entropy(output, classes)
    torch.testing.assert_close(Segmentation(border=False).loss(output, target), expected)


def test_columns_count_pixels(batch):
    output, target = batch
    found, there = output.argmax(1) == 1, target[:, 0, 1:5, 1:5] == 1
    task = Segmentation()
    columns = task.columns(task.tally(output, target).tolist(), 3)
    assert columns["error_percent"] == pytest.approx(100 * (found != there).float().mean().item())
    assert columns["iou"] == pytest.approx(((found & there).sum() / (found | there).sum()).item())


def test_another_number_of_class_weights_is_refused(batch):
    with pytest.raises(ValueError, match=mentions("task.class_weights", "2", "3")):
        Segmentation([1.0, 1.0, 1.0]).loss(*batch)


def test_the_centre():
    assert centre(torch.arange(7.0).view(1, 1, 7), [3]).flatten().tolist() == [2, 3, 4]


def test_a_foreground_pixel_of_another_class_is_in_the_union_only():
    """Of three classes, pixel by pixel: right, another class, missed, invented."""
    predicted, classes = torch.tensor([1, 2, 0, 1]), torch.tensor([1.0, 1.0, 2.0, 0.0])
    output = torch.nn.functional.one_hot(predicted, 3).T.view(1, 3, 1, 4).float()
    task = Segmentation(border=False)
    columns = task.columns(task.tally(output, classes.view(1, 1, 1, 4)).tolist(), 1)
    assert columns == {"error_percent": 75, "iou": 1 / 4}
