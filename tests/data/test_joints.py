"""Figures and keypoints: what is where, what is mirrored, which files are refused."""

import numpy as np
import pytest
import torch
from helpers import mentions

from resexp.data import figures, keypoints
from resexp.data.joints import Mirror

GENERATOR = {"size": 64, "seed": 3, "mirror": False}


@pytest.fixture(scope="module")
def drawn():
    return figures.load(train_size=24, test_size=4, **GENERATOR)


def test_the_same_seed_draws_the_same_and_the_test_images_follow(drawn):
    again = figures.load(train_size=26, test_size=2, **GENERATOR)
    assert torch.equal(again.inputs[24:], drawn.test_inputs[:2])
    assert torch.equal(again.targets[:24], drawn.targets)
    assert not torch.equal(drawn.inputs[0], drawn.inputs[1])
    assert figures.fingerprint() == figures.fingerprint()


def test_limbs_are_rigid_and_the_reference_is_the_torso(drawn):
    x = drawn.targets[:, :, :2]
    length = {pair: (x[:, pair[0]] - x[:, pair[1]]).norm(dim=1) for pair in ((1, 2), (3, 4), (9, 10), (3, 8))}
    torch.testing.assert_close(length[1, 2], length[3, 4])  # both thighs
    torch.testing.assert_close(length[9, 10] / length[1, 2], torch.full((24,), figures.ARM / figures.THIGH))
    torch.testing.assert_close(length[3, 8][:, None].expand(-1, 14), drawn.targets[:, :, 3])
    assert length[1, 2].std() > 0.2, "figures differ in size"


def test_visible_joints_lie_on_the_figure_and_some_are_occluded(drawn):
    """A figure has one tone to 15 %: wrist and head are about equally bright where both are visible."""
    visibility = drawn.targets[:, :, 2]
    assert set(visibility.unique().tolist()) <= {0.0, 1.0, 2.0}
    assert 0.02 < (visibility == 1).float().mean() < 0.3
    for image, joints in zip(drawn.inputs[:, 0].float() / 255, drawn.targets, strict=True):
        seen = joints[joints[:, 2] == 2].round().long()
        tones = image[seen[:, 1], seen[:, 0]]
        assert tones.median() > 0.45
        assert (tones - tones.median()).abs().median() < 0.12


def test_mirroring_exchanges_left_and_right_in_image_and_joints():
    x = torch.arange(8.0).view(1, 1, 1, 8).repeat(64, 1, 1, 1)
    joints = torch.tensor([[1.0, 0, 2, 5], [6.0, 0, 1, 5]]).repeat(64, 1, 1)
    moved, found = Mirror([1, 0])(x, joints, torch.Generator().manual_seed(0))
    mirrored = moved[:, 0, 0, 0] == 7
    assert 16 < mirrored.sum() < 48
    assert found[mirrored][0].tolist() == [[1, 0, 1, 5], [6, 0, 2, 5]]
    assert torch.equal(found[~mirrored], joints[~mirrored])


def test_a_mirrored_figure_is_still_a_figure_that_faces_the_viewer(drawn):
    """The right hip is left of the left hip, before and after."""
    joints = Mirror(figures.MIRRORED)(torch.zeros(24, 1, 64, 64), drawn.targets, torch.Generator())[1]
    assert not torch.equal(joints, drawn.targets)
    right, left = figures.JOINTS.index("right hip"), figures.JOINTS.index("left hip")
    assert (joints[:, right, 0] < joints[:, left, 0]).all()


def test_a_mirror_that_is_not_its_own_inverse_is_refused():
    with pytest.raises(ValueError, match=mentions("mirror", "[1, 2, 0]")):
        Mirror([1, 2, 0])


ARRAYS = {
    "image": np.arange(6 * 8 * 8 * 3, dtype=np.uint8).reshape(6, 8, 8, 3),
    "joints": np.tile([[1.5, 2.0, 2], [np.nan, np.nan, 0], [3.0, 4.0, 1]], (6, 1, 1)),
    "length": np.full(6, 3.0),
    "mirrored": np.array([2, 1, 0]),
}


def test_a_file_is_read_as_it_is(tmp_path):
    np.savez(tmp_path / "keypoints.npz", **ARRAYS)
    data = keypoints.load(str(tmp_path), test_every=3, mirror=True)
    assert data.inputs.shape == (4, 3, 8, 8)
    assert data.classes == 3
    assert torch.equal(data.test_inputs[0], torch.from_numpy(ARRAYS["image"][2]).permute(2, 0, 1))
    assert data.targets[0].tolist() == [[1.5, 2, 2, 3], [0, 0, 0, 3], [3, 4, 1, 3]]
    assert data.augment == Mirror([2, 1, 0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": ARRAYS["image"].astype(float)}, ("image", "uint8", "float64")),
        ({"joints": ARRAYS["joints"][:, :, :2]}, ("joints", "(6, joints, 3)", "(6, 3, 2)")),
        ({"joints": ARRAYS["joints"] + 2}, ("visibility", "0, 1 or 2")),
        ({"length": np.zeros(6)}, ("length", "above 0")),
        ({"mirrored": np.array([0, 1])}, ("mirrored", "3", "(2,)")),
        ({"length": None}, ("npz", "length")),
        ({"mirrored": None}, ("mirrored", "dataset.load.mirror=false")),
    ],
)
def test_other_files_are_refused(tmp_path, change, words):
    np.savez(tmp_path / "a.npz", **{k: v for k, v in (ARRAYS | change).items() if v is not None})
    with pytest.raises(ValueError, match=mentions(*words)):
        keypoints.load(str(tmp_path / "a.npz"), test_every=3, mirror=True)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"text"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "keypoints.npz").write_bytes(content)
    with pytest.raises(ValueError, match=mentions("keypoints.npz", "npz")):
        keypoints.load(str(tmp_path), test_every=3, mirror=True)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match=mentions("dataset.root", "dataset=figures")):
        keypoints.load(str(tmp_path), test_every=3, mirror=True)


def test_a_share_of_test_images_that_leaves_none_is_refused(tmp_path):
    np.savez(tmp_path / "keypoints.npz", **ARRAYS)
    with pytest.raises(ValueError, match=mentions("dataset.load.test_every", "2..6", "7")):
        keypoints.load(str(tmp_path), test_every=7, mirror=True)
