from functools import partial

import numpy as np
import pytest
import torch
from helpers import mentions

from resexp.data.batches import Batches
from resexp.data.dataset import Dataset
from resexp.data.preprocess import by_channel, channel_statistics, crop_and_flip, normalizer


def rows(count=10, batch_size=4, seed=0):
    x = torch.arange(count)
    generator = torch.Generator().manual_seed(seed)
    return Batches(x, x, batch_size, lambda x, y, g: (x + torch.rand(1, generator=g), y), generator)


def test_every_example_once_per_epoch_whatever_the_batch_size():
    batches = rows(10, 4)
    seen = torch.cat([batches.next()[1] for _ in range(15)])  # six epochs of ten
    for epoch in seen.split(10):
        assert sorted(epoch.tolist()) == list(range(10))


def test_the_same_batches_follow_a_saved_state():
    batches = rows()
    for _ in range(4):
        batches.next()
    state = batches.state_dict()
    expected = [batches.next() for _ in range(7)]
    other = rows(seed=9)
    other.load_state_dict(state)
    for (x, y), (a, b) in zip(expected, [other.next() for _ in range(7)], strict=True):
        assert torch.equal(x, a)
        assert torch.equal(y, b)


@pytest.mark.parametrize("size", [0, 11, -1])
def test_batch_sizes_that_cannot_be_drawn_are_refused(size):
    with pytest.raises(ValueError, match=mentions("batch_size", "1..10", str(size))):
        rows(10, size)


def images(generator, count=300):
    return torch.randint(0, 256, (count, 3, 8, 6), generator=generator, dtype=torch.uint8)


def test_channel_statistics_are_numpys(generator):
    x = images(generator)
    mean, std = channel_statistics(x)
    as_numpy = x.numpy().astype(np.float64) / 255
    np.testing.assert_allclose(mean, as_numpy.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(std, as_numpy.std((0, 2, 3)), rtol=1e-12)


def test_normalizer_subtracts_each_pixels_mean(generator):
    x = images(generator)
    y = normalizer(x)(x)
    torch.testing.assert_close(y.mean(0), torch.zeros(3, 8, 6), atol=1e-5, rtol=0)
    as_numpy = x.numpy().astype(np.float64)
    std = as_numpy.std((0, 2, 3))[:, None, None]
    np.testing.assert_allclose(y, (as_numpy - as_numpy.mean(0)) / std, atol=1e-5)


def test_sequences_pass_as_they_are():
    x = torch.randn(4, 1, 5, generator=torch.Generator().manual_seed(0))
    assert normalizer(x)(x) is x


def test_crop_and_flip_shows_only_windows_of_the_padded_image(generator):
    x = torch.randn(64, 2, 5, 7, generator=generator)
    y = crop_and_flip(x, padding=2, flip=True, generator=generator)
    padded = torch.nn.functional.pad(x, [2] * 4)
    places, flips = set(), 0
    for image, result in zip(padded, y, strict=True):
        windows = {
            (r, c, mirrored): (w.flip(2) if mirrored else w)
            for r in range(5)
            for c in range(5)
            for w in [image[:, r : r + 5, c : c + 7]]
            for mirrored in (False, True)
        }
        (match,) = [place for place, window in windows.items() if torch.equal(window, result)]
        places.add(match[:2])
        flips += match[2]
    assert len(places) > 15, "of 25 places, 64 images show most"
    assert 16 < flips < 48, "half of them mirrored"


def test_nothing_to_do_changes_nothing(generator):
    x = torch.randn(4, 1, 5, 5, generator=generator)
    assert torch.equal(crop_and_flip(x, padding=0, flip=False, generator=generator), x)


def test_hold_out_is_a_fixed_partition():
    x = torch.arange(50)
    data = Dataset(x, x, x, x)
    rest = data.holding_out(20)
    assert torch.equal(rest.val_inputs, rest.val_targets)
    assert sorted([*rest.targets.tolist(), *rest.val_targets.tolist()]) == list(range(50))
    assert torch.equal(data.holding_out(20).val_inputs, rest.val_inputs)
    assert data.holding_out(0) is data
    assert (data.split_names, rest.split_names) == (("test",), ("test", "val"))


def test_other_data_or_another_order_is_not_resumed_on():
    state = rows().state_dict()
    rows(seed=9).load_state_dict(state)
    other = rows()
    other.inputs = other.inputs.flip(0)
    with pytest.raises(ValueError, match=mentions("dataset.root", "data", "order")):
        other.load_state_dict(state)
    del state["data"]  # as earlier versions wrote it
    other.load_state_dict(state)


@pytest.mark.parametrize("size", [-1, 50])
def test_hold_out_must_leave_something(size):
    x = torch.arange(50)
    with pytest.raises(ValueError, match=mentions("dataset.val_size", "0..49", str(size))):
        Dataset(x, x, x, x).holding_out(size)


def test_given_statistics_are_those_of_torchvision(generator):
    from torchvision.transforms.functional import normalize

    x, mean, std = images(generator, 5), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    expected = normalize(x / 255, mean, std)
    torch.testing.assert_close(by_channel(x, mean=mean, std=std)(x), expected)
    data = Dataset(x, x[:, 0, 0, 0], x, x[:, 0, 0, 0]).normalized(partial(by_channel, mean=mean, std=std))
    ((batch, _),) = data.to(torch.device("cpu")).holding_out(2).split("test", 5)
    torch.testing.assert_close(batch, expected)


@pytest.mark.parametrize("inputs", [torch.zeros(2, 1, 9), torch.zeros(2, 1, 4, 4, dtype=torch.uint8)])
def test_given_statistics_of_other_inputs_are_refused(inputs):
    with pytest.raises(ValueError, match=mentions("normalization.mean", "normalization.std", "3", "1")):
        by_channel(inputs, mean=[0.5] * 3, std=[0.2] * 3)
