"""The pattern that tests of error messages use can fail."""

import re

import pytest
from helpers import mentions

MESSAGE = "model.depth must lie in 1..10, got -0.5; use shortcut=... or [a,b]"


@pytest.mark.parametrize("words", [["model.depth"], ["1..10", "-0.5"], ["-0.5", "model.depth"], ["[a,b]"]])
def test_words_are_found_in_any_order(words):
    assert re.search(mentions(*words), MESSAGE)


@pytest.mark.parametrize("word", ["depth", "model", "model.dept", "0", "5", "0.5", "shortcuts"])
def test_parts_of_words_are_not(word):
    assert not re.search(mentions(word), MESSAGE)


def test_a_second_line_is_not_accepted():
    assert not re.search(mentions("model.depth"), f"{MESSAGE}\nand more")
