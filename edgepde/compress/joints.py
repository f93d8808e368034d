"""Where a network can lose neurons: affine, pointwise, affine, with one reader in between."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from edgepde.certify.network import Affine, Network, Node, Pointwise, Scale


@dataclass(frozen=True)
class Joint:
    """Hidden neurons between two affine maps: places of the map before, of what acts on each neuron, of that after."""

    before: int
    inner: tuple[int, ...]
    after: int


@dataclass(frozen=True)
class Layout:
    """The joints in order, and why other affine maps stay as they are, by place."""

    joints: tuple[Joint, ...]
    kept: dict[int, str]


def layout(network: Network) -> Layout:
    """The joints of a network; an affine map in none of them has its reason in `kept`."""
    readers = [[] for _ in network.nodes]  # type: list[list[int]]
    for place, node in enumerate(network.nodes):
        for source in node.sources:
            readers[source].append(place)
    shared = _shared(network)
    joints, kept = [], {}
    for place, node in enumerate(network.nodes):
        if not isinstance(node, Affine):
            continue
        found = _joint(network, readers, place)
        if place in shared:
            kept[place] = "its matrix is shared with another layer"
        elif isinstance(found, str):
            kept[place] = found
        elif found.after in shared:
            kept[place] = "the layer that reads it shares its matrix"
        else:
            joints.append(found)
    return Layout(tuple(joints), kept)


def shared_places(network: Network) -> frozenset[int]:
    """Affine maps whose matrix is that of another one too."""
    return frozenset(_shared(network))


def repeated(network: Network) -> dict[int, int]:
    """Affine maps whose matrix is stored already, with the place that stores it."""
    affine = [(p, n) for p, n in enumerate(network.nodes) if isinstance(n, Affine)]
    made: dict[int, int] = {}
    for number, (place, node) in enumerate(affine):
        for before, other in affine[:number]:
            if node.weight.shape == other.weight.shape and torch.equal(node.weight, other.weight):
                made[place] = before
                break
    return made


def affine(network: Network, place: int) -> Affine:
    """The affine map at a place."""
    node = network.nodes[place]
    assert isinstance(node, Affine)
    return node


def numbers(network: Network, place: int) -> int:
    """How many numbers an affine map stores: those of its matrix and bias that no other one stores already."""
    node = network.nodes[place]
    assert isinstance(node, Affine)
    first = repeated(network).get(place)
    if first is None:
        return node.weight.numel() + len(node.bias)
    other = network.nodes[first]
    assert isinstance(other, Affine)
    return 0 if torch.equal(node.bias, other.bias) else len(node.bias)


def _shared(network: Network) -> set[int]:
    found = repeated(network)
    return set(found) | set(found.values())


def _joint(network: Network, readers: list[list[int]], place: int) -> Joint | str:
    inner: list[int] = []
    here = place
    while True:
        if here == len(network.nodes) - 1:
            return "it is the output" if not inner else "its neurons are outputs"
        if len(readers[here]) != 1:
            return f"its neurons are read {len(readers[here])} times (a skip or a fork)"
        reader = readers[here][0]
        node: Node = network.nodes[reader]
        if isinstance(node, Pointwise | Scale):
            inner.append(reader)
            here = reader
        elif isinstance(node, Affine):
            pointwise = any(isinstance(network.nodes[i], Pointwise) for i in inner)
            return Joint(place, tuple(inner), reader) if pointwise else "no function between it and the next layer"
        else:
            return f"its neurons go into a {type(node).__name__.lower()}"
