"""Exactly so many branches, every choice equally likely."""

from collections import Counter
from math import comb

import pytest
import torch
from helpers import mentions

from resexp import build_model
from resexp.models.stochastic import drawn


def choice(layers):
    return tuple(bool(layer(torch.ones(3)).all()) for layer in layers)


def test_every_choice_is_equally_likely(generator):
    layers = drawn(5, kept=2)
    for layer in layers:
        layer.generator = generator
    counts = Counter(choice(layers) for _ in range(4000))
    assert len(counts) == comb(5, 2)
    assert all(sum(chosen) == 2 for chosen in counts)
    expected = 4000 / 10
    chi_squared = sum((count - expected) ** 2 / expected for count in counts.values())
    assert chi_squared < 27.9, "0.1 % of nine degrees of freedom"


def test_all_are_scaled_in_evaluation():
    layers = [layer.eval() for layer in drawn(5, kept=2)]
    assert [layer(torch.ones(())).item() for layer in layers] == pytest.approx([0.4] * 5)
    layers = drawn(3, kept=3)
    assert choice(layers) == (True,) * 3


@pytest.mark.parametrize("kept", [0, 4])
def test_more_than_there_are_is_refused(kept):
    with pytest.raises(ValueError, match=mentions("branch__kept", "3", str(kept))):
        build_model("resnet", model__depth=8, branch="drawn", branch__kept=kept)
