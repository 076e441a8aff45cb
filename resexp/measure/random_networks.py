"""Many random fully connected networks at once, carried forward with their derivative.

A pair of tensors (h, t) of shape (networks, inputs, width) runs through the layers: h holds the
units, t their derivative along one direction of the input (forward-mode differentiation: dual
numbers). All networks, inputs and depths take one forward pass; no graph is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

NORMALIZATIONS = ("none", "center", "batch")
KINDS = ("feedforward", "residual", "looks_linear")
FIRST_WEIGHTS = ("ones", "unit", "width")
EPSILON = 1e-5


@dataclass(frozen=True)
class Setup:
    """How the networks are built and initialized.

    Args:
        kind: feedforward: h' = W relu(n(h)) + b; residual: h' = h + branch_scale W relu(n(h));
            looks_linear: h' = W relu(h) - W relu(-h), mirrored weights over concatenated ReLUs.
        gain: variance of the weights times the width: 1 (Glorot) or 2 (He et al. 2015b).
        bias: draw biases with the same variance as the weights; otherwise there are none.
        normalization: n: none; center: each unit's mean over the inputs subtracted; batch: also
            divided by its standard deviation over the inputs.
        normalized_from: the first hidden layer or block that is normalized, from 1. Centering the
            first layer of a network with one input takes its biases out again, so that all its
            units have their kink at the same input.
        through_statistics: whether the derivative goes through these means and deviations, or
            holds them fixed.
        branch_scale: beta of a residual network.
        first_weights: ones: all are 1; unit: N(0, 1 / features), so that units begin with the
            variance of the inputs; width: N(0, first_gain / width).
        first_gain: variance of the first weights times the width, where they are of `width`.
        first_bias: variance of the first layer's biases; null: like the other layers' (`bias`).
        output_gain: variance of the output weights times the width.
    Raises:
        ValueError: a word that is not in these lists, a number out of range, or biases where the
            kind has none.
    """

    kind: str
    gain: float
    bias: bool
    normalization: str
    normalized_from: int
    through_statistics: bool
    branch_scale: float
    first_weights: str
    first_gain: float
    first_bias: float | None
    output_gain: float

    def __post_init__(self):
        for key, allowed in (
            ("kind", KINDS), ("normalization", NORMALIZATIONS), ("first_weights", FIRST_WEIGHTS),
        ):  # fmt: skip
            if getattr(self, key) not in allowed:
                value = getattr(self, key)
                raise ValueError(f"setup.{key} must be one of {', '.join(allowed)}, got {value}")
        if self.bias and self.kind != "feedforward":
            raise ValueError(f"setup.bias needs setup.kind=feedforward, got {self.kind}")
        if self.normalized_from < 1:
            raise ValueError(f"setup.normalized_from must be at least 1, got {self.normalized_from}")
        for key in ("gain", "first_gain", "first_bias", "output_gain"):
            if (variance := getattr(self, key) or 0) < 0:
                raise ValueError(f"setup.{key} is a variance and must be at least 0, got {variance}")


def forward(
    setup: Setup, x: Tensor, direction: Tensor, *, width: int, layers: int, generator: torch.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Carry inputs and a direction through networks whose weights are drawn layer by layer.

    The carried derivative holds the statistics of normalization fixed. The values follow
    `through_statistics` in reverse mode, when x asks for its gradient. Otherwise a layer is computed
    in the memory of the one before the last: fresh memory costs more than the arithmetic of a ReLU.

    Args:
        setup: of the networks.
        x: inputs, (networks, inputs, features).
        direction: in which the input moves, (features,), the same at every input.
        width: units per layer.
        layers: hidden layers.
        generator: of all weights; on x's device.
    Yields:
        After each hidden layer: what a linear output layer reads, its derivative along the
        direction, both (networks, inputs, width or, looks-linear, 2 width), and the outputs of the
        layer's ReLUs, of the same shape (see active_units). They hold until the next layer is asked for.
    """
    networks, inputs, features = x.shape
    reuse = not x.requires_grad
    buffers = [x.new_empty(networks, 2 * inputs, width) for _ in range(2 * reuse)]

    def draw(rows: int, variance: float) -> Tensor:
        shape = (networks, rows, width)
        weights = torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)
        return weights.mul_(variance**0.5)

    def product(layer: int, activated: Tensor, weights: Tensor) -> Tensor:
        return torch.matmul(activated, weights, out=buffers[layer % 2]) if reuse else activated @ weights

    variance = setup.gain / width
    if setup.first_weights == "ones":
        first = x.new_ones(networks, features, width)
    else:
        first = draw(features, 1 / features if setup.first_weights == "unit" else setup.first_gain / width)
    h = x @ first
    if first_bias := (variance * setup.bias if setup.first_bias is None else setup.first_bias):
        h = h + draw(1, first_bias)
    both = torch.cat([h, (direction @ first).unsqueeze(1).expand_as(h)], dim=1)
    for layer in range(layers):
        normalized = _normalize(setup, both, reuse) if layer + 1 >= setup.normalized_from else both
        # the stream of a residual network is needed again; no other layer is
        keep = setup.kind == "residual" and normalized is both
        activated = _activate(setup, normalized, keep=keep)
        relu = activated.chunk(2, dim=1)[0]
        if setup.kind == "residual":
            branch = product(layer, activated, draw(width, variance)).mul_(setup.branch_scale)
            both = both.add_(branch) if reuse else both + branch
            yield *both.chunk(2, dim=1), relu
            continue
        yield *activated.chunk(2, dim=1), relu
        if layer < layers - 1:
            both = product(layer, activated, mirrored(setup, draw(width, variance)))
            if setup.bias:
                both[:, :inputs] += draw(1, variance)


def mirrored(setup: Setup, weights: Tensor) -> Tensor:
    """Weights of a layer that reads the activations: [W, -W] for looks-linear networks."""
    return torch.cat([weights, -weights], dim=1) if setup.kind == "looks_linear" else weights


def active_units(setup: Setup, relu: Tensor) -> Tensor:
    """Which units are active, from the ReLUs' outputs; of a unit and its mirror image exactly one is."""
    if setup.kind != "looks_linear":
        return relu > 0
    active = relu.chunk(2, dim=2)[0] > 0
    return torch.cat([active, ~active], dim=2)


def _activate(setup: Setup, both: Tensor, *, keep: bool) -> Tensor:
    """ReLU of the units, the first half of dimension 1; derivatives, the second half, where they are active.

    In the memory of `both` unless it is to be kept or autograd needs it. threshold_backward is ReLU's own
    backward pass: multiplying by a mask takes six times as long.
    """
    h, t = both.chunk(2, dim=1)
    if setup.kind == "looks_linear":  # concatenated ReLU; at 0 the mirror image is the active one
        passed = t * (h > 0)
        return torch.cat([torch.cat([h, -h], dim=2).relu(), torch.cat([passed, passed - t], dim=2)], dim=1)
    if both.requires_grad:
        return torch.cat([h.relu(), t * (h > 0)], dim=1)
    both = both.clone() if keep else both
    h, t = both.chunk(2, dim=1)
    torch.ops.aten.threshold_backward.grad_input(t, h, 0, grad_input=t)
    h.relu_()
    return both


def _normalize(setup: Setup, both: Tensor, reuse: bool) -> Tensor:
    """Units over the inputs; their derivatives follow the scale."""
    if setup.normalization == "none":
        return both

    def statistic(value: Tensor) -> Tensor:
        return value if setup.through_statistics else value.detach()

    if reuse:  # in place, of a residual network in a copy
        both = both.clone() if setup.kind == "residual" else both
        h = both.chunk(2, dim=1)[0]
        h.sub_(h.mean(dim=1, keepdim=True))
        if setup.normalization == "batch":
            both.mul_((h.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt())
        return both
    h, t = both.chunk(2, dim=1)
    h = h - statistic(h.mean(dim=1, keepdim=True))
    if setup.normalization == "batch":
        inverse = statistic((h.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt())
        h, t = h * inverse, t * inverse
    return torch.cat([h, t], dim=1)


def chunks(networks: int, size: int) -> list[range]:
    """Network numbers in groups of `size`: a group's weights depend on its place alone.

    So memory stays bounded, and network 37 is the same among 100 and among 10,000.
    """
    return [range(start, min(start + size, networks)) for start in range(0, networks, size)]


def generator_of(seed: int, chunk: range, stream: int, device: torch.device) -> torch.Generator:
    """A generator for a group of networks: stream 0 for hidden weights, L for depth L's readout."""
    return torch.Generator(device).manual_seed((seed * 10**7 + chunk.start) * 10**4 + stream)
