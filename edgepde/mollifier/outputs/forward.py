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
from .series import Part, Scaled, Series, as_rows

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


@final
class Exact(nn.Module):
    """x [M, d] -> (y [M, ..], then one such tensor per sum of derivatives of y).

    sums: by the columns of x, ((coefficient, orders), ...). The module stays as it is and is called nowhere else.
    Raises UnsupportedModel naming an operation without a rule, before anything is run.
    """

    def __init__(self, module: nn.Module, d: int, sums: Sequence[Sum]) -> None:
        super().__init__()
        self.module, self.d, self.sums = module, d, tuple(sums)
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
            return Scaled(1.0, units[a.index(1)][None]) if sum(a) == 1 else None

        made = self._run(Series(rule, self.zero))
        value = made.value
        return value, *(_summed(made, terms, value) for terms in self.sums)

    @property
    def zero(self) -> Index:
        """The index of the value."""
        return (0,) * self.d

    def _read(self) -> None:
        kinds = (t.dtype for t in (*self.module.parameters(), *self.module.buffers()) if t.is_floating_point())
        example = torch.zeros(ROWS, self.d, dtype=next(kinds, torch.float32))
        rows = torch.export.Dim("rows")
        with torch.no_grad():
            try:
                program = torch.export.export(self.module, (example,), dynamic_shapes=({0: rows},), strict=False)
            except Exception as error:
                reason = (str(error).strip() or type(error).__name__).splitlines()[0]
                raise UnsupportedModel(f"torch.export refused the module: {reason}") from error
        self._steps: list[_Step] = []
        self._result = ""
        self._given: list[tuple[str, str]] = []
        for place, spec in enumerate(program.graph_signature.input_specs):
            held = None if spec.target is None else program.constants.get(spec.target)
            lifted = spec.target not in program.state_dict and not _has(self.module, str(spec.target))
            if held is not None and lifted:
                self.register_buffer(f"constant_{place}", torch.as_tensor(held).clone(), persistent=False)
                self._given.append((spec.arg.name, f"constant_{place}"))
            else:
                self._given.append((spec.arg.name, "" if spec.target is None else f"module.{spec.target}"))
        self._walk(program)

    def _walk(self, program: torch.export.ExportedProgram) -> None:
        known = {name for name, target in self._given if not target}
        for node in program.graph.nodes:
            if node.op == "call_function":
                named = torch.fx.node.map_arg((node.args, dict(node.kwargs)), _name)
                self._steps.append(_Step(node.name, node.target, named[0], named[1]))
                if any(source.name in known for source in node.all_input_nodes) and not _is_size(node):
                    known.add(node.name)
                    if node.target is not operator.getitem:
                        rule_for(_plain(node.target), node.target)
            elif node.op == "output":
                results = node.args[0]
                if len(results) != 1 or not isinstance(results[0], torch.fx.Node):
                    raise UnsupportedModel(f"expected one tensor as output, got {len(results)} results")
                self._result = results[0].name

    def _run(self, x: Series) -> Series:
        values: dict[str, Any] = {}
        for name, target in self._given:
            values[name] = _held(self, target) if target else x
        for step in self._steps:
            args, kwargs = (_filled(part, values) for part in (step.args, step.kwargs))
            values[step.name] = _called(step.target, args, kwargs)
        made = values[self._result]
        return made if isinstance(made, Series) else Series(lambda a: None if any(a) else Scaled(1.0, made), self.zero)


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
    return rule_for(name, target)(*args, **kwargs)


def _summed(made: Series, terms: Sum, value: Tensor) -> Tensor:
    total: Tensor | None = None
    for factor, orders in terms:
        part = made[orders]
        if part is not None:
            scale = factor * math.prod(math.factorial(k) for k in orders)
            whole = Scaled(scale * part.factor, part.tensor).whole
            total = whole if total is None else total + whole
    return torch.zeros_like(value) if total is None else as_rows(total, value)


def _plain(target: Any) -> str:
    return str(getattr(target, "__name__", target)).split(".")[0]


def _is_size(node: torch.fx.Node) -> bool:
    return not isinstance(node.meta.get("val"), Tensor | list | tuple)


def _has(module: nn.Module, path: str) -> bool:
    return path in dict(module.named_parameters()) or path in dict(module.named_buffers())


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
