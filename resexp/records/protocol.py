"""Check that all runs of a table share the same protocol."""

from collections import Counter
from collections.abc import Iterable

from resexp.records.identity import identity, protocol

ABSENT = "missing"


def value_of(config: dict, key: str):
    """A setting by its dotted key; for a group, its name.

    Raises:
        ValueError: the setting does not exist.
    """
    node = config
    for part in key.split("."):
        if not isinstance(node, dict) or part not in node:
            raise ValueError(f"unknown setting {key}: not in the config of the runs")
        node = node[part]
    if isinstance(node, list):  # lists are compared and written as text
        return str(node)
    return node["name"] if isinstance(node, dict) else node


def differing(one: dict, other: dict) -> list[str]:
    """Dotted keys of the settings in which the identities of two configs differ, sorted."""
    a, b = identity(one), identity(other)
    return sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))


def of_another_protocol(configs: dict[str, dict], plan: list[dict], by: list[str]) -> list[str]:
    """Names of the runs that differ from the plan in a setting it holds fixed; empty if all runs do."""
    protocols, following = [protocol(config) for config in plan], settings_that_vary(plan)
    fixed = {
        key: value
        for key, value in (protocols[0] if protocols else {}).items()
        if key not in following and key not in by and key.split(".")[0] not in by
    }

    def departs(config: dict) -> bool:
        own = protocol(config)
        return any(own.get(key, value) != value for key, value in fixed.items())

    strays = [name for name, config in configs.items() if departs(config)]
    return strays if len(strays) < len(configs) else []


def settings_that_vary(plan: Iterable[dict]) -> set[str]:
    """Protocol settings that vary among these configs."""
    protocols = [protocol(config) for config in plan]
    keys = set().union(*protocols)
    return {key for key in keys if len({str(p.get(key)) for p in protocols}) > 1}


def refuse_mixed_protocols(configs: dict[str, dict], by: list[str], following: set[str]) -> list[str]:
    """Require that all runs share the protocol settings, except the swept ones and those that depend on them.

    Dependent settings must agree among runs with the same swept values. A case may set anything.

    Args:
        configs: run name -> config.
        by: swept settings, or groups of settings.
        following: settings that may depend on the swept ones, see settings_that_vary.
    Returns:
        Settings that older runs lack, so that they could not be compared.
    Raises:
        ValueError: a protocol setting differs; the message says which one and how to choose.
    """
    protocols = {name: protocol(config) for name, config in configs.items()}
    lacked = []
    for key in sorted(set().union(*protocols.values())):
        if key in by or key.split(".")[0] in by:
            continue
        swept = [k for k in by if k == "case" or (key in following and k != "seed")]
        groups: dict[tuple, Counter] = {}
        for name, config in configs.items():
            group = (config["labels"]["dataset"], *(value_of(config, k) for k in swept))
            groups.setdefault(group, Counter())[str(protocols[name].get(key, ABSENT))] += 1
        for counts in groups.values():
            if len(counts) > 1 and counts.pop(ABSENT, 0):
                lacked.append(key)
            if len(counts) > 1:
                values = ", ".join(f"{value}: {count} runs" for value, count in sorted(counts.items()))
                value = counts.most_common(1)[0][0]
                raise ValueError(
                    f"the runs differ in the protocol setting {key} ({values}); select some with"
                    f" --only {key}={value}, or distinguish them with --by {key}"
                )
    return list(dict.fromkeys(lacked))
