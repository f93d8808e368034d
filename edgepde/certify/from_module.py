"""A torch module of one input [batch, d] as a network of the certificate, read from its exported graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, final

import torch
from edgepde_runtime.errors import UnsupportedModel

from . import rules
from .aten import READ, pointwise
from .building import Builder, Value
from .network import Network

PROBES = 5


def from_module(module: torch.nn.Module, d: int, output: int | None = None) -> Network:
    """The network of a module that maps [batch, d] to one tensor [batch, ...], row by row; output: which of a tuple.

    Raises UnsupportedModel naming the first node of the graph that has no rule, or where rows depend on each other.
    """
    module = module.eval()
    kind = next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), torch.float64)
    example = torch.linspace(-0.9, 0.7, d, dtype=kind)[None]
    with torch.no_grad():
        program = torch.export.export(module, (example,), strict=False)
        made = _Reader(program, d).network(output)
        _check_rows(module, made, d, kind, output)
    return made


def _check_rows(module: torch.nn.Module, made: Network, d: int, kind: torch.dtype, output: int | None) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(PROBES, d, generator=draw, dtype=torch.float64).to(kind)
    y = module(x)
    together = (y if output is None else y[output]).reshape(PROBES, -1).to(torch.float64)
    ours = made(x.to(torch.float64))
    tolerance = 1e-3 if kind != torch.float64 else 1e-9
    if together.shape != ours.shape or not torch.allclose(
        together, ours, rtol=tolerance, atol=tolerance, equal_nan=True
    ):
        raise UnsupportedModel("module: expected rows to be mapped one by one, got other values for a batch of rows")


@final
class _Reader:
    """Walks the graph; holds what every name stands for."""

    def __init__(self, program: torch.export.ExportedProgram, d: int) -> None:
        self.program = program
        self.builder = Builder(d)
        self.known: dict[str, Any] = {}
        held: Mapping[str, Any] = {**program.state_dict, **program.constants}
        for spec in program.graph_signature.input_specs:
            constant = spec.target is not None and spec.target in held
            self.known[spec.arg.name] = held[spec.target] if constant else self.builder.input

    def network(self, output: int | None = None) -> Network:
        """The network up to the graph's only output, or one of several."""
        result = self._result(output)
        needed = self._needed(result)
        for node in self.program.graph.nodes:
            if node.op == "call_function" and (output is None or node in needed):
                self.builder.here = f"{node.name} ({node.target})"
                self.known[node.name] = self._call(node)
        value = self.known[result.name]
        if not isinstance(value, Value):
            raise UnsupportedModel("output: expected a function of the input, got a constant")
        return self.builder.network(value)

    def _result(self, output: int | None) -> torch.fx.Node:
        results = next((node.args[0] for node in self.program.graph.nodes if node.op == "output"), None)
        if not isinstance(results, list | tuple):
            raise UnsupportedModel("module: expected an output")
        if output is None and len(results) != 1:
            raise UnsupportedModel(f"output: expected one tensor, got {len(results)}")
        found = results[output or 0]
        if not isinstance(found, torch.fx.Node):
            raise UnsupportedModel("output: expected a function of the input, got a constant")
        return found

    def _needed(self, result: torch.fx.Node) -> set[torch.fx.Node]:
        needed, open_ = {result}, [result]
        while open_:
            new = set(open_.pop().all_input_nodes) - needed
            needed |= new
            open_ += new
        return needed

    def _call(self, node: torch.fx.Node) -> Any:
        args = torch.fx.node.map_arg(node.args, lambda n: self.known[n.name])
        kwargs = torch.fx.node.map_arg(node.kwargs, lambda n: self.known[n.name])
        if not any(isinstance(a, Value) for a in _leaves([*args, *kwargs.values()])):
            with torch.no_grad():
                return node.target(*args, **kwargs)  # type: ignore[operator]
        name = getattr(node.target, "__name__", str(node.target)).split(".")[0]
        rule = READ.get(name) or (pointwise(name) if name in rules.functions() else None)
        if rule is None:
            raise UnsupportedModel(f"{self.builder.here}: no certificate rule for {name}")
        return rule(self.builder, *args, **kwargs)


def _leaves(args: Any) -> list[Any]:
    if isinstance(args, list | tuple):
        return [leaf for a in args for leaf in _leaves(a)]
    return [args]
