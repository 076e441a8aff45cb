"""Configs composed outside a Hydra job, and what is wrong with one in a single sentence."""

import dataclasses
import difflib
import re

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, QuotedString
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import resexp.config.schema  # noqa: F401  registers the schema
from resexp.config.catalog import CONF, groups, options, typed_targets

DERIVED = ("labels", "parts", "protocol")  # sections that nobody sets


class ConfigError(ValueError):
    """What a person asked for cannot be run; the message says what is allowed."""


def compose(command: str, overrides: list[str]) -> DictConfig:
    """The config of a command as its overrides make it.

    Raises:
        ConfigError: an override that does not fit.
    """
    refuse_no_names(overrides)
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
            return hydra.compose(command, overrides)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(explain(error, command, overrides)) from error


def resolve(config: DictConfig) -> dict:
    """The config as plain values, and under `typed` the Python paths that a person typed, if any.

    Raises:
        ConfigError: a key that the schema does not have (added with +), or a value missing.
    """
    _refuse_added_keys(config)
    try:
        values = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except OmegaConfBaseException as error:
        raise ConfigError(_first_sentence(error)) from error
    typed = typed_targets(values)
    return values | ({"typed": typed} if typed else {})


def explain(error: Exception, command: str, overrides: list[str]) -> str:
    """One sentence for what Hydra or OmegaConf objects to.

    Args:
        error: raised while composing.
        command: whose config it was, such as train.
        overrides: as typed.
    """
    if isinstance(error, MissingConfigException):
        return _unknown_option(error)
    if isinstance(error, OverrideParseException):
        return f"cannot read {error.override!r}: write key=value, or key=a,b with -m for a sweep"
    if match := re.match(r"Ambiguous value for argument '(.*?)'", str(error)):
        or_list = "" if match[1].partition("=")[0] in groups() else ", or write [a,b] for a list"
        return f"{match[1]} gives several values: add -m to sweep over them{or_list}"
    if match := re.match(r"Could not override '(.*?)'", str(error)):
        return _unknown_key(match[1], command, overrides)
    return _first_sentence(error.__cause__ or error)


def refuse_no_names(overrides: list[str]) -> None:
    """An option is chosen by its name, where Hydra's words take numbers, null and lists for other things.

    Raises:
        ConfigError: one is not; lists what there is.
    """
    for line in overrides:
        try:
            override = OverridesParser.create().parse_override(line)
        except HydraException:
            continue  # explained where it is composed
        if override.key_or_group not in groups():
            continue
        value = override.value()
        names = value.list if isinstance(value, ChoiceSweep) else [value]
        if not all(isinstance(name, str | QuotedString) for name in names):
            there = ", ".join(options(override.key_or_group))
            raise ConfigError(f"there is no {line}; there are {there}")


def _unknown_option(error: MissingConfigException) -> str:
    group, _, name = (error.missing_cfg_file or "").rpartition("/")
    allowed = [option for option in error.options or () if "schema" not in option]
    return f"there is no {group}={name}{_near(name, allowed)}; there are {', '.join(allowed)}"


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
        return f"there is no key {key}{_near(key, list(config))}"
    if not parent and (elsewhere := _elsewhere(key, config)):
        return f"there is no key {key} (did you mean {' or '.join(elsewhere)}?)"
    allowed = [str(name) for name in node if name != "_target_" and name != "_partial_"]
    of = f"{parent} ({parent}={node['name']})" if "name" in node and parent else parent or "the config"
    near = _near(leaf, allowed, f"{parent}." if parent else "")
    return f"there is no key {key}{near}; {of} has {', '.join(allowed)}"


def _elsewhere(leaf: str, config: DictConfig) -> list[str]:
    """Dotted keys that end so, those that follow no other first."""
    found = {True: [], False: []}

    def look(node: DictConfig, prefix: str) -> None:
        for key, value in node.items_ex(resolve=False):
            if key == leaf:
                found[OmegaConf.is_interpolation(node, key)].append(f"{prefix}{key}")
            elif key not in DERIVED and _is_section(value):
                look(value, f"{prefix}{key}.")

    look(config, "")
    return found[False] or found[True]


def _near(name: str, allowed: list[str], prefix: str = "") -> str:
    near = difflib.get_close_matches(name, allowed, n=1)
    return f" (did you mean {prefix}{near[0]}?)" if near else ""


def _first_sentence(error: BaseException) -> str:
    """What OmegaConf says, with the key that it says it of."""
    lines = [line.strip() for line in str(error).splitlines()]
    key = next((line.split(": ")[1] for line in lines if line.startswith("full_key: ")), "")
    return f"{key}: {lines[0]}" if key else lines[0]


def _refuse_added_keys(node: DictConfig, path: str = "") -> None:
    kind = OmegaConf.get_type(node)
    if dataclasses.is_dataclass(kind):
        allowed = [f.name for f in dataclasses.fields(kind)]
        for key in node:
            if key not in allowed:
                near = _near(str(key), allowed, path)
                raise ConfigError(f"there is no key {path}{key}{near}; allowed: {', '.join(allowed)}")
    for key, value in node.items_ex(resolve=False):
        if _is_section(value):
            _refuse_added_keys(value, f"{path}{key}.")


def _is_section(value: object) -> bool:
    """Whether a config's value is a section of its own, and not another one repeated."""
    return isinstance(value, DictConfig) and not value._is_none() and not value._is_interpolation()
