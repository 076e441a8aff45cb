import pytest
import torch
import torch.nn.functional as F

from resexp.models.fused import NormReLU

SHAPES = [(4, 3), (3, 2, 5), (2, 3, 3, 2)]


def drawn(shape, with_residual):
    generator = torch.Generator().manual_seed(0)
    channels = shape[1]
    sizes = [shape, (channels,), (channels,), *([shape] if with_residual else [])]
    found = [
        torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True) for size in sizes
    ]
    return found if with_residual else [*found, None]


@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients_are_those_of_finite_differences(shape, with_residual):
    assert torch.autograd.gradcheck(lambda *a: NormReLU.apply(*a, 1e-5)[0], drawn(shape, with_residual))


@pytest.mark.parametrize("with_residual", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_statistics_and_gradients_are_those_of_torchs_layers(shape, with_residual):
    x, weight, bias, residual = drawn(shape, with_residual)
    y, mean, variance = NormReLU.apply(x, weight, bias, residual, 1e-5)
    running = torch.zeros(shape[1]).double(), torch.ones(shape[1]).double()
    expected = F.batch_norm(x, *running, weight, bias, training=True, momentum=1.0)
    expected = (expected if residual is None else expected + residual).relu()
    torch.testing.assert_close(y, expected)
    count = x.numel() // shape[1]
    torch.testing.assert_close((mean, variance * count / (count - 1)), running)
    inputs = [t for t in (x, weight, bias, residual) if t is not None]
    direction = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    ours, theirs = (torch.autograd.grad(out, inputs, direction) for out in (y, expected))
    torch.testing.assert_close(ours, theirs)
