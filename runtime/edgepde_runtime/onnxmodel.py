"""What a model file says, as frozen values: the subset of ONNX this runtime understands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Tensor = NDArray[np.generic]
Kind = Literal["int", "float", "string", "ints", "floats", "strings", "tensor", "graph"]
Value = int | float | str | tuple[int, ...] | tuple[float, ...] | tuple[str, ...] | Tensor | None

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class NodeAttribute:
    """A constant of a node; `reference` names the attribute of the enclosing function it is taken from ("" = none).

    A graph (the body of If or Loop) is known by its kind only and has no value.
    """

    name: str
    kind: Kind
    value: Value
    reference: str = ""


@dataclass(frozen=True)
class Node:
    """One operation; "" among the inputs is an absent optional one. `label` is what errors call it."""

    name: str
    op_type: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, NodeAttribute] = field(default_factory=lambda: EMPTY)
    label: str = ""


@dataclass(frozen=True)
class ValueInfo:
    """A graph input or output: element type and shape; a symbol or "" for a free size, None for an unknown shape."""

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | str, ...] | None


@dataclass(frozen=True)
class Graph:
    """Nodes in an order that can be run; `inputs` are those without an initialiser."""

    name: str
    nodes: tuple[Node, ...]
    inputs: tuple[ValueInfo, ...]
    outputs: tuple[ValueInfo, ...]
    initializers: Mapping[str, Tensor]


@dataclass(frozen=True)
class Function:
    """A function stored in the model: `attributes` a caller must set, `defaults` it may leave."""

    domain: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[str, ...]
    defaults: Mapping[str, NodeAttribute]
    nodes: tuple[Node, ...]
    opsets: Mapping[str, int]


@dataclass(frozen=True)
class Model:
    """A model file: opset version by domain, the graph, its metadata, and its functions by (domain, name)."""

    ir_version: int
    opsets: Mapping[str, int]
    graph: Graph
    metadata: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    functions: Mapping[tuple[str, str], Function] = field(default_factory=lambda: MappingProxyType({}))
