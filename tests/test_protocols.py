"""The published protocols, asserted of composed settings and of what is made from them."""

import pytest
import torch
from mnist1d.data import get_dataset_args

from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make


def composed(*overrides):
    return resolve(compose("train", list(overrides)))


def rates(config, *steps):
    schedule = make(config["schedule"], "schedule")
    return pytest.approx([schedule.at(step, warming_up=False) for step in steps], rel=1e-12)


def sgd(config):
    """The settings of the optimizer that is made."""
    made = make(config["optimizer"], "optimizer")([torch.zeros(1, requires_grad=True)])
    keys = ("lr", "momentum", "weight_decay", "dampening", "nesterov")
    return {key: made.param_groups[0][key] for key in keys}


PUBLISHED = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0001, "dampening": 0, "nesterov": False}


@pytest.mark.parametrize("name", ["plain20", "resnet56", "resnet110"])
def test_he_2015_on_cifar10(name):
    """Section 4.2: batches of 128; 0.1, divided by 10 at 32,000 and 48,000 of 64,000 steps."""
    config = composed("dataset=cifar10", f"model={name}")
    assert (config["schedule"]["steps"], config["batch_size"]) == (64_000, 128)
    assert sgd(config) == PUBLISHED
    boundaries = (0, 31_999, 32_000, 47_999, 48_000, 63_999)
    assert rates(config, *boundaries) == [0.1, 0.1, 0.01, 0.01, 0.001, 0.001]
    assert (config["dataset"]["crop_padding"], config["dataset"]["flip"]) == (4, True)
    assert config["dataset"]["val_size"] == 0
    assert config["precision"] == "float32"


@pytest.mark.parametrize(
    ("model", "depth", "warms_up"),
    [("resnet", 104, False), ("resnet", 110, True), ("resnet", 1202, True), ("plain", 110, True)],
)
def test_he_2015_from_110_layers_on_begins_at_a_tenth_until_the_error_is_below_80(model, depth, warms_up):
    """Section 4.2: 0.01 until the training error is below 80 %, then back to 0.1."""
    config = composed("dataset=cifar10", f"model={model}", f"model.depth={depth}")
    schedule = make(config["schedule"], "schedule")
    assert schedule.warm_up is warms_up
    assert schedule.at(0, warming_up=True) == 0.01
    assert schedule.at(400, warming_up=False) == 0.1
    assert (schedule.warm_up_ends(80.0), schedule.warm_up_ends(79.99)) == (False, True)
    assert schedule.warm_up_window == 100, "ours: it says of no number of steps"


@pytest.mark.parametrize(
    "choice",
    ["experiment=shortcut_variants_cifar10", "experiment=activation_orders_cifar10", "model=preact164"],
)
def test_he_2016_starts_with_400_steps_at_a_tenth(choice):
    """Section 3: whatever the error is, and at every depth; otherwise as in 2015."""
    config = composed("dataset=cifar10", choice)
    schedule = make(config["schedule"], "schedule")
    assert schedule.warm_up
    assert schedule.at(0, warming_up=True) == 0.01
    assert schedule.warm_up_window == 400
    assert schedule.warm_up_ends(100.0)
    assert rates(config, 400, 31_999, 32_000, 48_000) == [0.1, 0.1, 0.01, 0.001]
    assert (schedule.steps, config["batch_size"]) == (64_000, 128)
    assert sgd(config) == PUBLISHED


def test_he_2015_on_imagenet():
    """Section 3.4: batches of 256, up to 60 x 10^4 steps; 0.1, divided by 10, here at fixed steps."""
    config = composed("dataset=imagefolder", "model=imagenet_resnet50")
    assert (config["schedule"]["steps"], config["batch_size"]) == (600_000, 256)
    assert sgd(config) == PUBLISHED
    assert rates(config, 0, 299_999, 300_000, 450_000, 599_999) == [0.1, 0.1, 0.01, 0.001, 0.001]
    assert (config["dataset"]["load"]["resize"], config["dataset"]["load"]["size"]) == (256, 224)


@pytest.mark.parametrize("name", ["imagenet_resnet152", "imagenet_plain34", "imagenet_densenet"])
def test_networks_for_imagenet_do_not_warm_up(name):
    """He et al. 2016, section 5."""
    config = composed(f"model={name}", "dataset=fake")
    assert not make(config["schedule"], "schedule").warm_up
    chosen = composed(f"model={name}", "dataset=fake", "schedule=he")
    assert chosen["schedule"]["name"] == "he", "what is typed comes first"


def test_adam_has_the_settings_that_its_paper_proposes():
    """Kingma and Ba 2015, algorithm 1: betas 0.9 and 0.999, epsilon 1e-8."""
    config = composed("optimizer=adam", "schedule.learning_rate=0.001")
    made = make(config["optimizer"], "optimizer")([torch.zeros(1, requires_grad=True)])
    (group,) = made.param_groups
    found = {key: group[key] for key in ("lr", "betas", "eps", "weight_decay", "amsgrad")}
    assert found == {"lr": 0.001, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "amsgrad": False}


def test_mnist1d_is_the_one_that_its_authors_package_makes():
    """Its defaults; what its sequences are is tested with the data."""
    dataset, theirs = composed("dataset=mnist1d")["dataset"], get_dataset_args()
    assert dataset["load"]["seed"] == theirs.seed
    assert dataset["size"] == [theirs.final_seq_length]
