"""Settings as keyword arguments of Python: `model__depth=110` for model.depth=110."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from typing import Any


def overrides(model: str, choices: dict[str, Any]) -> list[str]:
    """Hydra's spelling of Python's keyword arguments."""
    given = {"model": model, **choices}
    return [f"{key.replace('__', '.')}={_value(value)}" for key, value in given.items()]


def _value(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | PathLike):
        text = str(value)
        if re.fullmatch(r"[\w./:-]*", text):
            return text
        return '"{}"'.format(text.replace("\\", "\\\\").replace('"', '\\"'))
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Iterable):
        return "[" + ",".join(map(_value, value)) + "]"
    return str(value)


@contextmanager
def in_python() -> Iterator[None]:
    """Refusals name settings as a Python call spells them: model__depth, not model.depth."""
    try:
        yield
    except ValueError as error:
        sections = "block|branch|dataset|init|labels|model|norm|normalization|optimizer|parts|schedule"
        words = re.sub(rf"\b({sections}|train|task|tracker)\.(?=[a-z])", r"\1__", str(error))
        raise ValueError(re.sub(r"(?<=__)(\w+)\.(?=[a-z])", r"\1__", words)) from None
