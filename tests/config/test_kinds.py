"""Kinds of settings against values that are and are not of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import nn

from resexp.config.kinds import fits, in_words

PLAIN = {
    "integer": 3,
    "number": 0.5,
    "text": "abc",
    "true": True,
    "null": None,
    "list": [1, 2],
    "section": {"a": 1},
}
KINDS = [
    (int, {"integer"}, "an integer"),
    (float, {"integer", "number"}, "a number"),
    (bool, {"true"}, "true or false"),
    (str, {"text"}, "text"),
    (int | None, {"integer", "null"}, "an integer or null"),
    (float | torch.Tensor, {"integer", "number", "part"}, "a number"),
    (Sequence[int], {"list"}, "a list of integers, such as [2,4]"),
    (list[int], {"list"}, "a list of integers, such as [2,4]"),
    (Sequence[str], set(), "a list of texts, such as [a,b]"),
    (int | Sequence[int], {"integer", "list"}, "an integer or a list of integers, such as [2,4]"),
    (tuple[float | torch.Tensor, float], {"list"}, "a list of 2 values, each a number"),
    (tuple[float, float, float], set(), "a list of 3 values, each a number"),
    (Mapping[str, int], {"section"}, "a section, whose keys are set one by one"),
    (Mapping[str, str], set(), "a section, whose keys are set one by one"),
    (dict | None, {"section", "null"}, "a section, whose keys are set one by one or null"),
    (Callable[[int], nn.Module], {"part"}, "a section with a _target_"),
    (nn.Module, {"part"}, "a section with a _target_"),
    (Any, {*PLAIN, "part"}, "a section with a _target_"),
    ("quoted", {*PLAIN, "part"}, "a section with a _target_"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "right", "words"), KINDS, ids=[str(kind) for kind, *_ in KINDS])
def test_a_value_fits_the_kinds_that_it_is_of(kind, right, words):
    values = PLAIN | {"part": nn.ReLU()}
    assert {name for name, value in values.items() if fits(value, kind)} == right
    if right != values.keys():
        assert in_words(kind) == words


def test_each_value_of_a_list_is_of_its_kind():
    assert fits([], Sequence[int])
    assert not fits([1, 2.5], Sequence[int])
    assert fits([[1], ["a"]], Sequence[Sequence])
    assert not fits([[1], 2], Sequence[Sequence])
    assert not fits([True], Sequence[float])
