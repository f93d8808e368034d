"""Which layer costs most of the largest term, in words for who has to change it."""

from __future__ import annotations

from edgepde_runtime.box import Box
from edgepde_runtime.certificate import OutputCertificate

from edgepde.certify.blame import Cost, costs, rounding_costs
from edgepde.certify.expanding import wide
from edgepde.certify.family import Family
from edgepde.certify.network import Affine, Network, Scale
from edgepde.certify.prove import Lineage
from edgepde.certify.rounding import Arithmetic


def costliest(entry: OutputCertificate, lineage: Lineage, where: Box | Family) -> str:
    """`; most of it is compression, layer 2 of 3 (64 x 64)`, or nothing where no term after `model` stands out."""
    values = {
        name: entry.terms[name].value or 0.0 for name in ("compression", "quantisation", "rounding", "activation")
    }
    name = max(values, key=lambda term: values[term])
    if not values[name] or any(wide(net) for net in (lineage.reference, lineage.module, lineage.graph)):
        return ""
    network = lineage.module if name == "compression" else lineage.graph
    return f"; most of it is {name}{_layer(_costs(name, lineage, where), network)}"


def _costs(name: str, lineage: Lineage, where: Box | Family) -> list[Cost]:
    if name == "compression":
        return costs(lineage.reference, lineage.module, where)
    if name == "quantisation":
        return costs(lineage.module, lineage.graph, where)
    return rounding_costs(lineage.graph, where, Arithmetic("float64" if lineage.dtype == "float64" else "float32"))


def _layer(made: list[Cost], network: Network) -> str:
    layers = [place for place, node in enumerate(network.nodes) if isinstance(node, Affine | Scale)]
    if not made or made[0].place >= len(network.nodes) or not layers:
        return ""
    place = max((p for p in layers if p <= made[0].place), default=layers[0])
    size = " x ".join(str(n) for n in network.nodes[place].weight.shape)  # type: ignore[attr-defined]
    return f", layer {layers.index(place) + 1} of {len(layers)} ({size})"
