import pytest
import torch
import torch.nn.functional as F
from helpers import mentions
from torch import nn

from resexp.models.norms import BatchNorm, GhostBatchNorm, StdBatchNorm, group, instance, layer
from tests.models import batch_norm_nodes as batch_norm_backward

SHAPES = [(12, 6), (12, 6, 5), (12, 6, 5, 4)]


def drawn(shape, generator):
    return torch.randn(shape, generator=generator) * 3 + 1


def with_affine(norm, generator):
    norm.weight.data = torch.rand(6, generator=generator) + 0.5
    norm.bias.data = torch.randn(6, generator=generator)
    return norm


def normalized(x, dims):
    mean, variance = x.mean(dims, keepdim=True), x.var(dims, correction=0, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


def affine(norm, y):
    shape = (1, 6, *[1] * (y.dim() - 2))
    return y * norm.weight.view(shape) + norm.bias.view(shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_layer_takes_its_statistics_over_all_but_the_batch(generator, shape):
    x, norm = drawn(shape, generator), with_affine(layer(6), generator)
    expected = affine(norm, normalized(x, tuple(range(1, x.dim()))))
    torch.testing.assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_instance_takes_its_statistics_over_the_positions(generator, shape):
    x, norm = drawn(shape, generator), with_affine(instance(6), generator)
    expected = affine(norm, normalized(x, tuple(range(2, x.dim()))))
    torch.testing.assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)
    theirs = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d}[x.dim()](6, affine=True)
    theirs.load_state_dict(norm.state_dict())
    torch.testing.assert_close(norm(x), theirs(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_group_takes_its_statistics_over_groups_of_channels(generator, shape):
    x, norm = drawn(shape, generator), with_affine(group(6, groups=2), generator)
    grouped = x.view(12, 2, 3, *shape[2:])
    expected = affine(norm, normalized(grouped, tuple(range(2, grouped.dim()))).view(shape))
    torch.testing.assert_close(norm(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_takes_its_statistics_over_batch_and_positions(generator, shape):
    x, norm = drawn(shape, generator), with_affine(BatchNorm(6), generator)
    dims = (0, *range(2, x.dim()))
    torch.testing.assert_close(norm(x), affine(norm, normalized(x, dims)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_ghost_is_batch_normalization_of_each_part(generator, shape):
    x, norm = drawn(shape, generator), with_affine(GhostBatchNorm(6, size=5), generator)
    theirs = with_affine(BatchNorm(6), generator)
    theirs.load_state_dict(norm.state_dict())
    expected = torch.cat([theirs(part) for part in (x[:5], x[5:10], x[10:])])
    torch.testing.assert_close(norm(x), expected)
    torch.testing.assert_close(norm.running_mean, theirs.running_mean)
    torch.testing.assert_close(norm.running_var, theirs.running_var)
    torch.testing.assert_close(norm.eval()(x), theirs.eval()(x))


def test_ghost_of_the_whole_batch_is_batch_normalization(generator):
    x = drawn((12, 6, 5), generator)
    assert torch.equal(GhostBatchNorm(6, size=12)(x), BatchNorm(6)(x))


def test_ghost_refuses_empty_parts():
    with pytest.raises(ValueError, match=mentions("norm.size", "1", "0")):
        GhostBatchNorm(6, size=0)


def test_learned_numbers_are_a_scale_and_a_shift_per_channel():
    for norm in (BatchNorm(6), GhostBatchNorm(6, size=3), layer(6), group(6, groups=3), instance(6)):
        assert {name: p.shape for name, p in norm.named_parameters()} == {"weight": (6,), "bias": (6,)}


def test_batch_norm_backward_is_autograds_at_every_node(generator):
    z = torch.randn(9, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    gamma, delta = torch.randn(2, 3, generator=generator, dtype=torch.float64).unbind()
    gamma.requires_grad_(), delta.requires_grad_()
    nodes = batch_norm_backward.forward(z, gamma, delta, eps=1e-5)
    torch.testing.assert_close(
        nodes.output, F.batch_norm(z, None, None, gamma, delta, training=True, eps=1e-5)
    )
    d_output = torch.randn(9, 3, generator=generator, dtype=torch.float64)
    names = ["f1", "f2", "f3", "f4", "f5", "f6", "f7"]
    tensors = [z, gamma, delta, *(getattr(nodes, name) for name in names)]
    expected = torch.autograd.grad((nodes.output * d_output).sum(), tensors)
    found = batch_norm_backward.backward(nodes, gamma, d_output)
    for name, gradient in zip(["z", "gamma", "delta", *names], expected, strict=True):
        torch.testing.assert_close(found[name], gradient, rtol=1e-10, atol=1e-12)


def test_group_refuses_what_does_not_divide():
    with pytest.raises(ValueError, match=mentions("norm.groups", "16", "3")):
        group(16, groups=3)


@pytest.mark.parametrize("shape", SHAPES)
def test_std_batch_norm_is_the_lectures_formula(shape, generator):
    norm, theirs, x = StdBatchNorm(6, eps=0.1), BatchNorm(6), drawn(shape, generator)
    with_affine(norm, generator)
    channels = x.movedim(1, 0).flatten(1)
    h = (channels - channels.mean(1, keepdim=True)) / (channels.std(1, correction=0, keepdim=True) + 0.1)
    expected = h * norm.weight.view(-1, 1) + norm.bias.view(-1, 1)
    torch.testing.assert_close(norm(x).movedim(1, 0).flatten(1), expected)
    theirs(x)
    torch.testing.assert_close(norm.running_mean, theirs.running_mean)
    torch.testing.assert_close(norm.running_var, theirs.running_var)
    norm.eval()
    view = (6, *[1] * (x.dim() - 2))
    h = (x - norm.running_mean.view(view)) / (norm.running_var.sqrt() + 0.1).view(view)
    torch.testing.assert_close(norm(x), h * norm.weight.view(view) + norm.bias.view(view))


@pytest.mark.parametrize("s", [1.0, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
def test_where_eps_is_added_matters_at_small_s(s):
    """x = s or -s has the standard deviation s: outputs s / (s + eps) and s / sqrt(s^2 + eps)."""
    x = torch.tensor([[s], [-s]], dtype=torch.float64)
    added = StdBatchNorm(1, eps=1e-5).double()(x)[0, 0].item()
    under = BatchNorm(1, eps=1e-5).double()(x)[0, 0].item()
    assert added == pytest.approx(s / (s + 1e-5), rel=1e-6)
    assert under == pytest.approx(s / (s * s + 1e-5) ** 0.5, rel=1e-6)
    assert added == pytest.approx(under, abs=1e-4) if s == 1 else added > under


def test_std_batch_norm_has_a_gradient_at_constant_inputs():
    """d y_i / d x_j = (delta_ij - 1 / n) / eps, with s held fixed at 0."""
    x = torch.full((4, 1), 3.0, dtype=torch.float64, requires_grad=True)
    StdBatchNorm(1, eps=1e-3).double()(x)[0, 0].backward()
    torch.testing.assert_close(x.grad[:, 0], torch.tensor([0.75, -0.25, -0.25, -0.25]).double() / 1e-3)


def test_batch_normalization_is_torchs_bit_for_bit_and_counts_no_batches():
    ours, theirs = BatchNorm(5), torch.nn.BatchNorm2d(5)
    for seed in range(3):
        x = torch.randn(4, 5, 3, 3, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.running_mean, theirs.running_mean)
    assert ours.num_batches_tracked == 0
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
