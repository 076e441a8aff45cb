"""Instantiate config nodes, as hydra.utils.instantiate does, with stricter checks."""

import functools
import importlib
import inspect
import sys
from typing import Any

from resexp.config.catalog import named_modules
from resexp.config.kinds import PART, fits, in_words

# What a config may name besides what the modules that conf/ names define. Anything else, such as a command or
# what writes a file, would let a config from a stranger run code of its choice.
ROOMS = ("models", "data", "tasks", "measure", "bench", "records", "training")
PACKAGES = tuple(f"resexp.{room}." for room in ROOMS)
TORCH = ("torch.nn", "torch.optim")


def make(node: Any, key: str) -> Any:
    """Call the node's `_target_` with its other keys, or return a partial of it (`_partial_: true`).

    `name` is the node's label and is not passed.

    Args:
        node: resolved; nested nodes with `_target_` are instantiated first.
        key: of the node, for error messages.
    Raises:
        ValueError: no node with a target, one that a config may not name, an argument that it does
            not take or of another kind, or whatever the target itself refuses.
    """
    if not isinstance(node, dict) or "_target_" not in node:
        raise ValueError(f"{key} must be {PART}, got {node!r}")
    return _made(node, key)


def _made(node: Any, key: str) -> Any:
    if isinstance(node, list):
        return [_made(item, key) for item in node]
    if not isinstance(node, dict):
        return node
    if "_target_" not in node:
        return {name: _made(value, name) for name, value in node.items()}
    target = _locate(node["_target_"], key)
    if not isinstance(node.get("name", ""), str):
        raise ValueError(f"{key}.name must be text, got {node['name']!r}")
    special = {"_target_", "_partial_", "name"}
    arguments = {name: _made(value, name) for name, value in node.items() if name not in special}
    _check_arguments(target, arguments, key)
    if node.get("_partial_"):
        return functools.partial(target, **arguments)
    return target(**arguments)


def _locate(path: str, key: str) -> Any:
    module, _, name = str(path).rpartition(".")
    own = module.startswith(PACKAGES) and module in named_modules()
    if not (own or module in TORCH) or name.startswith("_"):
        rooms = ", ".join(f"resexp.{room}" for room in ROOMS)
        raise ValueError(
            f"{key}._target_ must name something of {', '.join(TORCH)} or, in modules that conf/ names, of"
            f" {rooms}; got {path}"
        )
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError):
        raise ValueError(f"{key}._target_: {path} does not exist") from None
    if not callable(found):
        raise ValueError(f"{key}._target_ must be a class or a function, which {path} is not")
    if module in TORCH and not _is_part_of_torch(found):
        raise ValueError(f"{key}._target_ must be a module or an optimizer of torch, which {path} is not")
    if module not in TORCH and getattr(found, "__module__", None) != module:
        raise ValueError(f"{key}._target_: {path} is defined elsewhere; name it by {found.__module__}")
    return found


def _is_part_of_torch(found: Any) -> bool:
    torch = sys.modules["torch"]  # which is loaded with what is asked for
    return isinstance(found, type) and issubclass(found, torch.nn.Module | torch.optim.Optimizer)


def _check_arguments(target: Any, arguments: dict, key: str) -> None:
    parameters = inspect.signature(target).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in arguments.items():
        if name in parameters:
            annotation = parameters[name].annotation
            if annotation is not inspect.Parameter.empty and not fits(value, annotation):
                raise ValueError(f"{key}.{name} must be {in_words(annotation)}, got {value!r}")
        elif not open_ended:
            allowed = ", ".join(name for name in parameters if name not in ("args", "kwargs"))
            raise ValueError(f"unknown key {key}.{name}; {key} takes {allowed}")
