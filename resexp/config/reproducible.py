"""Which experiments anybody can repeat: those on generated data, and measurements of their runs."""

from collections.abc import Iterator
from fnmatch import fnmatch

from omegaconf import DictConfig, ListConfig, OmegaConf

from resexp.config.catalog import CONF, command_of, option, options


def without_files() -> dict[str, list[str]]:
    """Experiments that need no files: training first, then measurements, each after what it needs.

    Returns:
        For each experiment those whose runs it measures; none for training and for random networks.
    """
    names = list(options("experiment"))
    found = {name: [] for name in names if command_of(name) == "train" and not _reads("dataset", name)}
    for name in names:
        if command_of(name) == "train" or _reads("measure", name):
            continue
        runs = option("experiment", name)._get_node("run")
        needed = [
            other for other in found if runs is not None and fnmatch(other, _folder(str(runs._value())))
        ]
        if needed or runs is None:
            found[name] = needed
    return found


def _folder(pattern: str) -> str:
    """The experiment's part of ${runs}/<experiment>/<run>."""
    return pattern.removeprefix("${runs}/").partition("/")[0]


def _reads(group: str, experiment: str) -> bool:
    """Whether any option of a group that an experiment takes has files: a `root`."""
    return any(
        "root" in _keys(OmegaConf.to_container(option(group, name))) for name in _taken(group, experiment)
    )


def _taken(group: str, experiment: str) -> list[str]:
    """The options of a group that an experiment sweeps over, or else the one that it takes."""
    swept = OmegaConf.select(option("experiment", experiment), "hydra.sweeper.params", default={})
    if group in swept:
        return str(swept[group]).split(",")
    primary = OmegaConf.load(CONF / f"{command_of(experiment)}.yaml").defaults
    return list(_choices(group, primary, experiment))[-1:]


def _choices(group: str, primary: ListConfig, experiment: str) -> Iterator[str]:
    """The default of the command, then those of the experiment and of what it is built on; the last holds."""
    for entry in primary:
        if isinstance(entry, DictConfig) and group in entry:
            yield entry[group]
    for entry in OmegaConf.load(CONF / "experiment" / f"{experiment}.yaml").get("defaults", []):
        if isinstance(entry, DictConfig):
            yield from (name for key, name in entry.items() if key == f"override /{group}")
        elif entry != "_self_":
            yield from _choices(group, ListConfig([]), entry)


def _keys(node: object) -> Iterator[str]:
    """All keys, at any depth."""
    for key, value in node.items() if isinstance(node, dict) else ():
        yield key
        yield from _keys(value)
