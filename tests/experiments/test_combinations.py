"""Every pair of parts builds and takes a step, or is refused with the reason."""

import re
from contextlib import suppress
from itertools import combinations

import pytest
import torch
from helpers import mentions
from omegaconf import OmegaConf, open_dict

from resexp.config.catalog import options
from resexp.config.compose import ConfigError, compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import build
from resexp.experiments.checks import check

GROUPS = ("shortcut", "block", "norm", "activation", "init", "branch")
SMALL = ["model=resnet", "model.width=8", "batch_size=4", "dataset=mnist1d"]
# What may be refused, and what the refusal must name.
REASONS = {
    "norm=group": ["norm.groups"],
    "activation=crelu": ["c_out", "block=full_preactivation", "activation=crelu"],
    "init=looks_linear": ["activation=crelu"],
    "init=fixup": ["norm=none"],
    "block=fixup": ["norm=none"],
    "init=zero_gamma": ["init=zero_gamma"],
    "branch=stochastic_depth": ["branch=stochastic_depth"],
    "branch=drawn": ["branch=drawn"],
}
# One model of each kind -> smallest depth for blocks of d layers; None: it has no blocks.
DEPTHS = {
    "resnet": lambda d: 3 * d + 2,
    "plain": lambda d: 3 * d + 2,
    "wide": lambda d: 3 * d + 4,
    "ror": lambda d: 3 * d + 2,
    "fleuret": lambda d: d + 2,
    "residual_mlp": lambda d: d + 2,
    "imagenet_resnet": {2: 18, 3: 50}.get,
    "vgg": None,
    "densenet": None,
    "fractal": None,
    "rir": None,
}
NARROW = {
    "wide": ["model.widen=1"],
    "vgg": ["model.width=8"],
    "densenet": ["model.depth=13"],
    "fractal": ["model.widths=[8,8]", "model.depth=8"],
    "rir": ["model.width=4"],
}


@pytest.fixture(scope="module")
def parts():
    """(group, option) -> its node, composed once."""
    nodes = {}
    for group in GROUPS:
        for option in options(group):
            few = ["branch.kept=2"] if option == "drawn" else []  # of three blocks
            nodes[group, option] = compose("train", ["model=resnet", f"{group}={option}", *few])[group]
    return nodes


@pytest.fixture(scope="module")
def base():
    return compose("train", SMALL)


def settings(base, parts, chosen):
    config = base.copy()
    with open_dict(config):
        for group, option in chosen:
            config[group] = OmegaConf.create(OmegaConf.to_container(parts[group, option], resolve=False))
        if config.norm.name == "group":
            config.norm.groups = 2
        block = make(OmegaConf.to_container(config.block, resolve=True), "block")
        config.model.depth = 3 * block.depth + 2
    return resolve(config)


@pytest.mark.parametrize("name", DEPTHS)
def test_a_part_changes_the_network_or_is_refused(parts, name):
    """Nothing that is asked for is silently left out."""
    base = compose("train", [f"model={name}", "dataset=mnist1d", *NARROW.get(name, [])])
    alone, accepted = description(base, name, parts), 0
    for group in set(GROUPS) - {"init"}:  # leaves the layers as they are
        for option in options(group):
            if dict(parts[group, option], name="") == dict(base[group], name=""):
                continue  # the usual one, or another name of it
            with suppress(ConfigError):
                changed = description(base, name, parts, (group, option))
                assert changed != alone, f"model={name} {group}={option} is left out"
                accepted += 1
    assert accepted >= (25 if DEPTHS[name] else 9), "most parts fit"


def description(base, name, parts, *chosen):
    """The layers of the network, through which a batch goes without numbers."""
    config = base.copy()
    with open_dict(config):
        for group, option in chosen:
            config[group] = OmegaConf.create(OmegaConf.to_container(parts[group, option], resolve=False))
        if config.norm.name == "group":
            config.norm.groups = 2
        if DEPTHS[name]:
            block = make(OmegaConf.to_container(config.block, resolve=True), "block")
            config.model.depth = DEPTHS[name](block.depth) or 0
    config = resolve(config)
    check(config)
    with torch.device("meta"):
        model = make(config["model"], "model")
        model(torch.empty(4, 1, 40))
    return str(model)


def take_a_step(config):
    check(config)
    trainer = build.trainer(config, torch.device("cpu"))
    trainer.train_step()
    assert trainer.read_interval()["train_loss"] > 0
    trainer.model.eval()
    assert trainer.model(torch.zeros(2, 1, 40)).shape == (2, 10)


@pytest.mark.parametrize("groups", list(combinations(GROUPS, 2)), ids=" ".join)
def test_all_pairs_of_parts(base, parts, groups):
    refused = {}
    for one in options(groups[0]):
        for other in options(groups[1]):
            chosen = list(zip(groups, (one, other), strict=True))
            try:
                take_a_step(settings(base, parts, chosen))
            except ConfigError as error:
                refused[tuple(f"{group}={option}" for group, option in chosen)] = str(error)
    for names, message in refused.items():
        expected = [reason for name in names for reason in REASONS.get(name, [])]
        assert any(re.search(mentions(reason), message) for reason in expected), f"{names}: {message}"
    assert len(refused) < 0.45 * len(options(groups[0])) * len(options(groups[1]))


@pytest.mark.parametrize(
    "chosen",
    [
        {"activation": "crelu", "init": "looks_linear", "block": "full_preactivation"},
        {"activation": "crelu", "block": "full_preactivation", "shortcut": "exclusive_gate"},
        {"activation": "crelu", "shortcut": "projection"},
        {"init": "fixup", "norm": "none"},
        {"init": "fixup", "norm": "none", "block": "fixup", "shortcut": "projection"},
        {"block": "fixup", "norm": "none", "activation": "crelu", "shortcut": "projection"},
        {"init": "zero_gamma", "norm": "group", "block": "relu_only_preactivation"},
        {"shortcut": "exclusive_gate", "norm": "ghost", "block": "full_preactivation", "activation": "elu"},
    ],
    ids=lambda chosen: " ".join(chosen.values()),
)
def test_what_belongs_together_goes_together(base, parts, chosen):
    take_a_step(settings(base, parts, list(chosen.items())))
