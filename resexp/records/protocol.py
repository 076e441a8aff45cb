"""Check that all runs of a table share the same protocol."""

from collections import Counter
from collections.abc import Iterable, Sequence

from resexp.records.identity import protocol
from resexp.records.snapshot import Snapshot

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
    if isinstance(node, dict):
        if not isinstance(node.get("name"), str):
            raise ValueError(
                f"{key} is a section, not a setting: it has {', '.join(map(str, node)) or 'no keys'}"
            )
        return node["name"]
    return node


def of_another_protocol(protocols: Sequence[dict], plan: list[dict], by: list[str]) -> list[bool]:
    """Which of these differ from the plan in a setting it holds fixed; none if all do."""
    following = settings_that_vary(plan)
    fixed = {
        key: value
        for key, value in (protocol(plan[0]) if plan else {}).items()
        if key not in following and key not in by and key.split(".")[0] not in by
    }
    departs = [any(one.get(key, value) != value for key, value in fixed.items()) for one in protocols]
    return [False] * len(departs) if all(departs) else departs


def settings_that_vary(plan: Iterable[dict]) -> set[str]:
    """Protocol settings that vary among these configs."""
    protocols = [protocol(config) for config in plan]
    keys = set().union(*protocols)
    return {key for key in keys if len({str(p.get(key)) for p in protocols}) > 1}


def refuse_mixed_protocols(runs: list[Snapshot], by: list[str], following: set[str]) -> list[str]:
    """Require that all runs share the protocol settings, except the swept ones and those that depend on them.

    Dependent settings must agree among runs with the same swept values. A case may set anything.

    Args:
        runs: of one table.
        by: swept settings, or groups of settings.
        following: settings that may depend on the swept ones, see settings_that_vary.
    Returns:
        Settings that older runs lack, so that they could not be compared.
    Raises:
        ValueError: a protocol setting differs; the message says which one and how to choose.
    """
    alike = _alike(runs, by)
    lacked = []
    for key in sorted(set().union(*(run.protocol for run, _ in alike))):
        if key in by or key.split(".")[0] in by:
            continue
        swept = [k for k in by if k == "case" or (key in following and k != "seed")]
        groups: dict[tuple, Counter] = {}
        for run, count in alike:
            group = (run.config["labels"]["dataset"], *(value_of(run.config, k) for k in swept))
            groups.setdefault(group, Counter())[str(run.protocol.get(key, ABSENT))] += count
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


def _alike(runs: list[Snapshot], by: list[str]) -> list[tuple[Snapshot, int]]:
    """One run of each kind that the comparison can tell apart, and how many are of it: seeds are not."""
    found: dict[tuple, tuple[Snapshot, int]] = {}
    sections = {key.partition(".")[0] for key in by if key != "seed"}
    for run in runs:
        settings = (repr(run.config.get(section)) for section in sections)
        kind = (run.config["labels"]["dataset"], *settings, repr(run.protocol))
        first, count = found.get(kind, (run, 0))
        found[kind] = (first, count + 1)
    return list(found.values())
