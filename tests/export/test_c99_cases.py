"""Every case of every room that has a C99 rule, on generated C, with and without free sizes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
from edgepde_export.c99.rules import rule_for
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.rooms import Room, rooms
from support.c99_cases import DISTINCT, Rowed, Single, rowed, single, wrong
from support.generated import Array, Generated, builds, part, same_bits
from support.kernel_libraries import needs_cc
from support.rooms import cases_of

Model = TypeVar("Model", Single, Rowed)
ROW_COUNTS = (1, 3, 16, 17, 37)
# Why the target does not take a case: part of the message, by what a person would call it.
REASONS = {
    "empty input": "expected sizes above 0",
    "empty output": "numbers, got sizes or nothing",
    "not a constant": "must be a constant",
    "constants of the solver": "must be constants for the C99 target",
    "integer arithmetic": "is not in the C99 target",
    "integer reduction": "expected float32 or float64, got i64",
    "integer clip": "expected float32 or float64 operands, got",
    "element type": "expected float32, float64, int64, int32, bool, got",
    "shared axes of indices": "attribute 'batch_dims': expected 0",
    "exponent": "as exponent for the C99 target",
    "rows of a solver": "operands do not fit together",
    "a shape that mixes rows": "a reshape cuts a free size from its rows",
    "stored weights": "in the weights of a layer alone",
}


def ruled() -> list[Room]:
    """Rooms with a rule."""
    found = []
    for room in rooms().values():
        try:
            rule_for(room)
        except UnsupportedModel:
            continue
        found.append(room)
    return found


def variants(room: Room) -> dict[str, Single]:
    """Each case with all inputs given at run time, and with all but the first constant."""
    found = {}
    for case in cases_of(room):
        found[f"{case[0]}-given"] = single(room, case)
        if len(case[1]) > 1:
            found[f"{case[0]}-constant"] = single(room, case, range(1, len(case[1])))
    return found


def rows_of(room: Room) -> dict[str, Rowed]:
    """Each case in every way that makes sense over a free number of rows."""
    return {f"{case[0]}-{way}": made for case in cases_of(room) for way, made in rowed(room, case).items()}


def split(models: Mapping[str, Model]) -> tuple[dict[str, Model], dict[str, str]]:
    """What the target takes, and the message for what it does not."""
    taken, refused = {}, {}
    for name, made in models.items():
        try:
            part(made.encoded, "probe")
        except UnsupportedModel as error:
            refused[name] = str(error)
        else:
            taken[name] = made
    return taken, refused


@functools.cache
def sorted_out(room: Room) -> tuple[dict[str, Single], dict[str, Rowed], dict[str, str]]:
    """What the target takes in its own shapes and over rows, and the messages for what it does not."""
    fixed, refused = split(variants(room))
    free, more = split(rows_of(room))
    return fixed, free, refused | more


ROOMS = [pytest.param(room, id=room.folder) for room in ruled()]


@needs_cc
@pytest.mark.parametrize("room", ROOMS)
def test_generated_c_keeps_the_bounds_of_the_room(room: Room, tmp_path: Path) -> None:
    fixed, free = sorted_out(room)[:2]
    models = {name: one.encoded for name, one in fixed.items()} | {f"{n}-rows": one.encoded for n, one in free.items()}
    made = Generated(models, tmp_path)
    failures = [said for name, one in fixed.items() if (said := fixed_case(made, room, name, one))]
    failures += [said for name, one in free.items() if (said := free_rows(made, room, f"{name}-rows", one))]
    assert not failures, "\n".join(failures)


def fixed_case(made: Generated, room: Room, name: str, one: Single) -> str:
    """What is wrong with a case in its own shapes."""
    results = [made.on(isa)[name](one.inputs) for isa in builds()]
    if not all(same_bits(results[0], r) for r in results):
        return f"{name}: builds differ"
    said = wrong(room, one.case, list(results[0].values()))
    return f"{name}: {said}" if said else ""


def free_rows(made: Generated, room: Room, name: str, one: Rowed) -> str:
    """What is wrong with a case over rows: one alone against the room, then many against one, on every build."""
    alone = [made.on("scalar")[name](one.inputs([r]))["o0"][0] for r in range(DISTINCT)]
    for r, y in enumerate(alone):
        expected = np.asarray(room.run(*one.row(r)[1:])[0])
        if y.size != expected.size:
            return f"{name}: {y.shape} for {expected.shape}"
        if said := wrong(room, one.row(r), [y.reshape(expected.shape)]):
            return f"{name}: {said}"
    for isa in builds():
        for count in ROW_COUNTS:
            order = [(r * 7 + count) % DISTINCT for r in range(count)]
            got = made.on(isa)[name](one.inputs(order))["o0"]
            if not same_bits({"o0": got}, {"o0": np.stack([alone[r] for r in order])}):
                return f"{name}: {count} rows on {isa} are not the same bits as one by one"
    return ""


@functools.cache
def refusals() -> dict[str, str]:
    """Every case that is not taken, and the message."""
    found = {}
    for room in ruled():
        found |= {f"{room.folder}-{name}": message for name, message in sorted_out(room)[2].items()}
    return found


def test_what_is_refused_is_refused_for_a_reason_with_the_node() -> None:
    for name, message in refusals().items():
        assert any(reason in message for reason in REASONS.values()), f"{name}: {message}"
        assert "'only'" in message or "input 'i" in message or "output 'o" in message, f"{name}: {message}"


@pytest.mark.parametrize("name", REASONS)
def test_every_reason_is_needed(name: str) -> None:
    assert any(REASONS[name] in message for message in refusals().values())


# What the target is for: op by op, each must have a case that runs in both ways.
PROMISED = (  # noqa: SIM905 - one line per name says less
    "Gemm MatMul Add Sub Mul Div Neg Tanh Sin Cos Exp Log Sqrt Sigmoid Softplus Relu Gelu Erf Pow Cast Clip Concat "
    "Slice Gather Reshape Squeeze Unsqueeze Expand Transpose ReduceSum ReduceMean Where Greater IsNaN Identity "
    "Pad Resize AveragePool MaxPool GlobalAveragePool BatchNormalization InstanceNormalization LeakyRelu "
    "Conv ConvTranspose"
).split()


@pytest.mark.parametrize("name", PROMISED)
def test_every_promised_op_runs_in_the_precisions_of_its_cases_and_over_rows(name: str) -> None:
    room = rooms()["", name]
    fixed, free, _ = sorted_out(room)
    assert len(fixed) > 1
    assert len(free) > 1
    assert floats(one.inputs.values() for one in fixed.values()) == floats(inputs for _, inputs, _ in cases_of(room))


def floats(inputs: Iterable[Iterable[Array | None]]) -> set[str]:
    """The types of numbers among them that the target has."""
    return {x.dtype.name for given in inputs for x in given if x is not None} & {"float32", "float64"}


def test_the_solver_runs_on_all_of_its_cases_of_one_row() -> None:
    room = rooms()["edgepde", "gauss_newton_solve"]
    fixed, _, _ = sorted_out(room)
    expected = {f"{name}-constant" for name, inputs, _ in cases_of(room) if np.shape(inputs[4])[0] == 1}
    assert len(expected) > 15
    assert expected <= fixed.keys()
