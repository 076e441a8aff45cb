"""Forward-mode differentiation of many random fully connected networks at once.

A pair of tensors (h, t) of shape (networks, inputs, width) is propagated through the layers: h holds
the units, t their derivative along one direction of the input (dual numbers). A single forward pass
covers all networks, inputs and depths; no graph is kept.
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
        normalization: n. none: the identity; center: subtract each unit's mean over the inputs;
            batch: also divide by its standard deviation over the inputs.
        normalized_from: index of the first normalized hidden layer or block, from 1. With
            one-dimensional inputs, centering the first layer cancels its biases: all units then have
            their kink at the same input.
        through_statistics: whether these means and standard deviations are differentiated; otherwise
            they are treated as constants.
        branch_scale: beta of a residual network.
        first_weights: ones: all are 1; unit: N(0, 1 / features), so that the first layer preserves
            the variance of the inputs; width: N(0, first_gain / width).
        first_gain: variance of the first weights times the width; used with first_weights=width only.
        first_bias: variance of the first layer's biases; null: as in the other layers (`bias`).
        output_gain: variance of the output weights times the width.
    Raises:
        ValueError: an unknown kind, normalization or first_weights; a number out of range; or biases
            in a network that is not feedforward.
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
    """Propagate inputs and a direction through networks whose weights are drawn layer by layer.

    The forward-mode derivative treats the statistics of normalization as constants. `through_statistics`
    affects reverse mode only, i.e. when x requires a gradient. When it does not, each layer reuses the
    memory of the layer before the last: allocation would cost more than the arithmetic of a ReLU.

    Args:
        setup: of the networks.
        x: inputs, (networks, inputs, features).
        direction: of the derivative, (features,); the same at every input.
        width: units per layer.
        layers: hidden layers.
        generator: of all weights; on x's device.
    Yields:
        After each hidden layer: the input of a linear output layer and its derivative along the
        direction, both (networks, inputs, width or, for looks_linear, 2 width), and the outputs of the
        layer's ReLUs, of the same shape (see active_units). The next iteration overwrites all three.
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
    pair = torch.cat([h, (direction @ first).unsqueeze(1).expand_as(h)], dim=1)
    for layer in range(layers):
        normalized = _normalize(setup, pair, reuse) if layer + 1 >= setup.normalized_from else pair
        # the shortcut needs the unmodified stream; other layers do not need their input again
        keep_input = setup.kind == "residual" and normalized is pair
        activated = _activate(setup, normalized, keep_input=keep_input)
        relu = activated.chunk(2, dim=1)[0]
        if setup.kind == "residual":
            branch = product(layer, activated, draw(width, variance)).mul_(setup.branch_scale)
            pair = pair.add_(branch) if reuse else pair + branch
            yield *pair.chunk(2, dim=1), relu
            continue
        yield *activated.chunk(2, dim=1), relu
        if layer < layers - 1:
            pair = product(layer, activated, mirrored(setup, draw(width, variance)))
            if setup.bias:
                pair[:, :inputs] += draw(1, variance)


def mirrored(setup: Setup, weights: Tensor) -> Tensor:
    """Weights of a layer that follows an activation: [W, -W] in looks-linear networks."""
    return torch.cat([weights, -weights], dim=1) if setup.kind == "looks_linear" else weights


def active_units(setup: Setup, relu: Tensor) -> Tensor:
    """Mask of active units, given the ReLUs' outputs. Either a unit or its mirror image is active."""
    if setup.kind != "looks_linear":
        return relu > 0
    active = relu.chunk(2, dim=2)[0] > 0
    return torch.cat([active, ~active], dim=2)


def _activate(setup: Setup, pair: Tensor, *, keep_input: bool) -> Tensor:
    """Apply the ReLU to units and derivatives, the two halves of dimension 1.

    In place, unless the input is kept or autograd needs it. threshold_backward is the backward pass of ReLU;
    multiplying by a mask takes six times as long.
    """
    h, t = pair.chunk(2, dim=1)
    if setup.kind == "looks_linear":  # concatenated ReLU; at 0 the mirror image is the active one
        passed = t * (h > 0)
        return torch.cat([torch.cat([h, -h], dim=2).relu(), torch.cat([passed, passed - t], dim=2)], dim=1)
    if pair.requires_grad:
        return torch.cat([h.relu(), t * (h > 0)], dim=1)
    pair = pair.clone() if keep_input else pair
    h, t = pair.chunk(2, dim=1)
    torch.ops.aten.threshold_backward.grad_input(t, h, 0, grad_input=t)
    h.relu_()
    return pair


def _normalize(setup: Setup, pair: Tensor, reuse: bool) -> Tensor:
    """Normalize each unit over the inputs; its derivative is scaled by the same factor."""
    if setup.normalization == "none":
        return pair

    def statistic(value: Tensor) -> Tensor:
        return value if setup.through_statistics else value.detach()

    if reuse:  # in place, except for the stream of a residual network
        pair = pair.clone() if setup.kind == "residual" else pair
        h = pair.chunk(2, dim=1)[0]
        h.sub_(h.mean(dim=1, keepdim=True))
        if setup.normalization == "batch":
            pair.mul_((h.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt())
        return pair
    h, t = pair.chunk(2, dim=1)
    h = h - statistic(h.mean(dim=1, keepdim=True))
    if setup.normalization == "batch":
        inverse = statistic((h.square().mean(dim=1, keepdim=True) + EPSILON).rsqrt())
        h, t = h * inverse, t * inverse
    return torch.cat([h, t], dim=1)


def chunks(networks: int, size: int) -> list[range]:
    """Split the network indices into chunks of `size`.

    A chunk's weights depend on its position only. Memory is bounded, and network 37 is the same whether
    100 or 10,000 networks are drawn.
    """
    return [range(start, min(start + size, networks)) for start in range(0, networks, size)]


def generator_of(seed: int, chunk: range, number: int, device: torch.device) -> torch.Generator:
    """Random generator of a chunk: number 0 for the hidden weights, L for the output layer at depth L."""
    return torch.Generator(device).manual_seed((seed * 10**7 + chunk.start) * 10**4 + number)
