"""What the vectors of a network are at points, and how the output depends on them there."""

from __future__ import annotations

import torch
from torch import Tensor

from edgepde.certify.network import Affine, Input, Network, value_of


def values(network: Network, x: Tensor) -> list[Tensor]:
    """Every node's vector [N, width] at points x [N, d]."""
    made: list[Tensor] = []
    for node in network.nodes:
        made.append(x if isinstance(node, Input) else value_of(node, [made[s] for s in node.sources]))
    return made


def adjoints(network: Network, x: Tensor) -> tuple[list[Tensor], dict[int, Tensor]]:
    """(values, {place: d out / d node [m, N, width]}) of every affine node at points x [N, d]."""
    made: list[Tensor] = []
    probes: dict[int, Tensor] = {}
    with torch.enable_grad():
        for place, node in enumerate(network.nodes):
            value = x if isinstance(node, Input) else value_of(node, [made[s] for s in node.sources])
            if isinstance(node, Affine):
                probes[place] = torch.zeros_like(value, requires_grad=True)
                value = value + probes[place]
            made.append(value)
        out, wanted = made[-1], list(probes.values())
        slopes = [
            torch.autograd.grad(out[:, k].sum(), wanted, retain_graph=True, materialize_grads=True)
            for k in range(out.shape[1])
            if out.requires_grad
        ]
    stacked = {
        place: torch.stack([s[i] for s in slopes]) if slopes else probe.new_zeros(out.shape[1], *probe.shape)
        for i, (place, probe) in enumerate(probes.items())
    }
    return [v.detach() for v in made], stacked


def replaced(network: Network, changes: dict[int, tuple[Tensor, Tensor]]) -> Network:
    """The network with other (weight, bias) at places of affine or elementwise nodes."""
    nodes = [
        type(node)(node.sources, *changes[place]) if place in changes else node  # type: ignore[call-arg]
        for place, node in enumerate(network.nodes)
    ]
    return Network(tuple(nodes))
