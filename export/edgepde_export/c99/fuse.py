"""Fewer steps with the same bits: chains of lane operations in one, biases and activations inside dense layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from .dims import features
from .functions import MOST_OPERANDS, Steps
from .operations import Dense, Lanes, Operation
from .value import Store, Value, constant


def fuse(operations: Iterable[Operation], outputs: Iterable[Value]) -> tuple[Operation, ...]:
    """The steps with what can be joined joined, and what nobody reads left out."""
    steps = _needed(list(operations), {v.store for v in outputs})
    kept = {v.store for v in outputs}
    uses = Counter(store for op in steps for store in op.reads())
    makers: dict[Store, Operation] = {}
    found: list[Operation] = []
    for op in steps:
        joined = op
        if isinstance(op, Lanes):
            joined = _with_bias(op, makers, uses, kept) or _with_chains(op, makers, uses, kept)
            joined = _with_activation(joined, makers, uses, kept) if isinstance(joined, Lanes) else joined
        found.append(joined)
        makers.update(dict.fromkeys(joined.writes(), joined))
    return tuple(_needed(found, kept))


def _needed(operations: list[Operation], wanted: set[Store]) -> list[Operation]:
    found = []
    alive = set(wanted)
    for op in reversed(operations):
        if op.writes() & alive:
            found.append(op)
            alive |= op.reads()
    return found[::-1]


def _single(value: Value, consumer: Lanes, uses: Counter[Store], kept: set[Store]) -> bool:
    """Whether only `consumer` reads this value, whole and in its own shape."""
    same = value.shape == consumer.output.shape and value.varying == consumer.output.varying and value.apart is None
    alone = uses[value.store] == 1 and [v.store for v in consumer.inputs].count(value.store) == 1
    return same and alone and value.store not in kept and value.offset == 0


def _with_chains(op: Lanes, makers: dict[Store, Operation], uses: Counter[Store], kept: set[Store]) -> Lanes:
    """The step with those that feed it alone written into it."""
    for value in op.inputs:
        maker = makers.get(value.store)
        fits = isinstance(maker, Lanes) and maker.output.shape == value.shape and _single(value, op, uses, kept)
        if fits and isinstance(maker, Lanes) and maker.output.code == op.output.code:
            joined = _joined(maker, op, value)
            if len(joined.inputs) <= MOST_OPERANDS:
                uses.subtract(maker.reads())
                uses.subtract(op.reads())
                uses.update(joined.reads())
                op = joined
    return op


def _joined(first: Lanes, second: Lanes, between: Value) -> Lanes:
    """Both steps in one; `between` is the value that passes from one to the other."""
    inputs = list(first.inputs)
    places: dict[int, int] = {}
    for i, value in enumerate(second.inputs):
        if value is between:
            places[i] = ~(len(first.steps) - 1)
            continue
        same = [j for j, v in enumerate(inputs) if v is value or _alike(v, value)]
        places[i] = same[0] if same else len(inputs)
        if not same:
            inputs.append(value)
    shift = len(first.steps)
    steps: Steps = tuple(
        (template, tuple(places[i] if i >= 0 else ~(~i + shift) for i in used)) for template, used in second.steps
    )
    files = tuple(dict.fromkeys((*first.files, *second.files)))
    return Lanes(tuple(inputs), second.output, second.label, (*first.steps, *steps), files)


def _alike(a: Value, b: Value) -> bool:
    return a.store is b.store and a.shape == b.shape and a.offset == b.offset and a.strides() == b.strides()


def _with_bias(op: Lanes, makers: dict[Store, Operation], uses: Counter[Store], kept: set[Store]) -> Operation | None:
    """A dense layer that takes the constant row added to its output; None where `op` is no such sum."""
    if len(op.steps) != 1 or op.steps[0][0] != f"ep_add_{op.output.code}({{0}}, {{1}})":
        return None
    for value, other in ((op.inputs[0], op.inputs[-1]), (op.inputs[-1], op.inputs[0])):
        maker = makers.get(value.store)
        if not isinstance(maker, Dense) or len(maker.inputs) > 2 or maker.act or not _single(value, op, uses, kept):
            continue
        row = other.data is not None and other.count == features(other.shape[-1:]) == maker.columns
        if maker.output.shape == value.shape and row and other.data is not None:
            bias = constant(np.ascontiguousarray(other.data.reshape(-1)))
            return replace(maker, inputs=(*maker.inputs, bias), output=op.output)
    return None


def _with_activation(op: Lanes, makers: dict[Store, Operation], uses: Counter[Store], kept: set[Store]) -> Operation:
    """A dense layer that applies what follows it, or `op` as it is."""
    if len(op.inputs) != 1:
        return op
    value = op.inputs[0]
    maker = makers.get(value.store)
    if not isinstance(maker, Dense) or maker.act or maker.output.shape != value.shape:
        return op
    if not _single(value, op, uses, kept):
        return op
    return replace(maker, output=op.output, act=op.steps, act_files=op.files)
