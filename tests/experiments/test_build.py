import numpy as np
import pytest
import torch
from helpers import mentions
from torch import nn

import resexp
from resexp.config.compose import compose, resolve
from resexp.experiments import build
from resexp.experiments.data import load_dataset


def config(*overrides):
    return resolve(compose("train", list(overrides)))


def test_build_model_for_notebooks():
    model = resexp.build_model("resnet56", norm="group", dataset="cifar10")
    assert any(isinstance(m, nn.GroupNorm) for m in model.modules())
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 10)
    deep = resexp.build_model("plain", model__depth=110, dataset="cifar100")
    assert sum(p.numel() for p in deep.parameters()) == 1_727_962 + 65 * 90


@pytest.mark.parametrize(
    ("choices", "named"),
    [
        ({"name": "resnet57"}, ["model=resnet57", "resnet56?", "densenet"]),
        ({"name": "resnet20", "norm": "bach"}, ["norm=bach", "batch?", "group"]),
        ({"name": "resnet20", "model__depth": 21}, ["model__depth", "6n+2", "21"]),
        ({"name": "densenet", "block": "bottleneck"}, ["model=densenet", "block=..."]),
        ({"name": "resnet20", "model": "plain20"}, ["resnet20", "plain20"]),
        ({"name": "resnet", "depth": 20}, ["depth", "model__depth?"]),
        ({"name": "resnet20", "model__width": 0}, ["model__width", "1", "0"]),
    ],
)
def test_build_model_says_what_there_is(choices, named):
    with pytest.raises(ValueError, match=mentions(*named)):
        resexp.build_model(**choices)


def test_the_seed_draws_the_weights_and_nothing_global():
    before = torch.get_rng_state()
    a, b, c = (resexp.build_model("resnet20", seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        assert torch.equal(p, q)
    assert not torch.equal(a.head.weight, c.head.weight)


def test_building_a_model_leaves_the_generators_of_gpus_alone(monkeypatch):
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda seed: pytest.fail("reseeded"))
    resexp.build_model("resnet20", seed=3)


def test_global_generators_are_set_under_the_lock_alone(monkeypatch):
    """Runs side by side share them: one must not seed while another draws its layers."""
    settings, seeded, restored = config("seed=7"), torch.manual_seed, torch.set_rng_state
    calls = []

    def held(function):
        def call(argument):
            assert build._BUILDING.locked()
            calls.append(function)
            return function(argument)

        return call

    monkeypatch.setattr(torch, "manual_seed", held(seeded))
    monkeypatch.setattr(torch, "set_rng_state", held(restored))
    trainer = build.trainer(settings, torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), torch.Generator().manual_seed(7).get_state())
    build.restore(trainer, trainer.state_dict())
    assert {seeded, restored} <= set(calls)


def test_models_of_one_depth_share_their_draws():
    plain, residual = (resexp.build_model(name, dataset="cifar10") for name in ("plain20", "resnet20"))
    for p, q in zip(plain.parameters(), residual.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_validation_split_is_evaluated_beside_the_test_split():
    trainer = build.trainer(config("dataset.val_size=500", "schedule.steps=2"), torch.device("cpu"))
    trainer.train_step()
    assert list(trainer.evaluate_splits()) == [
        "test_loss",
        "test_error_percent",
        "val_loss",
        "val_error_percent",
    ]
    assert trainer.batches.examples == 3500


def test_test_images_are_normalized_by_the_training_images_statistics():
    """He et al. 2015, section 4.2: the mean of each pixel; and each channel's deviation, by numpy."""
    settings = config(
        "dataset=fake", "dataset.load.train_size=64", "dataset.load.test_size=32", "batch_size=8"
    )
    source = load_dataset(settings)
    train, test = (x.numpy().astype(np.float64) for x in (source.inputs, source.test_inputs))
    expected = (test - train.mean(axis=0)) / train.std(axis=(0, 2, 3)).reshape(-1, 1, 1)
    x, _ = next(iter(build.trainer(settings, torch.device("cpu")).splits["test"]))
    np.testing.assert_allclose(x.numpy(), expected[: len(x)], atol=1e-5)
