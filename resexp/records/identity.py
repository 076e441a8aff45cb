"""What each setting is to a run: part of its identity, of its protocol, or only of how it is executed.

The one place that classes settings. A run's identity is what decides its numbers: named parts and their
options, the data, the seed. Where our code lives and how a run is executed are no part of it.
"""

import hashlib
import json
from typing import Any

# Sections that say how and where a run is executed, or how it is named. `labels` are derived.
EXECUTION = {"name", "case", "command", "labels", "train", "tracker", "device", "threads", "runs", "run"}
# The same within other sections, wherever they stand: where data lies and who reads it.
EXECUTION_KEYS = {"root", "download", "workers"}
# Settings that others are derived from; those stand in the config, too.
SOURCES = {"dataset.protocol", "dataset.fingerprint"}
# Python paths. A part is known by its name; what a person typed instead is in the section `typed`.
PYTHON = ("_target_", "_partial_")
# Settings that came later, with the value that leaves all numbers as they were: with it, a setting is no
# part of the identity. Whoever adds a setting adds a line here, or makes all earlier runs another's.
NEUTRAL = {"task.name": "classification", "normalization.name": "measured"}

# Settings that all runs of one table share, unless they are swept; and what follows the model instead.
PROTOCOL = (
    "dataset.", "normalization.", "optimizer.", "schedule.", "init.", "task.", "model.width", "batch_size",
    "interval", "precision",
)  # fmt: skip
NOT_PROTOCOL = {"schedule.warm_up"}


def digest(config: dict) -> str:
    """Ten hexadecimal digits that name the identity of a resolved config."""
    canonical = json.dumps(identity(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def identity(config: dict) -> dict[str, Any]:
    """The settings of a resolved config that decide its numbers, by their dotted keys.

    A section within another that repeats a section of the top level, as `model.block` does, counts
    once. 1 and 1.0 are one number.
    """

    def kept(node: dict, path: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.items():
            inside = f"{path}.{key}" if path else key
            if _is_execution(inside) or inside in SOURCES or key in PYTHON:
                continue
            if isinstance(value, dict):
                if not (path and value == config.get(key)):
                    found |= kept(value, inside)
            elif inside not in NEUTRAL or value != NEUTRAL[inside]:
                found[inside] = _canonical(value)
        return found

    return kept(config, "")


def protocol(config: dict) -> dict[str, Any]:
    """The settings of a config that make its protocol, by their dotted keys."""
    return {key: value for key, value in flat(config).items() if _is_protocol(key)}


def flat(config: dict, prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level with dotted keys."""
    result = {}
    for key, value in config.items():
        if isinstance(value, dict):
            result |= flat(value, f"{prefix}{key}.")
        else:
            result[f"{prefix}{key}"] = value
    return result


def _is_execution(key: str) -> bool:
    section, _, rest = key.partition(".")
    return section in EXECUTION or (bool(rest) and key.rpartition(".")[2] in EXECUTION_KEYS)


def _is_protocol(key: str) -> bool:
    leaf = key.rpartition(".")[2]
    return (
        (key.startswith(PROTOCOL) or key == "data")
        and not key.startswith("dataset.load.")
        and key not in NOT_PROTOCOL
        and leaf not in PYTHON
        and leaf not in EXECUTION_KEYS
    )


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):  # within a list
        return {key: _canonical(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
