"""Stacked hourglasses: parameters against a closed form, shapes, and what is supervised."""

import pytest
import torch
from helpers import mentions
from torch import nn

from resexp import build_model
from resexp.config.compose import compose, resolve
from resexp.config.instantiate import make
from resexp.models.hourglass import Hourglass, Stack

SMALL = {"dataset": "figures", "model__depth": 2, "model__width": 16, "model__stacks": 3}
IMAGES = torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(0))


def published(stacks):
    """The network of the authors' code for MPII, with its biases."""
    config = resolve(compose("train", ["dataset=keypoints", "model=hourglass", f"model.stacks={stacks}"]))
    config["model"]["parts"]["bias"] = True
    with torch.device("meta"):
        return make(config["model"], "model")


def conv(k, a, b):
    return k * k * a * b + b


def residual(a, b):
    norms = 2 * (a + b // 2 + b // 2)
    shortcut = conv(1, a, b) if a != b else 0
    return norms + conv(1, a, b // 2) + conv(3, b // 2, b // 2) + conv(1, b // 2, b) + shortcut


def counted(stacks, f=256, joints=16, depth=4):
    stem = conv(7, 3, 64) + 2 * 64 + residual(64, 128) + residual(128, 128) + residual(128, f)
    one = (3 * depth + 1) * residual(f, f) + residual(f, f) + conv(1, f, f) + 2 * f + conv(1, f, joints)
    return stem + stacks * one + (stacks - 1) * (conv(1, f, f) + conv(1, joints, f))


@pytest.mark.parametrize(("stacks", "theirs"), [(1, 3_426_448), (2, 6_570_400), (8, 25_434_112)])
def test_the_parameters_are_those_of_the_authors_code(stacks, theirs):
    """`theirs`: counted in princeton-vl/pytorch_stacked_hourglass at ceedc14, without the skip_layers that it
    makes and never calls."""
    assert sum(p.numel() for p in published(stacks).parameters()) == counted(stacks) == theirs


def test_the_published_shapes():
    model = build_model("hourglass", dataset="keypoints", model__stacks=2, model__width=8).eval()
    assert model(torch.zeros(1, 3, 256, 256)).shape == (1, 2, 16, 64, 64)


def test_without_the_stems_pooling_maps_are_twice_as_large():
    model = build_model("hourglass", **SMALL, model__pooled=False)
    assert model(IMAGES).shape == (2, 3, 14, 16, 16)


def test_supervision_chooses_what_is_given_and_changes_nothing_else():
    every, last = (build_model("hourglass", **SMALL, model__supervision=s).eval() for s in ("every", "last"))
    last.load_state_dict(every.state_dict())
    with torch.no_grad():
        assert torch.equal(every(IMAGES)[:, -1:], last(IMAGES))
        assert torch.equal(every(IMAGES), last.maps(IMAGES))


def test_predictions_go_into_the_next_stack():
    model = build_model("hourglass", **SMALL).eval()
    with torch.no_grad():
        before = model(IMAGES)
        model.stacks[1].back[1].bias += 1  # of what the second stack's heat maps add
        after = model(IMAGES)
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])


def test_what_a_scale_adds_is_all_that_is_left_without_the_coarser_ones():
    model = build_model("hourglass", **SMALL).eval()
    hourglass, x = model.stacks[0].hourglass, torch.randn(1, 16, 8, 8)
    coarser = hourglass.up[-1]
    for parameter in [*coarser.transform[-1].parameters(), *coarser.transform[-1].buffers()]:
        torch.nn.init.zeros_(parameter)
    hourglass.inner = torch.nn.Module()
    hourglass.inner.forward = torch.zeros_like
    with torch.no_grad():
        torch.testing.assert_close(hourglass(x), hourglass.link(x))


def test_every_head_starts_small():
    model = build_model("hourglass", **SMALL)
    for stack in model.stacks:
        assert stack.head.weight.abs().max() <= 16**-0.5


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"model__width": 12}, ("model__width", "8", "12")),
        ({"model__supervision": "first"}, ("model__supervision", "every", "last", "first")),
        ({"dataset": "mnist1d"}, ("dataset__dims=2", "1")),
    ],
)
def test_bad_choices_are_refused(settings, words):
    with pytest.raises(ValueError, match=mentions(*words)):
        build_model("hourglass", **(SMALL | settings))


def test_images_that_cannot_be_pooled_are_refused():
    with pytest.raises(ValueError, match=mentions("16", "24", "model.depth")):
        build_model("hourglass", **SMALL)(torch.zeros(1, 1, 24, 24))


def test_an_hourglass_of_identities_adds_the_maxima_of_squares_that_grow():
    x = torch.randn(1, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    found = Hourglass(2, nn.Sequential)(x)
    for row in range(8):
        for column in range(8):
            squares = [
                x[0, :, row // k * k : row // k * k + k, column // k * k : column // k * k + k].amax((1, 2))
                for k in (2, 4)
            ]
            torch.testing.assert_close(found[0, :, row, column], x[0, :, row, column] + sum(squares))


def test_the_next_stack_gets_its_input_and_what_was_made_of_it():
    """Newell et al. 2016, figure 4."""
    back = nn.ModuleList([nn.Conv2d(3, 3, 1), nn.Conv2d(2, 3, 1)])
    stack = Stack(nn.Identity(), nn.Tanh(), nn.Conv2d(3, 2, 1), back)
    x = torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    maps, after = stack(x)

    def mixed(layer, inputs):
        return torch.einsum("dc,bchw->bdhw", layer.weight[:, :, 0, 0], inputs) + layer.bias[:, None, None]

    torch.testing.assert_close(maps, mixed(stack.head, x.tanh()))
    torch.testing.assert_close(after, x + mixed(back[0], x.tanh()) + mixed(back[1], maps))
