"""The feature pyramid against torchvision's, and what each choice leaves out."""

import pytest
import torch
from helpers import mentions
from torchvision.ops import FeaturePyramidNetwork

import resexp
from resexp.models.parts import Parts
from resexp.models.pyramid import Merge

SMALL = {"dataset": "digits_at_scales", "model__depth": 7, "model__width": 4, "model__channels": 8}


def built(**choices):
    return resexp.build_model("pyramid", **SMALL | {f"model__{k}": v for k, v in choices.items()}).eval()


def image(side=64):
    return torch.randn(2, 1, side, side, generator=torch.Generator().manual_seed(0))


def test_merged_maps_are_those_of_torchvision():
    """With its weights, on maps whose sides do not divide each other."""
    theirs = FeaturePyramidNetwork([4, 8, 16], 6)
    parts = Parts(2, torch.nn.BatchNorm2d, torch.nn.ReLU, torch.nn.Identity)
    ours = Merge([4, 8, 16], 6, levels=[0, 1, 2], lateral=True, top_down=True, parts=parts)
    for mine, other in ((ours.laterals, theirs.inner_blocks), (ours.smooth, theirs.layer_blocks)):
        for level in range(3):
            mine[str(level)].load_state_dict(other[level][0].state_dict())
    maps = [torch.randn(2, c, s, s + 2) for c, s in ((4, 15), (8, 8), (16, 4))]
    expected = theirs({str(level): x for level, x in enumerate(maps)})
    for level, x in ours(maps).items():
        assert torch.equal(x, expected[str(level)])


def reaching(model, level):
    """Levels of the bottom-up maps on which a level's merged map depends."""
    maps = [m.detach().requires_grad_() for m in model.bottom_up(image())]
    model.merge(maps)[level].sum().backward()
    return [k for k, m in enumerate(maps) if m.grad is not None and m.grad.abs().sum() > 0]


@pytest.mark.parametrize(
    ("choices", "expected"),
    [
        ({}, [[0, 1, 2], [1, 2], [2]]),
        ({"top_down": False}, [[0], [1], [2]]),
        ({"lateral": False}, [[2], [2], [2]]),
    ],
)
def test_what_reaches_each_level(choices, expected):
    assert [reaching(built(**choices), level) for level in range(3)] == expected


def test_a_single_map_needs_nothing_of_the_others():
    assert reaching(built(levels=[0]), 0) == [0, 1, 2]
    single = built(top_down=False, levels=[1])
    assert len(single.blocks) == 2, "no stage beyond the map"
    assert list(single.merge.smooth) == list(single.merge.laterals) == ["1"]


@pytest.mark.parametrize(
    ("choices", "anchors"),
    [
        ({}, 16**2 + 8**2 + 4**2),
        ({"top_down": False, "levels": [1]}, 3 * 8**2),
        ({"top_down": False, "levels": [1], "scales": [2.0, 1.0, 0.5]}, 16**2 + 8**2 + 4**2),
    ],
)
def test_anchors_of_images_and_of_maps_are_the_same(choices, anchors):
    """Sides of sqrt(8) cells of 4, 8 and 16 pixels of the image as it was given, all over it."""
    output = built(**choices)(image())
    assert output.shape == (2, 10 + 10, anchors)
    places = output[0, -6:]
    assert sorted({round(side, 3) for side in (64 * places[2]).tolist()}) == [11.314, 22.627, 45.255]
    for side in (11.314, 22.627, 45.255):
        mine = places[:2, (64 * places[2] - side).abs() < 0.01]
        torch.testing.assert_close(mine.mean(1), torch.tensor([0.5, 0.5]))


def test_levels_are_predicted_alike_by_one_head():
    model = built()
    x = torch.randn(1, 8, 4, 4)
    fine, coarse = (model.predict(x, level, 1.0, torch.Size([16 << level] * 2)) for level in (0, 1))
    torch.testing.assert_close(fine, coarse)  # shares of an image that is twice as large


def test_boxes_start_near_their_anchors_and_classes_rare():
    output = built()(image())
    assert output[:, :10].sigmoid().mean() < 0.1
    moved = (output[:, 10:12] - output[:, 14:16]).abs() / output[:, 18:]
    assert moved.median() < 1, "cells"
    assert (output[:, 12:14] / output[:, 16:18]).log().abs().median() < 1


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"levels": []}, ["model__levels"]),
        ({"levels": [0, 3]}, ["model__levels", "3"]),
        ({"scales": [0.0]}, ["model__scales", "0.0"]),
        ({"lateral": False, "top_down": False}, ["model__lateral", "model__top_down"]),
        ({"depth": 8}, ["model__depth", "8"]),
    ],
)
def test_what_does_not_fit_is_refused(choices, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        built(**choices)
