"""Less memory and fewer copies for wide rows: steps in place, and parts of a Concat written where they end up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from .code import merged
from .maps import Normalise
from .operations import Copy, Lanes, Operation, Solve
from .value import BYTES, Store, Value

# Bytes of a row below which nothing is gained.
WORTH = 1024


@dataclass(frozen=True)
class Place:
    """Where a store's elements lie in another."""

    store: Store
    offset: int


def share(operations: Iterable[Operation], seen: Iterable[Value]) -> tuple[Operation, ...]:
    """The same steps; what the caller sees, inputs and outputs, and what a solver touches stay where they are."""
    kept = {v.store for v in seen}
    return _in_place(_joined(tuple(operations), kept), kept)


def _free(store: Store, kept: set[Store]) -> bool:
    return store.kind == "scratch" and store not in kept and store.count * BYTES[store.code] >= WORTH


def _bound(steps: Iterable[Operation]) -> set[Store]:
    return {store for op in steps if isinstance(op, Solve) for store in op.stores()}


def _in_place(steps: tuple[Operation, ...], kept: set[Store]) -> tuple[Operation, ...]:
    """Element by element into the operand that nobody else reads; it is that operand which moves."""
    uses = Counter(store for op in steps for store in op.reads())
    bound = _bound(steps)
    moved: dict[Store, Place] = {}
    for op in steps:
        if not isinstance(op, Lanes | Normalise) or op.output.store in bound:
            continue
        for value in op.inputs:
            alone = uses[value.store] == 1 and [v.store for v in op.inputs].count(value.store) == 1
            whole = value.shape == op.output.shape and value.apart is None and value.count == value.store.count
            alike = value.code == op.output.code and value.varying == op.output.varying
            if whole and alike and alone and _free(value.store, kept | bound) and value.store is not op.output.store:
                moved[value.store] = Place(op.output.store, op.output.offset)
                break
    return _moved(steps, moved)


def _joined(steps: tuple[Operation, ...], kept: set[Store]) -> tuple[Operation, ...]:
    """What a Concat would copy is made in its place."""
    bound = _bound(steps)
    moved: dict[Store, Place] = {}
    gone: set[Operation] = set()
    for op in steps:
        if not isinstance(op, Copy) or op.output.store in bound:
            continue
        (x,) = op.inputs
        run = merged(op.axes)
        whole = run in ([], [(x.store.count, (1, 1))]) and x.count == x.store.count and not x.offset + op.source
        alike = x.code == op.output.code and x.varying == op.output.varying
        if whole and alike and _free(x.store, kept | bound) and x.store not in moved:
            target = _final(Place(op.output.store, op.output.offset + op.target), moved)
            if target.store is not x.store:
                moved[x.store] = target
                gone.add(op)
    return _moved([op for op in steps if op not in gone], moved)


def _final(place: Place, moved: Mapping[Store, Place]) -> Place:
    while place.store in moved:
        further = moved[place.store]
        place = Place(further.store, place.offset + further.offset)
    return place


def _moved(steps: Iterable[Operation], moved: Mapping[Store, Place]) -> tuple[Operation, ...]:
    """The steps with every value where its store has gone."""
    return tuple(_with(op, moved) for op in steps)


def _with(op: Operation, moved: Mapping[Store, Place]) -> Operation:
    changes: dict[str, Any] = {}
    for field in fields(op):
        held = getattr(op, field.name)
        if isinstance(held, Value):
            changes[field.name] = _value(held, moved)
        elif isinstance(held, tuple) and any(isinstance(v, Value) for v in held):
            changes[field.name] = tuple(_value(v, moved) if isinstance(v, Value) else v for v in held)
    return replace(op, **changes) if any(changes[n] is not getattr(op, n) for n in changes) else op


def _value(value: Value, moved: Mapping[Store, Place]) -> Value:
    if value.store not in moved:
        return value
    place = _final(Place(value.store, value.offset), moved)
    return Value(place.store, value.shape, place.offset, value.data, value.apart)
