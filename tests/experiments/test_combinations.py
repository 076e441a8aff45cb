"""Every pair of parts builds and takes a step, or is refused with the reason."""

import re
from contextlib import suppress
from functools import cache
from itertools import combinations, product

import pytest
import torch
from helpers import mentions, part, with_parts

from resexp.config.catalog import options
from resexp.config.compose import ConfigError, compose, resolve
from resexp.config.instantiate import make
from resexp.experiments import build
from resexp.experiments.checks import check, refused_in_a_sentence
from resexp.experiments.unused import refuse_unused_block

GROUPS = ("shortcut", "block", "norm", "activation", "init", "branch")
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
    "resnet": ["model.width=8", "batch_size=4"],
    "wide": ["model.widen=1"],
    "vgg": ["model.width=8"],
    "densenet": ["model.depth=13"],
    "fractal": ["model.widths=[8,8]", "model.depth=8"],
    "rir": ["model.width=4"],
}


@cache
def base(model):
    return resolve(compose("train", typed(model)))


def typed(model):
    return [f"model={model}", "dataset=mnist1d", *NARROW.get(model, [])]


def settings(model, chosen):
    """The config of a model with these options of groups."""
    found = with_parts(base(model), chosen)
    if DEPTHS[model]:
        found["model"]["depth"] = DEPTHS[model](make(found["block"], "block").depth) or 0
    return found


@pytest.mark.parametrize("model", DEPTHS)
def test_parts_come_where_hydra_puts_them(model):
    """Else the tests below would be of no config that a person can type."""
    chosen = {"shortcut": "projection", "block": "bottleneck", "norm": "group", "activation": "elu",
              "init": "orthogonal", "branch": "drawn"}  # fmt: skip
    ours = settings(model, chosen)
    choices = [*(f"{group}={name}" for group, name in chosen.items()), "norm.groups=2", "branch.kept=2"]
    depth = [f"model.depth={ours['model']['depth']}"] if DEPTHS[model] else []
    hydras = resolve(compose("train", [*typed(model), *choices, *depth]))
    for section in ("model", "parts", *chosen):
        assert ours[section] == hydras[section]


@pytest.mark.parametrize("model", DEPTHS)
def test_a_part_changes_the_network_or_is_refused(model):
    """Nothing that is asked for is silently left out."""
    alone, accepted = description(model, {}), 0
    for group in set(GROUPS) - {"init"}:  # leaves the layers as they are
        for name in options(group):
            if dict(part(group, name), name="") == dict(base(model)[group], name=""):
                continue  # the usual one, or another name of it
            with suppress(ConfigError):
                assert description(model, {group: name}) != alone, f"model={model} {group}={name} is left out"
                accepted += 1
    assert accepted >= (25 if DEPTHS[model] else 9), "most parts fit"


def description(model, chosen):
    """The layers of the network, through which a batch goes without numbers."""
    with refused_in_a_sentence(), torch.device("meta"):
        config = settings(model, chosen)
        refuse_unused_block(config)
        network = make(config["model"], "model")
        network(torch.empty(4, 1, 40))
    return str(network)


def take_a_step(config):
    check(config)
    trainer = build.trainer(config, torch.device("cpu"))
    trainer.train_step()
    assert trainer.read_interval()["train_loss"] > 0
    trainer.model.eval()
    assert trainer.model(torch.zeros(2, 1, 40)).shape == (2, 10)


@pytest.mark.parametrize(
    "third", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("groups", list(combinations(GROUPS, 2)), ids=" ".join)
def test_all_pairs_of_parts(groups, third):
    """In thirds, each of which has every option."""
    refused, pairs = {}, 0
    for (i, one), (j, other) in product(*(enumerate(options(group)) for group in groups)):
        if (i + j) % 3 != third:
            continue
        chosen, pairs = dict(zip(groups, (one, other), strict=True)), pairs + 1
        try:
            take_a_step(settings("resnet", chosen))
        except ConfigError as error:
            refused[tuple(f"{group}={name}" for group, name in chosen.items())] = str(error)
    for names, message in refused.items():
        expected = [reason for name in names for reason in REASONS.get(name, [])]
        assert any(re.search(mentions(reason), message) for reason in expected), f"{names}: {message}"
    assert len(refused) < 0.55 * pairs


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
def test_what_belongs_together_goes_together(chosen):
    take_a_step(settings("resnet", chosen))
