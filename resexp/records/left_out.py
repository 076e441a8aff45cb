"""Runs that a table leaves out: counted by reason, and only the first of each reason by name."""

from dataclasses import dataclass, field

from resexp.records.snapshot import Snapshot

FEW = 20  # names of one reason


@dataclass
class Group:
    """Runs of one protocol that are left out for one reason; `names` are those of the first."""

    protocol: dict
    why: str
    names: list[str] = field(default_factory=list)
    count: int = 0


class LeftOut:
    """Groups of runs. Its size does not grow with the number of runs."""

    def __init__(self):
        self._groups: dict[tuple[str, str], Group] = {}

    @property
    def groups(self) -> list[Group]:
        return list(self._groups.values())

    @property
    def count(self) -> int:
        return sum(group.count for group in self._groups.values())

    def add(self, run: Snapshot, why: str) -> None:
        """Leave out one more run."""
        group = self._groups.setdefault((repr(run.protocol), why), Group(run.protocol, why))
        group.count += 1
        if len(group.names) < FEW:
            group.names.append(run.name)

    def listed(self) -> dict[str, str]:
        """Name -> reason, sorted; of many with one reason, the first, and one entry for how many more."""
        names: dict[str, list[str]] = {}
        counts: dict[str, int] = {}
        for group in self._groups.values():
            names[group.why] = sorted([*names.get(group.why, []), *group.names])[:FEW]
            counts[group.why] = counts.get(group.why, 0) + group.count
        found = dict(sorted((name, why) for why, several in names.items() for name in several))
        for why, several in names.items():
            if more := counts[why] - len(several):
                found[f"{more:,} more {why}" if f"{more:,} more" in found else f"{more:,} more"] = why
        return found


def in_words(listed: dict[str, str]) -> str:
    """Each name with its reason."""
    return ", ".join(f"{name} ({why})" for name, why in listed.items())
