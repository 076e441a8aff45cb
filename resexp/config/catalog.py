"""What there is to choose from in conf/: read from the files, without Hydra."""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from resexp.files import shipped

CONF = shipped("conf")
TARGET = r"_target_: *([\w.]+)"


def groups() -> list[str]:
    """Names of the config groups."""
    return sorted(path.name for path in CONF.iterdir() if path.is_dir())


def groups_of(command: str) -> list[str]:
    """The groups that a command has a choice from."""
    defaults = OmegaConf.load(CONF / f"{command}.yaml").defaults
    chosen = {str(key) for entry in defaults if isinstance(entry, DictConfig) for key in entry}
    return [name for name in groups() if name in chosen]


def options(group: str) -> dict[str, str]:
    """Options of a config group with one line each, small numbers before large ones.

    Raises:
        ValueError: an unknown group; the plural of a group is taken for it.
    """
    names = {name: name for name in groups()} | {f"{name}s": name for name in groups()}
    if group not in names:
        raise ValueError(f"there is no list of {group!r}; there are {', '.join(groups())}")
    folder = CONF / names[group]
    paths = sorted(folder.rglob("*.yaml"))
    return {path.relative_to(folder).with_suffix("").as_posix(): _first_line(path) for path in paths}


def option(group: str, name: str) -> DictConfig:
    """The settings of an option: its file over those that it is built on, interpolations as written."""
    own = OmegaConf.load(CONF / group / f"{name}.yaml")
    bases = []
    for entry in own.pop("defaults", []):
        if isinstance(entry, DictConfig):
            bases += [_placed(key, str(value)) for key, value in entry.items() if _is_placed(key)]
        elif entry != "_self_" and _exists(group, entry):
            bases.append(option(group, entry))
    return OmegaConf.merge(*bases, own)


def _is_placed(entry: str) -> bool:
    """Whether a default is an option of another group at a key of this one: /random_network@setups.x."""
    return entry.startswith("/") and "@" in entry


def _placed(entry: str, name: str) -> DictConfig:
    group, _, key = entry.removeprefix("/").partition("@")
    placed = OmegaConf.create()
    OmegaConf.update(placed, key, option(group, name))
    return placed


def default_of(group: str) -> str:
    """The option of a group that `resexp train` takes if nobody chooses."""
    defaults = OmegaConf.load(CONF / "train.yaml").defaults
    return next(entry[group] for entry in defaults if isinstance(entry, DictConfig) and group in entry)


def _exists(group: str, name: str) -> bool:
    return (CONF / group / f"{name}.yaml").is_file()  # schemas have no file


def command_of(experiment: str) -> str:
    """The command that an experiment's file is for: train, unless it says `command: measure`."""
    return option("experiment", experiment).get("command", "train")


def swept_by(experiment: str) -> list[str]:
    """The keys that an experiment sweeps over."""
    return list(OmegaConf.select(option("experiment", experiment), "hydra.sweeper.params", default={}))


def typed_targets(config: dict) -> dict[str, str]:
    """The Python paths of a resolved config that a person typed: their dotted keys, and the paths.

    A part whose `_target_` is the one that its option's file names is known by its name alone.
    """
    found = {}
    for section in sorted({*groups(), "parts"} & config.keys()):
        if not isinstance(config[section], dict):  # the name of a case
            continue
        known = _targets(section, str(config[section].get("name")))
        for key, target in _paths(config[section], section, config):
            if target not in known:
                found[key] = target
    return found


def _paths(node: object, key: str, config: dict) -> Iterator[tuple[str, str]]:
    """Keys and values of `_target_`, apart from sections that repeat one of the top level."""
    for name, value in node.items() if isinstance(node, dict) else ():
        if name == "_target_":
            yield f"{key}.{name}", str(value)
        elif value != config.get(name):
            yield from _paths(value, f"{key}.{name}", config)


@lru_cache
def named_modules() -> frozenset[str]:
    """The Python modules that the files in conf/ name in `_target_`."""
    texts = (path.read_text(encoding="utf-8") for path in CONF.rglob("*.yaml"))
    return frozenset(target.rpartition(".")[0] for text in texts for target in re.findall(TARGET, text))


@lru_cache
def _targets(group: str, name: str) -> frozenset[str]:
    """What the file of an option, and those that it is built on, name as `_target_`."""
    path = CONF / group / f"{name}.yaml"
    if group == "parts":
        path = CONF / "train.yaml"
    if not path.is_file():
        return frozenset()
    found = set(re.findall(TARGET, path.read_text(encoding="utf-8")))
    for base in OmegaConf.load(path).get("defaults", []) if group != "parts" else ():
        if isinstance(base, str) and base != "_self_":
            found |= _targets(group, base)
        elif isinstance(base, DictConfig):  # such as /random_network@setups.residual: residual
            for other, option in base.items():
                found |= _targets(str(other).strip("/").partition("@")[0], str(option))
    return frozenset(found)


def _first_line(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return next(x[2:] for x in lines if x.startswith("# ") and not x.startswith("# @"))
