import pytest
import torch
from helpers import mentions
from torch import nn

from resexp.models.weights import load_by_position


def two_layers():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_load_by_position_copies_weights_and_statistics():
    source = nn.ModuleDict({"a": nn.Conv2d(3, 4, 3), "b": nn.BatchNorm2d(4)})
    source["b"].running_mean.fill_(7)
    target = two_layers()
    load_by_position(target, source.state_dict())
    assert torch.equal(target[0].weight, source["a"].weight)
    assert target[1].running_mean.tolist() == [7] * 4


def test_load_by_position_names_the_entry_and_both_shapes():
    target = two_layers()
    before = target[0].weight.clone()
    other = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(5))
    with pytest.raises(ValueError, match=mentions("1.weight", "(4,)", "(5,)")):
        load_by_position(target, other.state_dict())
    assert torch.equal(target[0].weight, before), "nothing is copied unless everything fits"


def test_load_by_position_refuses_another_number_of_entries():
    with pytest.raises(ValueError, match=r"\A.*\b6\b.*\b2\b.*the model has 1\.weight.*\Z"):
        load_by_position(two_layers(), nn.Conv2d(3, 4, 3).state_dict())
    with pytest.raises(ValueError, match=r"the state dict has 1\.weight"):
        load_by_position(nn.Conv2d(3, 4, 3), two_layers().state_dict())
