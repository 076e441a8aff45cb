"""From a config to the model and the trainer that it describes."""

import threading
from typing import Any

import torch
from torch import nn

from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.experiments.checks import refuse_sizes_below_one, refuse_unused_block
from resexp.experiments.data import batches, splits
from resexp.experiments.seeds import generator, seed_for
from resexp.models.stochastic import RandomLayer
from resexp.training.loop import Trainer
from resexp.training.precision import autocast

# Layers draw from the global generator as they are built, and so does whatever shares it.
_BUILDING = threading.Lock()


def build_model(config: dict, device: torch.device | str = "cpu") -> nn.Module:
    """The network of a resolved config, its weights drawn from the config's seed.

    No global random state is changed.
    """
    refuse_unused_block(config)
    refuse_sizes_below_one("model", config["model"])
    with torch.random.fork_rng(devices=[]):  # layers draw as they are built, before init does
        torch.manual_seed(seed_for(config["seed"], "layers"))
        model = make(config["model"], "model")
    make(config["init"], "init")(model, generator(config["seed"], "init"))
    return model.to(device)


def model_by_name(name: str, **choices: Any) -> nn.Module:
    """See resexp.build_model."""
    if "model" in choices:
        raise ValueError(f"two networks, {name} and {choices['model']}: name one")
    overrides = [f"model={name}", *(f"{k.replace('__', '.')}={v}" for k, v in choices.items())]
    return build_model(resolve(compose("train", overrides)))


def trainer(config: dict, device: torch.device) -> Trainer:
    """Everything that a run needs, at its first step. Threads may call it side by side."""
    with _BUILDING:
        made = _trainer(config, device)
        if device.type == "cuda":  # other threads, with streams of their own, may share its data
            torch.cuda.current_stream(device).synchronize()
        return made


def _trainer(config: dict, device: torch.device) -> Trainer:
    execution = config["train"]
    model = build_model(config, device)
    layer_draws = generator(config["seed"], "layers", device)
    for module in model.modules():
        if isinstance(module, RandomLayer):
            module.generator = layer_draws
    if execution["channels_last"]:
        model = model.to(memory_format=torch.channels_last)
    return Trainer(
        model,
        make(config["task"], "task"),
        batches(config, device),
        make(config["optimizer"], "optimizer")(model.parameters()),
        make(config["schedule"], "schedule"),
        splits=splits(config, device),
        autocast=autocast(config["precision"], device),
        draws=layer_draws,
        channels_last=execution["channels_last"],
        compiled=execution["compile"],
        # a rate that is a tensor needs the fused update
        captured=execution["capture"] and device.type == "cuda" and config["optimizer"].get("fused", False),
    )
