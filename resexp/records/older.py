"""Translate configs recorded by earlier versions, so that their runs are still found and measured."""

import json

ORDERS = (
    "post_activation", "bn_after_addition", "relu_before_addition", "relu_only_preactivation",
    "full_preactivation",
)  # fmt: skip
# Import paths that have moved: old prefix -> new prefix.
MOVED = {
    "resexp.models.random_layers.undisturbed": "resexp.models.stochastic.always",
    "resexp.models.random_layers.": "resexp.models.stochastic.",
    "resexp.models.stochastic.StochasticDepth": "resexp.models.stochastic.stochastic_depth",
    "resexp.models.stream.": "resexp.measure.residual_stream.",
    "resexp.measure.gradient_speed.": "resexp.bench.gradient_speed.",
    **{f"resexp.models.blocks.{name}": f"resexp.models.orders.{name}" for name in ORDERS},
    "resexp.models.inits.looks_linear": "resexp.models.looks_linear.looks_linear",
    "resexp.models.blocks.fixup": "resexp.models.fixup.fixup",
    "resexp.models.resnet.imagenet": "resexp.models.imagenet.imagenet",
    "resexp.models.resnet.wide": "resexp.models.wide.wide",
}


def translate(content: str) -> dict:
    """Translate a recorded config, in JSON, to what the current version would record.

    Raises:
        ValueError, RecursionError: it is no JSON.
        AttributeError, KeyError, TypeError: it is no config.
    """
    for old, new in MOVED.items():
        content = content.replace(f'"{old}', f'"{new}')
    config = json.loads(content)
    for owner in (config, config.get("parts", {}), config.get("model", {}).get("parts", {})):
        if owner.get("branch", {}).get("name") == "whole":
            owner["branch"]["name"] = "always"
    schedule = config.get("schedule", {})
    if "warm_up_from_depth" in schedule:
        depth, deepest = schedule.pop("depth"), schedule.pop("warm_up_from_depth")
        schedule["warm_up"] = deepest is not None and depth >= deepest
    return config
