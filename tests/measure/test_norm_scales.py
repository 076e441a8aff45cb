"""Known scales are measured block by block."""

import pytest
import torch
from helpers import Fixed, mentions
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from resexp import build_model
from resexp.measure.norm_scales import trained


def test_the_last_scale_of_each_branch():
    model = build_model("resnet", model__depth=8, model__width=4)
    norms = [[m for m in b.transform.modules() if isinstance(m, _BatchNorm)] for b in model.blocks]
    assert [len(found) for found in norms] == [2, 2, 2]
    for number, (first, last) in enumerate(norms, start=1):
        nn.init.constant_(first.weight, 100.0)
        nn.init.constant_(last.weight, -float(number))
        last.weight.data[0] = 0
    table = trained(Fixed(model, None, None))["scales"].query("stage == 'trained'")
    assert table["block"].tolist() == [1, 2, 3]
    channels = torch.tensor([last.weight.numel() for _, last in norms])
    expected = torch.tensor([1.0, 2.0, 3.0]) * (channels - 1) / channels
    assert table["scale_mean"].tolist() == pytest.approx(expected.tolist())
    assert table["scale_lowest"].tolist() == [0, 0, 0]
    assert table["scale_highest"].tolist() == [1, 2, 3]


def test_blocks_without_a_scale_are_refused():
    model = nn.Module()
    model.blocks = nn.ModuleList([nn.Sequential(nn.Conv1d(2, 2, 3), nn.PReLU(2))])
    with pytest.raises(ValueError, match=mentions("measure=norm_scales", "normalization")):
        trained(Fixed(model, None, None))
