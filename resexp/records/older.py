"""Configs recorded by earlier versions, in today's words, so that their runs are still found and measured."""

import json

# Python paths that have moved.
MOVED = {
    "resexp.models.random_layers.undisturbed": "resexp.models.stochastic.always",
    "resexp.models.random_layers.": "resexp.models.stochastic.",
    "resexp.models.stream.": "resexp.measure.residual_stream.",
    "resexp.measure.gradient_speed.": "resexp.bench.gradient_speed.",
}


def translate(config: dict) -> dict:
    """A recorded config as today's version would have recorded it."""
    text = json.dumps(config)
    for before, now in MOVED.items():
        text = text.replace(f'"{before}', f'"{now}')
    config = json.loads(text)
    for owner in (config, config.get("parts", {}), config.get("model", {}).get("parts", {})):
        if owner.get("branch", {}).get("name") == "whole":
            owner["branch"]["name"] = "always"
    schedule = config.get("schedule", {})
    if "warm_up_from_depth" in schedule:
        depth, deepest = schedule.pop("depth"), schedule.pop("warm_up_from_depth")
        schedule["warm_up"] = deepest is not None and depth >= deepest
    return config
