"""What a record looks like that a run has written: others may have put anything into a folder."""

from collections.abc import Mapping, Sequence
from typing import Any

PLAIN = str | int | float | None
TEXTS = ("command", "name", "precision", "runs")
NUMBERS = ("seed", "batch_size", "interval")
SECTIONS = (
    "labels", "train", "task", "tracker", "dataset", "normalization", "norm", "block", "shortcut", "branch",
    "parts", "activation", "init", "model", "optimizer", "schedule", "measure", "imported",
)  # fmt: skip
LABELS = {"dataset": str, "model": str, "norm": str, "seed": int, "depth": int | None}
DEEPEST = 32  # sections within sections; a config has six


def is_config(config: dict) -> bool:
    """Whether each section, text, number and label of a config is of the kind that resexp writes.

    What is missing, or is a setting of one part, is not looked at.
    """
    kinds = dict.fromkeys(TEXTS, str) | dict.fromkeys(NUMBERS, int) | dict.fromkeys(SECTIONS, dict)
    labels = config.get("labels", {})
    return (
        _fits(config, kinds)
        and _fits(labels, LABELS)
        and ("dataset" in labels or "labels" not in config)
        and all(isinstance(value, PLAIN) for value in labels.values())
        and isinstance(config.get("measure", {}).get("name", ""), str)
        and _depth(config) <= DEEPEST
    )


def is_state(state: dict, most: int) -> bool:
    """Whether a status has its four entries, with no step above `most`."""
    kinds = {"status": str, "step": int, "steps": int, "error": str}
    right = kinds.keys() <= state.keys() and _fits(state, kinds)
    return right and all(0 <= state[key] <= most for key in ("step", "steps"))


def are_rows(rows: Sequence[Mapping[str, Any]], last: int | None) -> bool:
    """Whether rows are numbers, with ascending steps, the last of which is `last`; None: any."""
    try:
        steps = [int(row["step"]) for row in rows]
        for row in rows:
            for value in row.values():
                float(value or "nan")
    except (KeyError, TypeError, ValueError):
        return False
    return steps == sorted(set(steps)) and (last is None or steps[-1:] == [last])


def sessions(provenance: dict) -> list[dict]:
    """Those sessions that are ones, without entries that no session has."""
    found = provenance.get("sessions")
    found = [session for session in found if isinstance(session, dict)] if isinstance(found, list) else []
    return [_plain(session, without="versions") | _versions(session) for session in found]


def _fits(node: dict, kinds: Mapping[str, Any]) -> bool:
    return all(isinstance(node[key], kind) for key, kind in kinds.items() if key in node)


def _depth(node: object) -> int:
    """How many sections lie within each other; found without recursion, of which a file may ask too much."""
    level, depth = [node], 0
    while level and depth <= DEEPEST:
        inside = [node.values() if isinstance(node, dict) else node for node in level]
        level = [value for values in inside for value in values if isinstance(value, dict | list)]
        depth += 1
    return depth


def _plain(node: dict, without: str = "") -> dict:
    return {key: value for key, value in node.items() if isinstance(value, PLAIN) and key != without}


def _versions(session: dict) -> dict:
    found = session.get("versions")
    return {"versions": _plain(found)} if isinstance(found, dict) else {}
