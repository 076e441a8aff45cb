"""Sums of placed digits: where they lie, what they sum to, the same batches after an interruption."""

import math
from dataclasses import replace

import pytest
import torch
from helpers import mentions

from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.data.digit_pairs import Placing
from resexp.data.font_digits import digits
from resexp.data.mnist_addition import embedded, sums
from resexp.experiments import build
from resexp.experiments.checks import check

PLAIN = {"crop_padding": 0, "flip": False}
OPTIONS = {"size": [42, 42], "rotation": 45.0, "scale": [0.7, 1.2], "examples": 100, "test_size": 50, **PLAIN}


def batches(seed=0, size=20, source=None):
    return (source or embedded(**OPTIONS)).batches(size, **PLAIN, seed=seed)


def test_a_placed_digit_is_turned_scaled_and_moved(generator):
    """Each pixel of a batch against its place worked out in pixels, one after the other."""
    placing = Placing((7, 8), 45.0, (0.7, 1.2))
    image = torch.randint(0, 256, (1, 2, 4, 4), generator=generator, dtype=torch.uint8)
    state = generator.get_state()
    maps = placing.draw(1, 4, generator)
    generator.set_state(state)
    drawn = torch.rand((1, 2, 4), generator=generator).double()[0]
    values = image[0].tolist()
    found, expected = placing.render(image, maps)[0], torch.zeros(2, 7, 8)
    for k, (turn, size, right, down) in enumerate(drawn.tolist()):
        angle, scale = math.radians(45) * (2 * turn - 1), 0.7 + 0.5 * size
        room = [max(0.0, side - 4 * scale) / 2 for side in (8, 7)]
        center = [8 / 2 + (2 * right - 1) * room[0], 7 / 2 + (2 * down - 1) * room[1]]
        for row in range(7):
            for column in range(8):
                x, y = (column + 0.5 - center[0]) / scale, (row + 0.5 - center[1]) / scale
                u = math.cos(angle) * x + math.sin(angle) * y + 1.5  # counted in the image's pixels
                v = -math.sin(angle) * x + math.cos(angle) * y + 1.5
                for n in range(4):
                    for m in range(4):
                        near = max(0.0, 1 - abs(u - m)) * max(0.0, 1 - abs(v - n))
                        expected[k, row, column] += near * values[k][n][m] / 255
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_unturned_at_its_own_size_a_digit_is_itself_and_sums_add_up():
    """Every input is found among the digits, and their values give the target."""
    x, y = digits("train")
    source = embedded(**OPTIONS | {"size": [28, 28], "rotation": 0.0, "scale": [1.0, 1.0]})
    inputs, targets = source.batches(20, **PLAIN, seed=0).next()
    for pair, target in zip(inputs, targets, strict=True):
        distance = (pair[:, None] - x[:, 0] / 255).abs().amax((2, 3))  # (2, digits)
        assert distance.min(1).values.max() < 1e-5
        assert y[distance.argmin(1)].sum() == target


def test_all_sums_come_as_often_as_two_dice_of_ten_faces():
    source = embedded(**OPTIONS | {"size": [2, 2], "examples": 20_000})
    _, targets = source.batches(20_000, **PLAIN, seed=0).next()
    share = torch.bincount(targets, minlength=19) / 20_000
    expected = torch.tensor([(10 - abs(9 - total)) / 100 for total in range(19)])
    assert (share - expected).abs().max() < 4 * (0.1 * 0.9 / 20_000) ** 0.5
    assert len(share) == 19


def test_digits_stay_on_their_canvas():
    """The ink, but for what rotation turns over the edge."""
    white = torch.full((1, 1, 28, 28), 255, dtype=torch.uint8)
    own = (white, torch.zeros(1, dtype=torch.int64))
    inputs, _ = batches(source=sums(own, own, **OPTIONS | {"rotation": 0.0})).next()
    ink = inputs.sum((2, 3))
    assert ink.min() > (0.7 * 28) ** 2 * 0.98
    assert ink.max() < (1.2 * 28) ** 2 * 1.02


def test_restored_state_continues_with_the_same_batches():
    sampler = batches()
    sampler.next()
    state = sampler.state_dict()
    later = [sampler.next() for _ in range(3)]
    other = batches(seed=9)
    other.load_state_dict(state)
    for (x, y), (again, sums_again) in zip(later, [other.next() for _ in range(3)], strict=True):
        assert torch.equal(x, again)
        assert torch.equal(y, sums_again)
    assert not torch.equal(later[0][0], later[1][0])


def test_the_state_of_other_digits_is_refused():
    source = embedded(**OPTIONS)
    state = batches(source=source).state_dict()
    with pytest.raises(ValueError, match=mentions("other data", "dataset.root")):
        batches(source=replace(source, values=source.values.flip(0))).load_state_dict(state)


def test_an_interrupted_run_ends_in_the_same_numbers():
    overrides = ["dataset=mnist_addition_embedded", "model=stn", "batch_size=8", "dataset.load.test_size=20"]
    config = resolve(compose("train", overrides))
    whole, first, second = (build.trainer(config, torch.device("cpu")) for _ in range(3))
    for _ in range(4):
        whole.train_step()
    for _ in range(2):
        first.train_step()
    second.load_state_dict(first.state_dict())
    for _ in range(2):
        second.train_step()
    assert second.read_interval()["train_loss"] == whole.read_interval()["train_loss"]
    assert second.evaluate_splits() == whole.evaluate_splits()


def test_a_blank_batch_has_the_form_of_a_real_one():
    source = embedded(**OPTIONS)
    for blank, real in zip(source.blank(20), batches(source=source).next(), strict=True):
        assert (blank.shape, blank.dtype) == (real.shape, real.dtype)
        assert not blank.any()
    assert source.shape == source.blank(1)[0].shape[1:]


def test_test_pairs_are_fixed_and_of_other_faces():
    source = embedded(**OPTIONS)
    once, again = list(source.split("test", 20)), list(source.split("test", 50))
    assert torch.equal(torch.cat([x for x, _ in once]), again[0][0])
    assert [len(y) for _, y in once] == [20, 20, 10]
    assert not torch.equal(next(iter(source.split("train", 50)))[0], again[0][0])
    train, test = ({x.numpy().tobytes() for x in digits(split)[0]} for split in ("train", "test"))
    assert not train & test


def test_mnist_is_read_as_it_is_for_itself(tmp_path):
    config = resolve(compose("train", ["dataset=mnist_addition", f"dataset.root={tmp_path}/none"]))
    with pytest.raises(ValueError, match=mentions("dataset.root")):
        make(config["dataset"]["load"], "dataset.load")


@pytest.mark.parametrize(
    ("option", "value", "named"),
    [
        ("rotation", -1.0, ["dataset.load.rotation", "0..180", "-1.0"]),
        ("scale", [1.2, 0.7], ["dataset.load.scale", "[1.2, 0.7]"]),
        ("scale", [1.0], ["dataset.load.scale", "[1.0]"]),
        ("examples", 0, ["dataset.load.examples", "1", "0"]),
        ("test_size", 0, ["dataset.load.test_size", "1", "0"]),
    ],
)
def test_settings_that_place_nothing_are_refused(option, value, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        embedded(**OPTIONS | {option: value})


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["dataset.val_size=5"], ["dataset.val_size", "0", "5"]),
        (["dataset.flip=true"], ["dataset.flip", "dataset.crop_padding"]),
        (["dataset.crop_padding=2"], ["dataset.flip", "dataset.crop_padding"]),
        (["batch_size=60001"], ["batch_size", "60001"]),
        (
            ["normalization=imagenet", "normalization.mean=[0,0]", "normalization.std=[1,1]"],
            ["normalization"],
        ),
    ],
)
def test_what_pairs_do_not_have_is_refused(overrides, named):
    config = resolve(compose("train", ["dataset=mnist_addition_embedded", "model=fcn", *overrides]))
    with pytest.raises(ValueError, match=mentions(*named)):
        check(config)
