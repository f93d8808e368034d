"""The functions a model offers in C, with their steps: `run`, and for a reduced model `coefficients` and `field`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.manifest import Manifest
from edgepde_runtime.onnxmodel import Model

from .building import FLOATS
from .entry import Entry, Input, Output
from .fuse import fuse
from .names import distinct, model_name
from .operations import Operation, Solve
from .sharing import share
from .tracing import trace
from .value import Value
from .windows import read_in_place

MOST_FREE = 2
COEFFICIENTS = "coefficients"


@dataclass(frozen=True)
class Part:
    """An entry and the steps it takes."""

    entry: Entry
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class Program:
    """All parts of a model, the whole graph first; `ids` are C names of sizes, inputs and outputs."""

    name: str
    parts: tuple[Part, ...]
    ids: Mapping[str, str]


def program(model: Model, manifest: Manifest) -> Program:
    """The parts of a model; raises UnsupportedModel naming node, input or output."""
    traced = trace(model)
    if len(traced.symbols) > MOST_FREE or len(traced.outer) > 1:
        raise UnsupportedModel(f"expected at most {MOST_FREE} free sizes, got {', '.join(traced.symbols)}")
    boxes = {spec.name: tuple((column.low, column.high) for column in spec.columns) for spec in manifest.inputs}
    for name, value in traced.outputs.items():
        if value.code not in FLOATS:
            raise UnsupportedModel(f"output {name!r}: expected float32 or float64, got {value.code}")
    inputs = tuple(Input(name, value, boxes.get(name, ())) for name, value in traced.inputs.items())
    outputs = tuple(
        Output(spec.name, traced.outputs[spec.name], spec.diagnostic, spec.threshold) for spec in manifest.outputs
    )
    outer = traced.outer[0] if traced.outer else None
    entry = Entry("run", traced.symbols, outer, traced.lane, inputs, outputs)
    parts = (part(entry, traced.operations), *_split(entry, traced.operations))
    names = [*traced.symbols, *(i.name for i in inputs), *(o.name for o in outputs)]
    stem = model_name(manifest.name)
    ids = distinct([*names, *([COEFFICIENTS] if len(parts) > 1 else [])], stem)
    return Program(stem, parts, ids)


def part(entry: Entry, operations: tuple[Operation, ...]) -> Part:
    """An entry with the steps it takes, in their final form; raises UnsupportedModel as `Entry.check` does."""
    entry.check()
    outputs = [o.value for o in entry.outputs]
    steps = read_in_place(fuse(operations, outputs), outputs)
    return Part(entry, share(steps, [*outputs, *(i.value for i in entry.inputs)]))


def _split(entry: Entry, operations: tuple[Operation, ...]) -> tuple[Part, ...]:
    """Solve once, evaluate often: the graph before and after its only solver."""
    solvers = [op for op in operations if isinstance(op, Solve)]
    taken = {i.name for i in entry.inputs} | {o.name for o in entry.outputs} | set(entry.symbols)
    if len(solvers) != 1 or entry.lane is None or entry.outer is None or COEFFICIENTS in taken:
        return ()
    solution = solvers[0].output
    early = tuple(o for o in entry.outputs if entry.lane not in o.symbols)
    late = tuple(o for o in entry.outputs if entry.lane in o.symbols)
    if not late:
        return ()
    first = tuple(i for i in entry.inputs if i.rows == entry.outer)
    solved = Output(COEFFICIENTS, solution)
    coefficients = Entry(COEFFICIENTS, (entry.outer,), entry.outer, None, first, (solved, *early))
    given = (*entry.inputs, Input(COEFFICIENTS, solution))
    after = tuple(op for op in operations if solution.store not in op.writes())
    field = part(Entry("field", entry.symbols, entry.outer, entry.lane, given, late), after)
    return (part(coefficients, operations), field) if _follows(field, solution) else ()


def _follows(part: Part, solution: Value) -> bool:
    """Whether its steps need nothing of the solver but the solution."""
    written = {store for op in part.operations for store in op.writes()} | {solution.store}
    return all(store in written for op in part.operations for store in op.reads() if store.kind == "scratch")
