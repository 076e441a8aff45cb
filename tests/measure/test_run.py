"""Which examples of a run are measured."""

import torch
from helpers import Fixed

from resexp.measure.run import spread


def test_examples_of_a_split_sorted_by_class_are_of_all_classes_alike():
    x, y = torch.arange(5000.0), torch.arange(5000) // 500
    found, classes = spread(Fixed(None, x, y), "test", 250)
    assert torch.bincount(classes).tolist() == [25] * 10
    assert torch.equal(y[found.long()], classes), "inputs stay with their targets"
    assert torch.equal(spread(Fixed(None, x, y), "test", 5000)[0], x)
    assert torch.equal(spread(Fixed(None, x, y), "test", 9999)[1], y)
