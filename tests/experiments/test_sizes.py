"""Networks larger than any that could be trained."""

import pytest
from helpers import mentions

from resexp.config.compose import compose, resolve
from resexp.experiments import sizes
from resexp.experiments.build import build_model


def config(*overrides):
    return resolve(compose("train", list(overrides)))


def test_building_stops_at_the_first_layer_that_is_too_many(monkeypatch):
    layers = list(build_model(config()).modules())
    parts = sum(len(list(m.children())) + len(list(m.parameters(recurse=False))) for m in layers)
    monkeypatch.setattr(sizes, "MOST_PARTS", 2 * parts)
    build_model(config())
    with pytest.raises(ValueError, match=mentions("model=resnet", "model.depth", f"{2 * parts:,}")):
        build_model(config("model.depth=999998"))
    build_model(config())  # nothing is left over


def test_so_it_does_at_too_many_weights_before_they_are_drawn(monkeypatch):
    weights = sum(weight.numel() for weight in build_model(config()).parameters())
    monkeypatch.setattr(sizes, "MOST_WEIGHTS", weights)
    build_model(config())
    monkeypatch.setattr(sizes, "MOST_WEIGHTS", weights - 1)
    with pytest.raises(ValueError, match=mentions("model=resnet", f"{weights - 1:,}")):
        build_model(config())


def test_lists_are_looked_into():
    with pytest.raises(ValueError, match=mentions("model.widths", "at most", "1,000,000")):
        build_model(config("model=fractal", f"model.widths=[8,{10**30}]"))
