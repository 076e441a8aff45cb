"""Heat maps for pictures: what is kept of images and maps."""

import pytest
import torch
from helpers import Fixed, mentions

from resexp.measure.pose import trained


class Maps(torch.nn.Module):
    """Two predictions, of which the second has the peak of joint j at row j."""

    kind = "joints"

    def forward(self, x):
        maps = torch.zeros(len(x), 2, 3, 4, 4)
        for joint in range(3):
            maps[:, 1, joint, joint, 2] = 1.0 - 0.25 * joint
        return maps


def test_the_last_predictions_maps_are_kept_in_percent():
    x = torch.arange(64.0).view(1, 1, 8, 8).repeat(3, 1, 1, 1)
    joints = torch.tensor([[1.0, 2, 2, 9], [3, 4, 1, 9], [5, 6, 0, 9]]).repeat(3, 1, 1)
    tables = trained(Fixed(Maps(), x, joints), pictures=2)
    pictures = tables["pictures"].set_index(["picture", "kind", "row"])["values"]
    assert pictures[1, "joint-1", 1] == "0 0 75 0"
    assert pictures[1, "joint-1", 0] == "0 0 0 0"
    grey = [int(value) for row in range(8) for value in pictures[0, "image", row].split()]
    assert grey == [round(255 * k / 63) for k in range(64)]
    assert tables["joints"].values.tolist()[:2] == [[0, 0, 1, 2, 2], [0, 1, 3, 4, 1]]
    assert set(tables["joints"]["picture"]) == {0, 1}


def test_a_network_without_heat_maps_is_refused():
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match=mentions("measure=pose", "model=hourglass")):
        trained(Fixed(torch.nn.Identity(), x, torch.zeros(1)), pictures=1)
