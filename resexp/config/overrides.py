"""What a person types, key=value, before Hydra reads it: refused or quoted where it would be misread."""

import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, QuotedString
from hydra.errors import HydraException

from resexp.config.catalog import groups, options

FIXED = {
    "command": "it is the word behind resexp",
    "hydra": "set what is inside it, such as hydra.verbose=true",
    "": "a setting has a name, key=value",
}
# Settings that are text whatever they look like.
TEXT = {"name", "run", "runs", "train.runs", "dataset.root", "tables"}


class ConfigError(ValueError):
    """Invalid settings; the message is one line and says what is allowed."""


def check_overrides(overrides: list[str]) -> None:
    """Refuse what Hydra would accept in another sense than it was typed in.

    Raises:
        ConfigError: an option that is not a name, a section that follows from others, or text that
            Hydra reads as a number.
    """
    for line in overrides:
        try:
            override = OverridesParser.create().parse_override(line)
        except HydraException:
            continue  # reported when the config is composed
        key, value = override.key_or_group, override.value()
        if not key:  # Hydra's own message is a traceback
            raise ConfigError(f"cannot parse {line!r}: write key=value")
        values = value.list if isinstance(value, ChoiceSweep) else [value]
        if (
            key in groups()
            and not isinstance(value, Glob)
            and not all(isinstance(name, str | QuotedString) for name in values)
        ):
            raise ConfigError(f"unknown option {line}; options: {', '.join(options(key))}")
        if key in FIXED:
            raise ConfigError(f"{key or line} cannot be set: {FIXED[key]}")
        if override.is_delete() and key in ("name", "seed", "train", "dataset"):
            raise ConfigError(f"{key} cannot be left out: every run has one")
        if isinstance(value, Glob) and key not in groups():
            raise ConfigError(f"{line}: glob() stands for options of a group, such as norm=glob(*)")
        if key.partition(".")[0] == "labels":
            raise ConfigError(f"{key} cannot be set: labels follow from the settings that they name")
        if key in TEXT:
            _check_text(line, values)


def _check_text(line: str, values: list) -> None:
    """`name=2026_11_24` is the number 20261124 to Hydra, `name=1e3` is 1000.0."""
    key, _, typed = line.partition("=")
    for text, value in zip(typed.split(",") if len(values) > 1 else [typed], values, strict=False):
        if isinstance(value, int | float) and str(value) != text.strip():
            raise ConfigError(f"{key}={text} would be read as {value!r}: quote it, '{key}=\"{text}\"'")


def quoted(overrides: list[str]) -> list[str]:
    """The same with text in quotes where Hydra's grammar has no word for it, such as runs=~/a=b[é]."""
    return [_quoted(line) for line in overrides]


def _quoted(line: str) -> str:
    key, equals, text = line.partition("=")
    if not equals or key not in TEXT:
        return line
    try:
        OverridesParser.create().parse_override(line)
    except HydraException:
        escaped = re.sub(r'(\\*)"', r"\1\1\"", text)
        return f'{key}="{escaped}"'
    return line
