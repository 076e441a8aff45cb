"""Compose configs outside a Hydra job, and turn Hydra's errors into one-line messages."""

import dataclasses
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigTypeError, OmegaConfBaseException, ValidationError

from resexp.config.catalog import CONF, groups, options, typed_targets
from resexp.config.overrides import TEXT, ConfigError, check_overrides, quoted
from resexp.config.schema import kind_of  # importing it registers the schema
from resexp.exits import hint

DERIVED = ("labels", "parts", "protocol")  # sections that are derived, not set by users
PATHS = ("runs", "train.runs", "tables", "run", "dataset.root")


def compose(command: str, overrides: list[str]) -> DictConfig:
    """Compose the config of a command with overrides.

    Raises:
        ConfigError: an override is invalid.
    """
    check_overrides(overrides)
    try:
        with own_hydra():
            return hydra.compose(command, quoted(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, command, overrides)) from error


@contextmanager
def own_hydra() -> Iterator[None]:
    """Hydra on conf/ within the block; the caller's Hydra, if there is one, is as before afterwards."""
    outer, base = GlobalHydra.instance().hydra, VersionBase.instance().getbase()
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            yield
    finally:
        GlobalHydra.instance().hydra = outer
        VersionBase.instance().version_base = base


def resolve(config: DictConfig) -> dict:
    """Resolve interpolations to plain values; `typed` holds the Python paths set by the user, if any.

    Raises:
        ConfigError: a key outside the schema (added with +), or a missing value.
    """
    _refuse_added_keys(config)
    try:
        values = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(_first_sentence(error)) from error
    for key in PATHS:
        section, _, leaf = key.rpartition(".")
        node = values.get(section, {}) if section else values
        if isinstance(node.get(leaf), str):
            if leaf != "root":  # which sees to ~ itself
                node[leaf] = os.path.expanduser(node[leaf])
            if not node[leaf] and leaf != "run":
                raise ConfigError(f"{key} is empty: give a folder, or leave it out")
    typed = typed_targets(values)
    return values | ({"typed": typed} if typed else {})


def explain(error: Exception, command: str, overrides: list[str]) -> str:
    """A one-line message for an error of Hydra or OmegaConf.

    Args:
        error: raised while composing.
        command: whose config was composed, e.g. train.
        overrides: as given on the command line.
    """
    if isinstance(error, MissingConfigException):
        return _unknown_option(error)
    if isinstance(error, OverrideParseException):
        return (
            f"cannot parse {error.override!r}: write key=value, or key=a,b with -m for a sweep, and quote"
            " text with other signs: 'key=\"[a]\"'"
        )
    if match := re.match(r"Ambiguous value for argument '(.*?)'", str(error)):
        key, _, text = match[1].partition("=")
        or_list = "" if key in groups() else ", or write [a,b] for a list"
        if key in TEXT:
            or_list = f", or quote a comma that belongs to it: '{key}=\"{text}\"'"
        return f"{match[1]} has several values: add -m to sweep over them{or_list}"
    if match := re.match(r"Could not override '(.*?)'", str(error)):
        return _unknown_key(match[1], command, overrides)
    cause = error.__cause__ or error
    ours = isinstance(cause, ValidationError | ConfigTypeError) and cause.full_key
    if ours and not cause.full_key.startswith("hydra."):
        return _wrong_kind(cause.full_key.partition("[")[0], command, overrides)
    return _first_sentence(cause)


def _wrong_kind(key: str, command: str, overrides: list[str]) -> str:
    """For a value of another type than the schema's, and null where there has to be a value."""
    typed = [line.partition("=") for line in overrides]
    got = next((f", got {text}" for name, _, text in reversed(typed) if name.lstrip("+") == key), "")
    return f"{key} must be {kind_of(command, key)}{got}"


def _unknown_option(error: MissingConfigException) -> str:
    path = error.missing_cfg_file or ""
    group = next((name for name in groups() if path.startswith(f"{name}/")), path.rpartition("/")[0])
    name = path.removeprefix(f"{group}/")
    allowed = list(options(group)) if group in groups() else list(error.options or ())
    return f"unknown option {group}={name}{hint(name, allowed)}; options: {', '.join(allowed)}"


def _unknown_key(key: str, command: str, overrides: list[str]) -> str:
    key = key.split("@")[0]
    choices = [o for o in overrides if re.match(r"[\w/]+=[\w-]+$", o) and o.split("=")[0] != key]
    try:
        config = compose(command, choices)
    except ConfigError:
        config = compose(command, [])
    parent, _, leaf = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    if not isinstance(node, DictConfig):
        first = key.partition(".")[0]
        if first in config:
            return f"unknown key {key}: {parent} is no section"
        return f"unknown key {key}{hint(first, list(config))}; the config has {', '.join(map(str, config))}"
    if not parent and (elsewhere := _elsewhere(key, config)):
        return f"unknown key {key} (did you mean {' or '.join(elsewhere)}?)"
    allowed = [str(name) for name in node if name != "_target_" and name != "_partial_"]
    of = f"{parent} ({parent}={node['name']})" if "name" in node and parent else parent or "the config"
    near = hint(leaf, allowed, f"{parent}." if parent else "")
    return f"unknown key {key}{near}; {of} has {', '.join(allowed)}"


def _elsewhere(leaf: str, config: DictConfig) -> list[str]:
    """Dotted keys that end in `leaf`; interpolated ones only if there are no others."""
    found = {True: [], False: []}

    def look(node: DictConfig, prefix: str) -> None:
        for key, value in node.items_ex(resolve=False):
            if key == leaf:
                found[OmegaConf.is_interpolation(node, key)].append(f"{prefix}{key}")
            elif key not in DERIVED and _is_section(value):
                look(value, f"{prefix}{key}.")

    look(config, "")
    return found[False] or found[True]


def _first_sentence(error: BaseException) -> str:
    """The first line of OmegaConf's message, prefixed with the key it is about."""
    lines = [line.strip() for line in str(error).splitlines()]
    key = next((line.split(": ")[1] for line in lines if line.startswith("full_key: ")), "")
    return f"{key}: {lines[0]}" if key else lines[0]


def _refuse_added_keys(node: DictConfig, path: str = "") -> None:
    kind = OmegaConf.get_type(node)
    if dataclasses.is_dataclass(kind):
        allowed = [f.name for f in dataclasses.fields(kind)]
        for key in node:
            if key not in allowed:
                near = hint(str(key), allowed, path)
                raise ConfigError(f"unknown key {path}{key}{near}; allowed: {', '.join(allowed)}")
    for key, value in node.items_ex(resolve=False):
        if _is_section(value):
            _refuse_added_keys(value, f"{path}{key}.")


def _is_section(value: object) -> bool:
    """Whether a value is a section of its own and not an interpolation of another one."""
    return isinstance(value, DictConfig) and not value._is_none() and not value._is_interpolation()
