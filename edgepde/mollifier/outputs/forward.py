"""Exact derivatives of a network of points: its graph is run on Taylor series instead of numbers."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

import torch
from edgepde_runtime.errors import UnsupportedModel
from torch import Tensor, nn

from ..names import Index, Sum
from .rules import rule_for
from .series import Part, Scaled, Series, as_rows, fitted

ROWS = 3


@dataclass(frozen=True)
class _Step:
    """A node: what its result is called, the operation and its arguments, other results by name in `_Name`."""

    name: str
    target: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class _Name:
    name: str


@dataclass(frozen=True, eq=False)
class _Graph:
    """Where every input of the graph comes from, "" for x; its nodes; the name of the result; numbers of its own."""

    given: tuple[tuple[str, str], ...]
    steps: tuple[_Step, ...]
    result: str
    constants: Mapping[str, Tensor]


@final
class Graphs(dict[torch.dtype, _Graph]):
    """The graphs of one architecture by dtype; copies of a module share them."""

    def __deepcopy__(self, _: Any) -> Graphs:
        return self


@final
class Exact(nn.Module):
    """x [M, d] -> (y [M, ..], then one such tensor per sum of derivatives of y).

    sums: by the columns of x, ((coefficient, orders), ...). The module stays as it is and is called nowhere else.
    graphs: those of modules of the same architecture, which are read where they are missing.
    Raises UnsupportedModel naming an operation without a rule, before anything is run.
    """

    def __init__(self, module: nn.Module, d: int, sums: Sequence[Sum], graphs: Graphs | None = None) -> None:
        super().__init__()
        self.module, self.d, self.sums = module, d, tuple(sums)
        self.graphs = Graphs() if graphs is None else graphs
        self._read()

    def _apply(self, *args: Any, **kwargs: Any) -> Exact:
        """Another dtype is another graph."""
        super()._apply(*args, **kwargs)
        self._read()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """The value and every sum of derivatives."""
        units = torch.eye(self.d, dtype=x.dtype, device=x.device)

        def rule(a: Index) -> Part:
            if not any(a):
                return Scaled(1.0, x)
            return Scaled(1.0, None, units[a.index(1)][None]) if sum(a) == 1 else None

        made = self._run(Series(rule, self.zero))
        value = made.value
        return value, *(_summed(made, terms, value) for terms in self.sums)

    @property
    def zero(self) -> Index:
        """The index of the value."""
        return (0,) * self.d

    @property
    def dtype(self) -> torch.dtype:
        """That of the module."""
        tensors = (*self.module.parameters(), *self.module.buffers())
        return next((t.dtype for t in tensors if t.is_floating_point()), torch.float32)

    def _read(self) -> None:
        if self.dtype not in self.graphs:
            self.graphs[self.dtype] = _graph(self.module, self.d, self.dtype)

    def _run(self, x: Series) -> Series:
        graph = self.graphs[self.dtype]
        values: dict[str, Any] = {}
        for name, target in graph.given:
            values[name] = _held(self.module, target) if target else graph.constants.get(name, x)
        for step in graph.steps:
            args, kwargs = (_filled(part, values) for part in (step.args, step.kwargs))
            values[step.name] = _called(step.target, args, kwargs)
        made = values[graph.result]
        return made if isinstance(made, Series) else Series(lambda a: None if any(a) else Scaled(1.0, made), self.zero)


def _graph(module: nn.Module, d: int, dtype: torch.dtype) -> _Graph:
    """The graph of a module of points; raises UnsupportedModel naming an operation without a rule."""
    rows = torch.export.Dim("rows")
    example = torch.zeros(ROWS, d, dtype=dtype)
    with torch.no_grad():
        try:
            program = torch.export.export(module, (example,), dynamic_shapes=({0: rows},), strict=False)
        except Exception as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise UnsupportedModel(f"torch.export refused the module: {reason}") from error
    held = (module.named_parameters(remove_duplicate=False), module.named_buffers(remove_duplicate=False))
    own = {name for found in held for name, _ in found}
    given, constants = [], {}
    for spec in program.graph_signature.input_specs:
        target = "" if spec.target is None else str(spec.target)
        given.append((spec.arg.name, target if target in own else ""))
        if target and target not in own:
            constants[spec.arg.name] = torch.as_tensor(program.constants[target]).clone()
    moving = {name for name, target in given if not target and name not in constants}
    steps, result = _steps(program, moving)
    return _Graph(tuple(given), steps, result, constants)


def _steps(program: torch.export.ExportedProgram, moving: set[str]) -> tuple[tuple[_Step, ...], str]:
    """The nodes in order and the name of the result; moving: names of what depends on x."""
    steps: list[_Step] = []
    for node in program.graph.nodes:
        if node.op == "output":
            (result, *more) = node.args[0]
            if more or not isinstance(result, torch.fx.Node):
                raise UnsupportedModel(f"expected one tensor as output, got {1 + len(more)} results")
            return tuple(steps), result.name
        if node.op == "call_function":
            args, kwargs = torch.fx.node.map_arg((node.args, dict(node.kwargs)), _name)
            steps.append(_Step(node.name, node.target, args, kwargs))
            if any(source.name in moving for source in node.all_input_nodes) and not _is_size(node):
                moving.add(node.name)
                if node.target is not operator.getitem:
                    rule_for(_plain(node.target), node.target)
    raise UnsupportedModel("expected an output")


def _name(node: torch.fx.Node) -> Any:
    return _Name(node.name)


def _called(target: Any, args: Any, kwargs: Any) -> Any:
    among = [*args, *kwargs.values()]
    inside = [v for a in among for v in (a if isinstance(a, list | tuple) else (a,))]
    if target is operator.getitem or not any(isinstance(a, Series) for a in inside):
        return target(*args, **kwargs)
    name = _plain(target)
    if name.startswith("sym_"):
        return target(args[0].value, *args[1:], **kwargs)
    try:
        made = rule_for(name, target)(*args, **kwargs)
    except TypeError as error:
        raise UnsupportedModel(f"{name} with these arguments has no rule for exact derivatives: {error}") from None
    return fitted(made) if isinstance(made, Series) else made


def _summed(made: Series, terms: Sum, value: Tensor) -> Tensor:
    total: Tensor | None = None
    for factor, orders in terms:
        part = made[orders]
        if part is not None:
            scale = factor * math.prod(math.factorial(k) for k in orders)
            whole = part.by(scale).whole
            total = whole if total is None else total + whole
    return torch.zeros_like(value) if total is None else as_rows(total, value)


def _plain(target: Any) -> str:
    return str(getattr(target, "__name__", target)).split(".")[0]


def _is_size(node: torch.fx.Node) -> bool:
    return not isinstance(node.meta.get("val"), Tensor | list | tuple)


def _held(module: nn.Module, path: str) -> Any:
    *folders, last = path.split(".")
    owner: Any = module
    for folder in folders:
        owner = getattr(owner, folder)
    return getattr(owner, last)


def _filled(part: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(part, _Name):
        return values[part.name]
    if isinstance(part, Mapping):
        return {key: _filled(value, values) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return type(part)(_filled(value, values) for value in part)
    return part
