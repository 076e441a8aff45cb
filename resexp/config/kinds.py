"""The kinds of values that a setting may have, by the annotation of what takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin

PLAIN = {int: "an integer", float: "a number", bool: "true or false", str: "text", type(None): "null"}
LISTS = {int: "integers, such as [2,4]", float: "numbers, such as [0.5,1]", str: "texts, such as [a,b]"}
SECTION = "a section, whose keys are set one by one"
PART = "a section with a _target_"


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a kind.

    Args:
        value: of a setting, its parts instantiated.
        kind: an annotation. One that is not made up of plain kinds stands for a part, which is whatever no
            plain value is. Any, none and those in quotes fit everything.
    """
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if isinstance(kind, str) or kind in (Any, object):
        return True
    if origin in (Union, UnionType):
        return any(fits(value, each) for each in inner)
    if origin in (int, float):
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if origin in (bool, str, type(None)):
        return isinstance(value, kind)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(inner) and all(map(fits, value, inner))
    if origin in (list, Sequence):
        return isinstance(value, list) and all(fits(each, kind) for kind in inner for each in value)
    if origin in (dict, Mapping):
        values = value.values() if isinstance(value, dict) else ()
        return isinstance(value, dict) and all(fits(each, kind) for kind in inner[1:] for each in values)
    return not isinstance(value, int | float | str | list | dict | None)


def in_words(kind: Any) -> str:
    """What a setting of a kind may be: `an integer or null`."""
    origin, inner = get_origin(kind) or kind, get_args(kind)
    if origin in (Union, UnionType):
        words = list(dict.fromkeys(map(in_words, inner)))
        return " or ".join([word for word in words if word != PART] or words)
    if origin is tuple:
        return f"a list of {len(inner)} values, each {in_words(inner[0])}"
    if origin in (list, Sequence):
        return f"a list of {LISTS.get(*inner, 'lists')}" if inner else "a list"
    return SECTION if origin in (dict, Mapping) or is_dataclass(origin) else PLAIN.get(origin, PART)
