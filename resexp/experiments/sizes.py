"""The network of a config; those of absurd sizes are refused before they fill the memory, or the day."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from torch.nn.modules import module

from resexp.config.instantiate import make

SECTIONS = ("norm", "block", "shortcut", "branch", "activation", "model")  # the last one repeats the others
LARGEST = 10**6  # of a network's settings: products of them are far from what torch can count
MOST_PARTS = 30_000  # layers and parameters; a ResNet of 1,202 layers has 10,813
MOST_WEIGHTS = 10**10  # 40 GB


def network(config: dict) -> nn.Module:
    """Make a config's model on the default device.

    Raises:
        ValueError: it is larger than any that could be trained here, or what the model itself refuses.
    """
    for section in SECTIONS:
        _refuse_large(section, config.get(section, {}))
    with _bounded(config["model"]["name"]):
        return make(config["model"], "model")


def _refuse_large(key: str, value: object) -> None:
    if isinstance(value, dict):
        for name, each in value.items():
            _refuse_large(f"{key}.{name}", each)
    elif isinstance(value, list):
        for each in value:
            _refuse_large(key, each)
    elif isinstance(value, int) and value > LARGEST:
        raise ValueError(f"{key} must be at most {LARGEST:,}, got {value}")


@contextmanager
def _bounded(name: str) -> Iterator[None]:
    """Count what modules of this thread are given, and stop at too much of it."""
    thread, parts, weights = threading.get_ident(), 0, 0

    def counted(owner: nn.Module, key: str, part: nn.Module | nn.Parameter) -> None:
        nonlocal parts, weights
        if threading.get_ident() != thread:
            return
        parts, weights = parts + 1, weights + (part.numel() if isinstance(part, nn.Parameter) else 0)
        if parts > MOST_PARTS or weights > MOST_WEIGHTS:
            raise ValueError(
                f"model={name} has more than {MOST_PARTS:,} layers and parameters, or {MOST_WEIGHTS:,}"
                " weights: take smaller settings, such as model.depth, model.width or block.branches"
            )

    hooks = [
        module.register_module_module_registration_hook(counted),
        module.register_module_parameter_registration_hook(counted),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
