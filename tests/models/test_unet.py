"""The U-Net's shapes and parameters against the published figure, and its choices."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import mentions

import resexp
from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.models.unet import sides

# Ronneberger et al. 2015, figure 1: side and channels behind the convolutions of each level.
PUBLISHED = [
    (568, 64),
    (280, 128),
    (136, 256),
    (64, 512),
    (28, 1024),
    (52, 512),
    (100, 256),
    (196, 128),
    (388, 64),
]
SMALL = {"dataset": "cells", "model__width": 4, "model__depth": 13}


def published():
    """Of figure 1, without numbers."""
    config = resolve(compose("train", ["dataset=cells", "model=unet", "norm=none", "model.padding=valid"]))
    with torch.device("meta"):
        return make(config["model"], "model")


def test_the_published_shapes_level_by_level():
    model = published()
    x = torch.zeros(1, 1, 572, 572, device="meta")
    assert [(y.shape[2], y.shape[1]) for y in model.levels(x)] == PUBLISHED
    assert sides(572, 23, "valid") == [side for side, _ in PUBLISHED]
    assert model(x).shape == (1, 2, 388, 388)


def test_the_published_layers_and_their_parameters():
    """Counted from the figure: 3x3 convolutions, 2x2 up-convolutions and the 1x1 at the end, with biases."""
    channels = [1, 64, 128, 256, 512, 1024]
    layers = [(9, a, b) for c, b in pairwise(channels) for a in (c, b)]
    for wide, narrow in zip(channels[:1:-1], channels[-2:0:-1], strict=True):
        layers += [(4, wide, narrow), (9, wide, narrow), (9, narrow, narrow)]
    layers.append((1, 64, 2))
    assert len(layers) == 23
    model = published()
    counted = sum(p.numel() for p in model.parameters())
    assert counted == sum(k * a * b + b for k, a, b in layers) == 31_030_658
    assert sum(p.dim() > 1 for p in model.parameters()) == 23


@pytest.mark.parametrize("connection", ["concat", "add", "none"])
def test_only_without_connections_the_finest_encoder_reaches_the_output_through_the_bottom(connection):
    model = resexp.build_model("unet", **SMALL, model__connection=connection).eval()
    x = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = model(x)
        model.pool = torch.nn.Sequential(model.pool, Zero())  # nothing goes down
        assert torch.equal(model(x), model(x + 1)) == (connection == "none")
    assert before.shape == (1, 2, 16, 16)


class Zero(torch.nn.Module):
    def forward(self, x):
        return 0 * x


def test_a_residual_encoder_adds_what_it_receives():
    model = resexp.build_model("unet", **SMALL, model__encoder="residual").eval()
    block = model.down[0]
    torch.nn.init.zeros_(block.transform[-1].weight)
    torch.nn.init.zeros_(block.transform[-1].bias)
    x = torch.rand(1, 1, 8, 8)
    assert torch.equal(block(x)[:, :1], x)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"depth": 14}, ["model__depth", "14"]),
        ({"padding": "half"}, ["model__padding", "half", "valid", "same"]),
        ({"connection": "sum"}, ["model__connection", "sum", "add"]),
        ({"encoder": "residual", "padding": "valid"}, ["model__encoder=residual", "model__padding=same"]),
    ],
)
def test_what_does_not_fit_is_refused(choices, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        resexp.build_model("unet", dataset="cells", **{f"model__{k}": v for k, v in choices.items()})


def test_a_size_that_cannot_be_pooled_is_refused():
    model = resexp.build_model("unet", **SMALL)
    with pytest.raises(ValueError, match=mentions("18", "same")):
        model(torch.zeros(1, 1, 18, 18))


@pytest.mark.parametrize(("depth", "tile"), [(8, 32), (13, 52), (13, 64), (18, 100)])
def test_overlapping_tiles_give_what_one_pass_over_the_mirrored_image_gives(depth, tile):
    model = small(depth, "valid")
    x = torch.randn(1, 1, 41, 30, generator=torch.Generator().manual_seed(0)).double()
    margin = (tile - sides(tile, depth, "valid")[-1]) // 2
    room = next(n for n in range(41, 200) if poolable(n + 2 * margin, depth))
    pads = [(0, 0), (0, 0), (margin, room - 41 + margin), (margin, room - 30 + margin)]
    whole = model(torch.from_numpy(np.pad(x.numpy(), pads, mode="reflect")))[..., :41, :30].detach()
    torch.testing.assert_close(model.in_tiles(x, tile), whole, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize(("depth", "tile", "norm"), [(8, 28, "none"), (13, 52, "batch"), (18, 115, "none")])
def test_tiles_of_a_padded_network_give_what_one_pass_gives(depth, tile, norm):
    model = small(depth, "same", norm)
    x = torch.randn(2, 1, 72, 40, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        torch.testing.assert_close(model.in_tiles(x, tile), model(x), atol=1e-12, rtol=1e-9)


def test_tiles_of_a_volume():
    model = small(8, "same", dataset="tissue")
    x = torch.randn(1, 1, 6, 22, 6, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        torch.testing.assert_close(model.in_tiles(x, 32), model(x), atol=1e-12, rtol=1e-9)


def test_of_a_large_image_the_network_sees_only_tiles():
    model, seen = small(8, "same"), []
    model.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[2:]))
    model.in_tiles(torch.zeros(1, 1, 40, 40).double(), 32)
    assert len(seen) == 25
    assert max(max(size) for size in seen) == 32


@pytest.mark.parametrize(("padding", "tile"), [("valid", 16), ("valid", 41), ("same", 24)])
def test_a_tile_of_which_nothing_is_left_is_refused(padding, tile):
    with pytest.raises(ValueError, match=mentions(str(tile))):
        small(8, padding).in_tiles(torch.zeros(1, 1, 64, 64).double(), tile)


def small(depth, padding, norm="none", dataset="cells"):
    settings = {"model__width": 4, "model__depth": depth, "model__padding": padding}
    return resexp.build_model("unet", dataset=dataset, norm=norm, **settings).double().eval()


def poolable(side, depth):
    try:
        return bool(sides(side, depth, "valid"))
    except ValueError:
        return False


def test_three_dimensions():
    model = resexp.build_model("unet", **SMALL | {"dataset": "tissue"})
    x = torch.zeros(1, 1, 8, 8, 8)
    assert [y.shape[1:] for y in model.levels(x)] == [
        (4, 8, 8, 8), (8, 4, 4, 4), (16, 2, 2, 2), (8, 4, 4, 4), (4, 8, 8, 8)
    ]  # fmt: skip
    assert model(x).shape == (1, 2, 8, 8, 8)


def test_a_normalized_convolution_has_a_scale_and_a_shift_and_no_bias():
    """All counted: 9 a b for a convolution, 2 b for what normalizes it, 4 a b + b on the way up."""
    w, classes = 4, 2
    convolutions = [(1, w), (w, w), (w, 2 * w), (2 * w, 2 * w), (2 * w, w), (w, w)]
    expected = sum(9 * a * b + 2 * b for a, b in convolutions) + 4 * 2 * w * w + w + classes * (w + 1)
    model = resexp.build_model("unet", dataset="cells", model__depth=8, model__width=w, norm="batch")
    assert sum(p.numel() for p in model.parameters()) == expected


def test_what_a_preactivated_encoder_passes_on_is_activated(generator):
    """He et al. 2016, appendix: what follows the last sum is activated right after it."""
    choices = {"model__encoder": "residual", "model__padding": "same", "block": "full_preactivation"}
    model = resexp.build_model("unet", dataset="cells", model__depth=8, model__width=4, **choices)
    first, second, _ = model.levels(torch.randn(2, 1, 16, 16, generator=generator))
    for passed in (first, second):
        assert passed.min() == 0
