"""A network in a run folder: its nodes as the architecture of spec.json, its numbers as tensors."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from torch import Tensor

from edgepde.certify.network import (
    Affine,
    Blocks,
    Concat,
    Gather,
    Input,
    Network,
    Node,
    Pointwise,
    Product,
    Scale,
    Sum,
)
from edgepde.errors import RunError
from edgepde.train.finished_run import FinishedRun, open_run

from .blocks import FACTORS, WHOLE
from .module import NetworkModule

FAMILY = "network"
KINDS: dict[str, type[Node]] = {k.__name__.lower(): k for k in Node.__subclasses__() if not inspect.isabstract(k)}
DTYPES = {"float32": torch.float32, "float64": torch.float64}
MOST_NODES, MOST_WIDTH, MOST_PARTS = 4096, 1 << 20, 8


@dataclass(frozen=True)
class Loaded:
    """A run of this family: the module that ships, the original where it was compressed, the box and the names."""

    run: FinishedRun
    module: NetworkModule
    reference: NetworkModule | None
    box: Box
    input: str
    output: str
    unit: str


def architecture(module: NetworkModule) -> dict[str, Any]:
    """The nodes of a module, each with its kind, its sources and the names of its tensors."""
    kinds = (str(p.dtype).removeprefix("torch.") for p in module.parameters())
    dtype = next((kind for kind in kinds if kind in DTYPES), "float32")
    nodes = [_written(module, place, node) for place, node in enumerate(module.nodes)]
    return {"nodes": nodes, "shape": list(module.shape), "dtype": dtype}


def tensors(module: NetworkModule) -> dict[str, Tensor]:
    """Everything numeric of a module."""
    return {name: t.detach().cpu() for name, t in module.state_dict().items()}


def section(reference: NetworkModule | None, names: Mapping[str, str]) -> dict[str, Any]:
    """What spec.json says under "network": names of input and output, and the original's nodes."""
    made: dict[str, Any] = dict(names)
    return made if reference is None else {**made, "reference": architecture(reference)}


def load(path: Path) -> Loaded:
    """Read a run; raises RunError naming file and field."""
    run = open_run(path)
    where = f"{path / 'spec.json'}"
    if run.spec["family"] != FAMILY:
        raise RunError(f"{where}: family: expected {FAMILY!r}, got {run.spec['family']!r}")
    extra = run.spec.get(FAMILY)
    extra = extra if isinstance(extra, dict) else {}
    module = rebuilt(run.spec["architecture"], run.weights, f"{where}: architecture")
    reference = None
    if run.reference is not None:
        reference = rebuilt(extra.get("reference"), run.reference, f"{where}: {FAMILY}.reference")
    box = _box(run.spec["box"], where)
    for made in (module, reference):
        if made is not None and made.dimension != box.dimension:
            raise RunError(f"{where}: box: expected {made.dimension} columns, got {box.dimension}")
    names = {key: extra.get(key, default) for key, default in (("input", "x"), ("output", "y"))}
    for key, name in names.items():
        if not isinstance(name, str):
            raise RunError(f"{where}: {FAMILY}.{key}: expected a text, got {name!r}")
    unit = run.spec["units"].get(names["output"], "")
    return Loaded(run, module, reference, box, names["input"], names["output"], str(unit))


def rebuilt(stated: Any, held: Mapping[str, Tensor], where: str) -> NetworkModule:
    """The module that an architecture and its tensors state; raises RunError naming the node."""
    nodes, shape, dtype = _checked(stated, where)
    made: list[Node] = []
    for place, entry in enumerate(nodes):
        try:
            made.append(_node(entry, held, place))
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{where}.nodes[{place}]: {_said(error)}") from None
    try:
        network = Network(tuple(made))
        if max(network.widths) > MOST_WIDTH or math.prod(shape) != network.outputs:
            raise RunError(f"{where}: expected widths up to {MOST_WIDTH} and {math.prod(shape)} outputs as in shape")
        return NetworkModule(network, shape, DTYPES[dtype]).eval()
    except (InputError, UnsupportedModel) as error:
        raise RunError(f"{where}: {error}") from None


def _checked(stated: Any, where: str) -> tuple[list[dict[str, Any]], list[int], str]:
    if not isinstance(stated, dict):
        raise RunError(f"{where}: expected nodes, shape and dtype, got {type(stated).__name__}")
    nodes, shape, dtype = (stated.get(key) for key in ("nodes", "shape", "dtype"))
    if not isinstance(nodes, list) or not 0 < len(nodes) <= MOST_NODES or not all(isinstance(n, dict) for n in nodes):
        raise RunError(f"{where}.nodes: expected a list of 1 to {MOST_NODES} objects")
    if not isinstance(shape, list) or not all(isinstance(n, int) and n > 0 for n in shape):
        raise RunError(f"{where}.shape: expected a list of sizes, got {shape!r}")
    if dtype not in DTYPES:
        raise RunError(f"{where}.dtype: expected {' or '.join(DTYPES)}, got {dtype!r}")
    return nodes, shape, str(dtype)


def _written(module: NetworkModule, place: int, node: Node) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": type(node).__name__.lower(), "sources": list(node.sources)}
    if isinstance(node, Input):
        made["width"] = node.width
    if isinstance(node, Affine | Scale):
        made |= {label: module.named(place, label) for label in ("weight", "bias")}
    if isinstance(node, Gather):
        made["index"] = f"node{place}_index"
    if isinstance(node, Blocks):
        part = node.parts[0]
        made |= {"rows": part.rows, "columns": part.columns, "bias": f"node{place}.bias"}
        made["parts"] = [f"node{place}.parts.{i}" for i in range(len(node.parts))]
    if isinstance(node, Pointwise):
        made |= {"function": node.function, "exponent": node.exponent}
    return made


def _node(entry: dict[str, Any], held: Mapping[str, Tensor], place: int) -> Node:  # noqa: PLR0911 - one line per kind
    kind = KINDS.get(str(entry.get("kind")))
    if kind is None:
        raise ValueError(f"kind: expected one of {', '.join(sorted(KINDS))}, got {entry.get('kind')!r}")
    sources = tuple(_whole(s, "sources", -1) for s in entry["sources"])
    if kind is Input:
        return Input(_whole(entry["width"], "width", 0))
    if kind is Affine or kind is Scale:
        weight, bias = (_tensor(held, entry[label]).double() for label in ("weight", "bias"))
        return kind(_several(sources, 1), weight, bias)
    if kind is Gather:
        index = _tensor(held, entry["index"])
        if index.dtype != torch.int64 or index.dim() != 1:
            raise ValueError(f"index: expected int64 [m], got {index.dtype} {list(index.shape)}")
        return Gather(_several(sources, 1), index)
    if kind is Blocks:
        return _blocks(entry, held, _several(sources, 1))
    if kind is Pointwise:
        return Pointwise(_several(sources, 1), str(entry["function"]), _whole(entry.get("exponent", 0), "exponent", -1))
    if kind is Product:
        return Product(_several(sources, 2))
    if kind is Concat or kind is Sum:
        if not sources:
            raise ValueError("sources: expected at least one")
        return kind(sources)
    raise ValueError(f"kind: {entry['kind']!r} cannot be read at place {place}")


def _blocks(entry: dict[str, Any], held: Mapping[str, Tensor], sources: tuple[int]) -> Blocks:
    rows, columns = (_whole(entry[label], label, 0) for label in ("rows", "columns"))
    if max(rows, columns) > MOST_WIDTH:
        raise ValueError(f"rows and columns: expected up to {MOST_WIDTH}, got {rows} and {columns}")
    names = entry["parts"]
    if not isinstance(names, list) or not 0 < len(names) <= MOST_PARTS:
        raise ValueError(f"parts: expected a list of 1 to {MOST_PARTS} names, got {names!r}")
    parts = []
    for name in names:
        arrays = {label: _tensor(held, f"{name}.{label}") for label in (*FACTORS, *WHOLE)}
        for label, values in arrays.items():
            kinds = (torch.float16, *DTYPES.values()) if label in FACTORS else (torch.int64,)
            if values.dtype not in kinds:
                raise ValueError(f"{name}.{label}: expected {' or '.join(map(str, kinds))}, got {values.dtype}")
        try:
            parts.append(PackedBlocks(rows, columns, **{label: v.numpy() for label, v in arrays.items()}))
        except InputError as error:
            raise ValueError(f"{name}: {error}") from None
    return Blocks(sources, tuple(parts), _tensor(held, entry["bias"]).double())


def _several(sources: tuple[int, ...], count: int) -> Any:
    if len(sources) != count:
        raise ValueError(f"sources: expected {count}, got {len(sources)}")
    return sources


def _whole(value: Any, label: str, above: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value <= above:
        raise ValueError(f"{label}: expected a whole number above {above}, got {value!r}")
    return value


def _tensor(held: Mapping[str, Tensor], name: Any) -> Tensor:
    if name not in held:
        raise ValueError(f"tensor {name!r}: missing")
    return held[name]


def _said(error: Exception) -> str:
    return f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)


def _box(stated: dict[str, Any], where: str) -> Box:
    nested = stated.get("x")
    inner = nested if isinstance(nested, dict) else stated
    try:
        return Box(**inner)
    except (TypeError, ValueError, InputError) as error:
        raise RunError(f"{where}: box: {error}") from None
