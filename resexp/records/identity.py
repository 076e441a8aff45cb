"""Classify settings: part of a run's identity, part of its protocol, or execution only.

This is the only module that classifies settings. A run's identity consists of whatever determines its
results: named parts and their options, the data, the seed. Import paths and execution settings are not
part of it.
"""

import hashlib
import json
from typing import Any

# Sections on how and where a run is executed or named. `labels` are derived.
EXECUTION = {"name", "case", "command", "labels", "train", "tracker", "device", "threads", "runs", "run"}
# Execution settings inside other sections: location and loading of data.
EXECUTION_KEYS = {"root", "download", "workers"}
# Settings from which other settings in the config are derived.
SOURCES = {"dataset.protocol", "dataset.fingerprint"}
# Import paths. Parts are identified by name; paths set by the user are in the section `typed`.
PYTHON = ("_target_", "_partial_")
# Settings added after runs had been recorded, with the value that reproduces the earlier behaviour; a setting
# with this value is not part of the identity. A new setting needs a line here, or the identity of all earlier
# runs changes.
NEUTRAL = {
    "task.name": "classification", "normalization.name": "measured", "activation.interleaved": False,
    "measure.covariance_every": 4, "measure.tile": None, "dataset.load.test_side": None,
}  # fmt: skip

# Settings that all runs of a table share unless swept; NOT_PROTOCOL depends on the model instead.
PROTOCOL = (
    "dataset.", "normalization.", "optimizer.", "schedule.", "init.", "task.", "model.width", "batch_size",
    "interval", "precision",
)  # fmt: skip
NOT_PROTOCOL = {"schedule.warm_up"}


def digest(config: dict) -> str:
    """Hash of the identity of a resolved config, ten hexadecimal digits."""
    return digest_of(identity(config))


def digest_of(identity: dict[str, Any]) -> str:
    """The same, of an identity."""
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def identity(config: dict) -> dict[str, Any]:
    """The settings of a resolved config that determine its results, by dotted key.

    A nested section that repeats a top-level one, e.g. `model.block`, counts once. 1 and 1.0 are
    equal.
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


def differing(one: dict, other: dict) -> list[str]:
    """Dotted keys of the settings in which the identities of two configs differ, sorted."""
    a, b = identity(one), identity(other)
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def protocol(config: dict) -> dict[str, Any]:
    """The settings of a config that belong to its protocol, by dotted key."""
    return {key: value for key, value in flat(config).items() if _is_protocol(key)}


def flat(config: dict, prefix: str = "") -> dict[str, Any]:
    """Flatten nested settings to dotted keys."""
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
        and key not in NOT_PROTOCOL
        and leaf not in PYTHON
        and leaf not in EXECUTION_KEYS
    )


def _canonical(value: Any) -> Any:
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, dict):  # inside a list
        return {key: _canonical(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
