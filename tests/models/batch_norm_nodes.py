"""Batch normalization's forward and backward pass, node by node, as UDL figure 11.15 draws it."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Nodes:
    """The intermediate results f1 ... f7 for a batch z of one unit, shape (batch,) where not noted.

    f1 = mean(z), a number; f2 = z - f1; f3 = f2^2; f4 = mean(f3), a number; f5 = sqrt(f4 + eps);
    f6 = 1 / f5; f7 = f2 f6; the output is gamma f7 + delta.
    """

    f1: Tensor
    f2: Tensor
    f3: Tensor
    f4: Tensor
    f5: Tensor
    f6: Tensor
    f7: Tensor
    output: Tensor


def forward(z: Tensor, gamma: Tensor, delta: Tensor, *, eps: float) -> Nodes:
    """All nodes of the graph.

    Args:
        z: the batch, (batch,) or (batch, units), each unit by itself.
        gamma, delta: scale and shift.
        eps: added to the variance.
    """
    f1 = z.mean(dim=0)
    f2 = z - f1
    f3 = f2**2
    f4 = f3.mean(dim=0)
    f5 = torch.sqrt(f4 + eps)
    f6 = 1 / f5
    f7 = f2 * f6
    return Nodes(f1, f2, f3, f4, f5, f6, f7, gamma * f7 + delta)


def backward(nodes: Nodes, gamma: Tensor, d_output: Tensor) -> dict[str, Tensor]:
    """Derivatives of a scalar with respect to every node, from the output back to z.

    Args:
        nodes: of the forward pass.
        d_output: the scalar's derivative with respect to the output, in its shape.
    Returns:
        z, f1 ... f7, gamma and delta.
    Source: UDL problem 11.10. Each node collects what comes back from all nodes that read it: f2 from
    f3 and f7, and z from f2 and f1.
    """
    batch = len(d_output)
    d_f7 = d_output * gamma
    d_f6 = (d_f7 * nodes.f2).sum(dim=0)
    d_f5 = -d_f6 / nodes.f5**2
    d_f4 = d_f5 / (2 * nodes.f5)
    d_f3 = (d_f4 / batch).expand_as(nodes.f3)
    d_f2 = d_f7 * nodes.f6 + d_f3 * 2 * nodes.f2
    d_f1 = -d_f2.sum(dim=0)
    return {
        "f7": d_f7, "f6": d_f6, "f5": d_f5, "f4": d_f4, "f3": d_f3, "f2": d_f2, "f1": d_f1,
        "z": d_f2 + d_f1 / batch,
        "gamma": (d_output * nodes.f7).sum(dim=0),
        "delta": d_output.sum(dim=0),
    }  # fmt: skip
