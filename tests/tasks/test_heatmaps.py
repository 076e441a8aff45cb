"""Loss, peaks and PCK of heat maps against slow versions and cases by hand."""

import math

import pytest
import torch
from helpers import mentions

from resexp.tasks.heatmaps import Heatmaps, gaussians, peaks

RANDOM = torch.Generator().manual_seed(0)


def joints(*rows):
    return torch.tensor([rows], dtype=torch.float32)


def test_the_loss_is_that_of_all_predictions_and_pixels():
    task = Heatmaps([16, 16], sigma=1.5)
    output = torch.randn(2, 3, 2, 8, 8, generator=RANDOM)
    target = torch.rand(2, 2, 4, generator=RANDOM) * 15
    target[:, :, 2] = torch.tensor([[2, 0], [1, 2]])
    expected = 0.0
    for image in range(2):
        for stack in range(3):
            for joint in range(2):
                x, y, visibility, _ = target[image, joint].tolist()
                x, y = (x - 0.5) / 2, (y - 0.5) / 2  # a pixel of a map covers two of the image
                for row in range(8):
                    for column in range(8):
                        there = math.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 1.5**2))
                        there = there if visibility else 0.0
                        expected += (output[image, stack, joint, row, column].item() - there) ** 2 / (2 * 64)
    assert task.loss(output, target, reduction="sum").item() == pytest.approx(expected, rel=1e-5)
    assert task.loss(output, target).item() == pytest.approx(expected / 2, rel=1e-5)


def test_a_peak_is_a_quarter_pixel_towards_the_larger_neighbour():
    maps = torch.zeros(1, 3, 5, 6)
    maps[0, 0, 2, 3], maps[0, 0, 2, 4], maps[0, 0, 1, 3] = 1.0, 0.5, 0.2  # right, up
    maps[0, 1, 2, 3] = 1.0  # neighbours are equal
    maps[0, 2, 0, 3], maps[0, 2, 0, 4] = 1.0, 0.5  # at the edge
    assert peaks(maps)[0].tolist() == [[3.25, 1.75], [3.0, 2.0], [3.0, 0.0]]


def test_peaks_of_the_targets_are_the_joints_to_a_quarter_pixel():
    where = torch.rand(4, 5, 2, generator=RANDOM) * 12 + 1.6  # off the edge
    assert (peaks(gaussians(where, (16, 16), 1.0)) - where).abs().max() <= 0.25 + 1e-5


def test_pck_by_hand():
    """Of five joints: right, within the fraction only, wrong, occluded and right, not annotated."""
    task = Heatmaps([8, 8], fraction=0.5)
    target = joints([2, 2, 2, 4], [2, 5, 2, 4], [5, 5, 2, 4], [5, 2, 1, 4], [0, 0, 0, 4])
    maps = gaussians(joints([2, 2], [3.4, 5], [2, 2], [5, 2], [5, 5]), (8, 8), 1.0)
    output = torch.stack([torch.zeros_like(maps), maps], 1)  # the last prediction counts
    tally = task.tally(output, target).tolist()
    assert tally == [2, 1, 3, 1, 1]
    columns = task.columns(tally, 1)
    assert columns["error_percent"] == pytest.approx(100 / 3)
    assert columns["strict_error_percent"] == pytest.approx(200 / 3)
    assert columns["occluded_error_percent"] == 0


def test_perfect_maps_of_a_quarter_of_the_side_find_all_joints():
    where = torch.rand(4, 5, 2, generator=RANDOM) * 50 + 7
    rest = torch.tensor([2.0, 10.0]).expand(4, 5, 2)
    task, target = Heatmaps([64, 64], fraction=0.15), torch.cat([where, rest], 2)
    maps = gaussians(task.on_map(target, 16), (16, 16), 1.0).unsqueeze(1)
    assert task.columns(task.tally(maps, target).tolist(), 4)["error_percent"] == 0
    assert task.loss(maps, target) == 0


@pytest.mark.parametrize("settings", [{"fraction": 0.0}, {"sigma": -1.0}])
def test_bad_settings_are_refused(settings):
    with pytest.raises(ValueError, match=mentions("task.fraction", "task.sigma", "0")):
        Heatmaps([8, 8], **settings)
