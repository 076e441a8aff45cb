"""Dense targets: planes from instance labels, and augmentation of inputs and targets alike."""

import numpy as np
import pytest
import torch
from helpers import mentions
from PIL import Image

from resexp.data import cells, em_volume, nuclei, tissue
from resexp.data.deform import Deform
from resexp.data.dense import Dense, as_they_are, standardized
from resexp.data.instances import border_weights, separated

LABELS = np.zeros((20, 20), dtype=np.int32)
LABELS[2:9, 2:9], LABELS[2:9, 9:15], LABELS[13:18, 4:9] = 1, 2, 3


def test_touching_instances_are_parted_and_others_stay():
    inside = separated(LABELS)
    assert not inside[2:9, 8:10].any(), "where 1 and 2 touch"
    assert inside[2:9, 2:8].all()
    assert (inside[10:] == (LABELS[10:] > 0)).all()


def test_border_weights_are_those_of_the_formula():
    """By the distances to every pixel of every instance."""
    found = border_weights(LABELS, 10.0, 5.0)
    inside = separated(LABELS)
    for y, x in np.ndindex(LABELS.shape):
        to = [np.hypot(*(np.argwhere(k == LABELS) - [y, x]).T).min() for k in (1, 2, 3)]
        d1, d2, _ = sorted(to)
        expected = 0 if inside[y, x] else 10 * np.exp(-((d1 + d2) ** 2) / 50)
        assert found[y, x] == pytest.approx(expected, abs=1e-12)


def test_each_example_is_standardized_by_itself_over_all_channels(generator):
    x = torch.randint(0, 200, (3, 2, 5, 4), generator=generator, dtype=torch.uint8)
    x[1], x[:, 1] = x[1] // 8, x[:, 1] // 2 + 100
    for found, example in zip(standardized(x).numpy(), x.numpy(), strict=True):
        np.testing.assert_allclose(found, (example - example.mean()) / example.std(ddof=1), atol=1e-4)


def test_a_crop_is_a_window_of_the_image_or_of_its_mirror_images(generator):
    """All of them occur: 3 x 2 windows, each with four mirror images."""
    x = torch.rand(1, 1, 7, 6, generator=generator)
    windows = x[0, 0].unfold(0, 5, 1).unfold(1, 5, 1).reshape(-1, 5, 5)
    expected = torch.stack([windows.flip(axes) for axes in ([], [1], [2], [1, 2])]).view(-1, 25)
    made = Deform(crop=5, flips=True, elastic=0.0)
    found, targets = made(x.expand(400, 1, 7, 6), x.expand(400, 1, 7, 6), generator)
    for moved in (found, targets):
        distances = (moved.reshape(400, 1, 25) - expected).abs().amax(2)
        assert distances.min(1).values.max() < 1e-4
        assert distances.argmin(1).unique().tolist() == list(range(24))


def test_between_the_nodes_displacements_are_cubic():
    """Keys' convolution with a = -0.75 from 3 x 3 nodes, one axis after the other; nodes outside repeat."""
    made, crop = Deform(crop=9, flips=False, elastic=2.0), 9
    places = made.places(1, torch.Size([9, 9]), torch.Generator().manual_seed(3))[0]
    drawn = torch.Generator().manual_seed(3)
    torch.rand(1, 1, 1, 2, generator=drawn)  # where the crop lies
    coarse = torch.randn(1, 2, 3, 3, generator=drawn)[0].double()

    def kernel(d, a=-0.75):
        near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
        return near if d <= 1 else far if d < 2 else 0.0

    weights = torch.zeros(crop, 3, dtype=torch.float64)
    for pixel in range(crop):
        for node in range(-2, 5):
            weights[pixel, min(max(node, 0), 2)] += kernel(abs(pixel / 4 - node))
    pixels = torch.arange(9.0)
    for axis, rest in enumerate(torch.meshgrid(pixels, pixels, indexing="ij")):
        expected = rest + 2 * weights @ coarse[axis] @ weights.T
        torch.testing.assert_close(places[..., axis].double(), expected, atol=1e-4, rtol=0)


def test_numbers_of_instances_are_not_mixed_by_a_deformation(generator):
    targets = torch.tensor([0.0, 7.0, 301.0])[torch.randint(0, 3, (2, 1, 24, 24), generator=generator)]
    _, moved = Deform(crop=24, flips=True, elastic=3.0)(targets, targets, generator)
    assert moved.unique().tolist() == [0, 7, 301]


def test_inputs_and_targets_move_alike():
    """Targets that are the inputs themselves stay so: to rounding where nothing lies between pixels."""
    x = torch.rand(3, 1, 24, 24, generator=torch.Generator().manual_seed(0))
    made = Deform(crop=16, flips=True, elastic=0.0)
    moved, targets = made(x, x.clone(), torch.Generator().manual_seed(1))
    assert moved.shape == (3, 1, 16, 16)
    torch.testing.assert_close(moved, targets, atol=1e-4, rtol=0)
    values = x.flatten(1).sort(1).values
    for one, own in zip(moved.flatten(1), values, strict=True):
        assert (own.unsqueeze(0) - one.unsqueeze(1)).abs().min(1).values.max() < 1e-4, "its own pixels"


def test_an_elastic_deformation_has_its_deviation_and_repeats():
    made = Deform(crop=32, flips=False, elastic=3.0)
    places = made.places(400, torch.Size([32, 32]), torch.Generator().manual_seed(0))
    rest = Deform(crop=32, flips=False, elastic=0.0).places(1, torch.Size([32, 32]), torch.Generator())
    corners = (places - rest)[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.std().item() == pytest.approx(3.0, rel=0.05), "at the nodes of the grid"
    again = made.places(400, torch.Size([32, 32]), torch.Generator().manual_seed(0))
    assert torch.equal(places, again)


def test_volumes_deform_too():
    x = torch.rand(1, 1, 8, 8, 8)
    moved, targets = Deform(crop=6, flips=True, elastic=1.0)(x, x, torch.Generator().manual_seed(0))
    assert moved.shape == targets.shape == (1, 1, 6, 6, 6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"crop": 0}, ["augment.crop", "0"]), ({"elastic": -1.0}, ["augment.elastic", "-1.0"])],
)
def test_a_deformation_is_refused(settings, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        Deform(**{"crop": 8, "flips": True, "elastic": 0.0} | settings)


def test_a_crop_larger_than_the_images_is_refused():
    x = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match=mentions("augment.crop", "8", "9")):
        Deform(crop=9, flips=False, elastic=0.0)(x, x, torch.Generator())


SIZES = {"size": 32, "train_size": 3, "test_size": 2, "border_weight": 0.0, "border_width": 5.0}


def test_generated_cells_repeat_and_are_brighter_than_their_surroundings():
    made, again = (cells.load(**SIZES, seed=1, augment=as_they_are) for _ in range(2))
    assert torch.equal(made.inputs, again.inputs)
    assert not torch.equal(made.inputs[:2], made.test_inputs), "test images are others"
    instance = made.targets[:, 2:3] > 0
    assert made.inputs[instance].float().mean() > 2 * made.inputs[~instance].float().mean()
    assert len(made.targets[0, 2].unique()) > 2


def folder(path, sizes=((16, 16),) * 6):
    for name in ("image", "label"):
        (path / name).mkdir()
    for index, size in enumerate(sizes):
        labels = np.zeros(size, dtype=np.uint16)
        labels[2:6, 2:6] = 300 + index
        Image.fromarray((labels > 0).astype(np.uint8) * 200).save(path / "image" / f"{index}.png")
        Image.fromarray(labels).save(path / "label" / f"{index}.png")
    return path


def load(path):
    return nuclei.load(str(path), test_every=3, border_weight=0.0, border_width=5.0, augment=as_they_are)


def test_nuclei_are_read_from_folders(tmp_path):
    found = load(folder(tmp_path))
    assert (len(found.inputs), len(found.test_inputs)) == (4, 2)
    assert found.test_targets[:, 2].flatten(1).max(1).values.tolist() == [302, 305], "16 bit, in order"
    assert found.inputs.unique().tolist() == [0, 200]


def test_nuclei_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match=mentions("image/", "dataset.root")):
        load(tmp_path)
    folder(tmp_path, sizes=((16, 16),) * 5 + ((16, 18),))
    with pytest.raises(ValueError, match=mentions("sizes")):
        load(tmp_path)
    (tmp_path / "label" / "5.png").write_bytes(b"damaged")
    with pytest.raises(ValueError, match=mentions("5.png", "damaged")):
        load(tmp_path)
    Image.new("L", (16, 16)).save(tmp_path / "label" / "4.tif")
    with pytest.raises(ValueError, match=mentions("4.png", "suffix")):
        load(tmp_path)
    (tmp_path / "label" / "4.tif").unlink()
    (tmp_path / "label" / "5.png").unlink()
    with pytest.raises(ValueError, match=mentions("5", "label/")):
        load(tmp_path)


def test_labels_that_change_are_other_data(tmp_path):
    folder(tmp_path)
    before = nuclei.fingerprint(str(tmp_path))
    Image.fromarray(np.full((16, 16), 5, dtype=np.uint16)).save(tmp_path / "label" / "3.png")
    assert nuclei.fingerprint(str(tmp_path)) != before


def test_generated_tissue_has_dark_membranes_between_its_cells():
    made = tissue.load(side=16, train_size=2, test_size=1, cells=6, seed=0, augment=as_they_are)
    assert made.inputs.shape == (2, 1, 16, 16, 16)
    inside = made.targets[:, :1] > 0
    assert made.inputs[inside].float().mean() > 1.2 * made.inputs[~inside].float().mean()
    assert (made.targets[:, 2] > 0).all()


def test_a_volume_is_cut_into_cubes_and_its_last_slices_are_for_testing(tmp_path):
    image = np.arange(10 * 8 * 9, dtype=np.int64).reshape(10, 8, 9) % 251
    labels = np.ones((10, 8, 9), dtype=np.uint32)
    np.savez(tmp_path / "volume.npz", image=image.astype(np.uint8), labels=labels)
    found = em_volume.load(str(tmp_path), side=4, test_share=0.5, augment=as_they_are)
    assert (len(found.inputs), len(found.test_inputs)) == (4, 4)
    assert (found.inputs[0, 0].numpy() == image[:4, :4, :4]).all()
    assert (found.test_inputs[-1, 0].numpy() == image[5:9, 4:8, 4:8]).all()
    with pytest.raises(ValueError, match=mentions("dataset.load.side", "6")):
        em_volume.load(str(tmp_path), side=6, test_share=0.5, augment=as_they_are)


def test_test_volumes_may_have_sides_of_their_own(tmp_path):
    image = np.arange(10 * 8 * 9, dtype=np.int64).reshape(10, 8, 9) % 251
    np.savez(tmp_path / "volume.npz", image=image.astype(np.uint8), labels=np.ones((10, 8, 9), dtype=int))
    given = {"test_share": 0.5, "augment": as_they_are}
    found = em_volume.load(str(tmp_path), side=[5, 4, 3], test_side=[4, 8, 9], **given)
    assert found.inputs.shape == (1 * 2 * 3, 1, 5, 4, 3)
    assert (found.test_inputs[0, 0].numpy() == image[5:9]).all()
    for wrong in ([4, 8, 10], [4, 8], [0, 8, 9]):
        with pytest.raises(ValueError, match=mentions("dataset.load.side", *map(str, wrong))):
            em_volume.load(str(tmp_path), side=4, test_side=wrong, **given)


@pytest.mark.parametrize(("side", "at_a_time"), [(32, 8), (64, 4), (128, 1)])
def test_large_volumes_are_evaluated_one_by_one(side, at_a_time):
    small, large = torch.zeros(1, 1, 8, 8, 8), torch.zeros(1, 1, side, side, side)
    assert Dense(small, small, large, large).evaluation_batch == at_a_time


def test_bodies_stay_apart_and_without_a_zero_there_is_no_background(tmp_path):
    """Numbers of bodies in FlyEM's volumes are beyond what float32 holds."""
    labels = np.full((8, 4, 4), 2**40 + 1, dtype=np.uint64)
    labels[:, 2:] = 2**40 + 2
    planes = {}
    for zero in (False, True):
        labels[:, :, 3] = 0 if zero else labels[:, :, 0]
        np.savez(tmp_path / "volume.npz", image=np.zeros((8, 4, 4), dtype=np.uint8), labels=labels)
        found = em_volume.load(str(tmp_path), side=4, test_share=0.5, augment=as_they_are)
        planes[zero] = found.targets[0, 2].numpy()
    assert planes[False].min() > 0
    assert len(np.unique(planes[False])) == 2
    assert ((planes[True] > 0) == (labels[:4] > 0)).all()
    assert len(np.unique(planes[True])) == 3


def test_a_volume_that_is_cut_anywhere_is_refused(tmp_path):
    path = tmp_path / "volume.npz"
    np.savez_compressed(path, image=np.zeros((4, 4, 4), dtype=np.uint8), labels=np.ones((4, 4, 4), dtype=int))
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=mentions("volume.npz", "labels")):
            em_volume.load(str(path), side=4, test_share=0.5, augment=as_they_are)


def test_a_volume_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match=mentions("volume.npz", "dataset.root")):
        em_volume.load(str(tmp_path), side=4, test_share=0.5, augment=as_they_are)
    np.savez(tmp_path / "volume.npz", image=np.zeros((4, 4, 4)), labels=np.zeros((4, 4, 4), dtype=int))
    with pytest.raises(ValueError, match=mentions("uint8", "float64")):
        em_volume.load(str(tmp_path), side=4, test_share=0.5, augment=as_they_are)
