"""A torch module of one input [batch, d] as a network of the certificate, read from its exported graph."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from edgepde_runtime.errors import UnsupportedModel

from . import rules
from .aten import READ, Value, pointwise
from .network import Gather, Input, Network, Node

PROBES = 5


def from_module(module: torch.nn.Module, d: int) -> Network:
    """The network of a module that maps [batch, d] to one tensor [batch, ...], row by row.

    Raises UnsupportedModel naming the first node of the graph that has no rule, or where rows depend on each other.
    """
    module = module.eval()
    kind = next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), torch.float64)
    example = torch.linspace(-0.9, 0.7, d, dtype=kind)[None]
    with torch.no_grad():
        program = torch.export.export(module, (example,), strict=False)
        made = Reader(program, d).network()
        _check_rows(module, made, d, kind)
    return made


def _check_rows(module: torch.nn.Module, made: Network, d: int, kind: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(PROBES, d, generator=draw, dtype=torch.float64).to(kind)
    together = module(x).reshape(PROBES, -1).to(torch.float64)
    ours = made(x.to(torch.float64))
    tolerance = 1e-3 if kind != torch.float64 else 1e-9
    if together.shape != ours.shape or not torch.allclose(
        together, ours, rtol=tolerance, atol=tolerance, equal_nan=True
    ):
        raise UnsupportedModel("module: expected rows to be mapped one by one, got other values for a batch of rows")


class Reader:
    """Walks the graph; holds the nodes made so far."""

    def __init__(self, program: torch.export.ExportedProgram, d: int) -> None:
        self.program = program
        self.nodes: list[Node] = [Input(d)]
        self.widths = [d]
        self.known: dict[str, Any] = {}
        self.here = ""
        self._place_inputs(d)

    def _place_inputs(self, d: int) -> None:
        held: Mapping[str, Any] = {**self.program.state_dict, **self.program.constants}
        for spec in self.program.graph_signature.input_specs:
            if spec.target is not None and spec.target in held:
                self.known[spec.arg.name] = held[spec.target]
            else:
                self.known[spec.arg.name] = Value(0, np.arange(d)[None])

    def network(self) -> Network:
        """The network up to the graph's only output."""
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self.here = f"{node.name} ({node.target})"
                self.known[node.name] = self._call(node)
            elif node.op == "output":
                return self._finished(node.args[0])
        raise UnsupportedModel("module: expected an output")

    def _finished(self, results: Any) -> Network:
        if len(results) != 1:
            raise UnsupportedModel(f"output: expected one tensor, got {len(results)}")
        value = self.known[results[0].name]
        if not isinstance(value, Value):
            raise UnsupportedModel("output: expected a function of the input, got a constant")
        place = self.flat(value)
        if place != len(self.nodes) - 1:
            self.nodes.append(Gather((place,), torch.arange(value.index.size)))
        return Network(tuple(self.nodes))

    def _call(self, node: torch.fx.Node) -> Any:
        args = torch.fx.node.map_arg(node.args, lambda n: self.known[n.name])
        kwargs = torch.fx.node.map_arg(node.kwargs, lambda n: self.known[n.name])
        if not any(isinstance(a, Value) for a in _leaves(args)):
            with torch.no_grad():
                return node.target(*args, **kwargs)  # type: ignore[operator]
        name = getattr(node.target, "__name__", str(node.target)).split(".")[0]
        rule = READ.get(name) or (pointwise(name) if name in rules.functions() else None)
        if rule is None:
            raise UnsupportedModel(f"{self.here}: no certificate rule for {name}")
        return rule(self, *args, **kwargs)

    def add(self, node: Node, shape: tuple[int, ...]) -> Value:
        """One more node, of the given shape."""
        self.nodes.append(node)
        self.widths.append(math.prod(shape))
        return Value(len(self.nodes) - 1, np.arange(self.widths[-1]).reshape(shape))

    def flat(self, value: Value) -> int:
        """The place of a node that is the value's flat form."""
        index = value.index.ravel()
        whole = self.widths[value.node]
        if index.size == whole and bool((index == np.arange(whole)).all()):
            return value.node
        return self.add(Gather((value.node,), torch.from_numpy(index.copy())), value.index.shape).node

    def refuse(self, why: str) -> UnsupportedModel:
        """The error for the node being read."""
        return UnsupportedModel(f"{self.here}: {why}")


def _leaves(args: Any) -> list[Any]:
    if isinstance(args, list | tuple):
        return [leaf for a in args for leaf in _leaves(a)]
    return [args]
