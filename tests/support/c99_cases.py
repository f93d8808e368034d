"""Cases of rooms as models for generated C: with the case's own shapes, or with a free number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.rooms import Room
from support.generated import Array
from support.onnx_writer import graph, model, node, value_info
from support.op_cases import Case
from support.rooms import tolerance


@dataclass(frozen=True)
class Single:
    """A model of one node: its bytes, the inputs by name, and the case it comes from."""

    encoded: bytes
    inputs: dict[str, Array]
    case: Case


def single(room: Room, case: Case, held: Sequence[int] = ()) -> Single:
    """The node with every input given at run time but those `held` as constants of the model, NaN never."""
    _, inputs, attributes = case
    names = [f"i{n}" if x is not None else "" for n, x in enumerate(inputs)]
    arrays = {n: np.asarray(x) for n, x in zip(names, inputs, strict=True) if x is not None}
    constants = {names[i]: arrays[names[i]] for i in held if names[i] and not np.isnan(arrays[names[i]]).any()}
    given = {n: x for n, x in arrays.items() if n not in constants}
    results = room.run(inputs, attributes)
    outputs = [f"o{i}" for i in range(len(results))]
    only = node(room.op.name, names, outputs, attributes, name="only", domain=room.op.domain)
    declared = [value_info(n, x.dtype, x.shape) for n, x in given.items()]
    made = [value_info(n, y.dtype, np.shape(y)) for n, y in zip(outputs, results, strict=True)]
    opsets = {"": 20} | ({room.op.domain: 1} if room.op.domain else {})
    return Single(model(graph([only], declared, made, constants), opsets=opsets), given, case)


def wrong(room: Room, case: Case, got: Sequence[Array]) -> str:
    """What is not within the room's bounds of its reference; empty where all is.

    |computed - exact| <= own_ulps of the exact value where the room has them, else its rounding model.
    """
    name, inputs, attributes = case
    expected = [np.asarray(y) for y in room.run(inputs, attributes)]
    wide = [x.astype(np.float64) if x is not None and x.dtype == np.float32 else x for x in inputs]
    exact = [np.asarray(y) for y in room.run(wide, attributes)]
    found = []
    for i, (y, reference, best) in enumerate(zip(got, expected, exact, strict=True)):
        if (y.dtype, y.shape) != (reference.dtype, reference.shape):
            return f"{name}: {y.dtype} {y.shape} for {reference.dtype} {reference.shape}"
        if y.dtype.kind != "f":
            right = y == reference
        else:
            target = best if y.dtype == np.float32 and best.dtype == np.float64 else reference
            near = allowed(room, inputs, attributes, reference, target)
            with np.errstate(invalid="ignore"):
                right = np.abs(y.astype(np.float64) - target) <= near
                right |= (y == reference) | (np.isnan(y) & np.isnan(reference))
        if not right.all():
            found.append(f"{name}: output {i}: {y[~right][:4]} for {reference[~right][:4]} of {inputs}")
    return "; ".join(found)


def allowed(
    room: Room, inputs: Sequence[Array | None], attributes: dict[str, object], reference: Array, exact: Array
) -> Array:
    """The bound on |computed - exact|, where `exact` is float64 and so itself off by its own rounding model."""
    own = room.rounding.own_ulps
    near = tolerance(room, inputs, attributes, reference)
    if own is None:
        return 2 * near
    single_precision = reference.dtype == np.float32
    spacing = np.abs(np.spacing(exact.astype(reference.dtype))).astype(np.float64)
    ulps = own[0 if single_precision else 1] * np.where(np.isfinite(spacing), spacing, np.inf)
    return np.asarray(ulps + (0.0 if single_precision else near))


DISTINCT = 5


@dataclass(frozen=True)
class Rowed:
    """A node over a free number of rows M: row r is the case with the elements of its `moving` inputs rolled by r."""

    encoded: bytes
    case: Case
    moving: tuple[int, ...]
    shapes: dict[str, tuple[int, ...]]
    fixed: dict[str, Array]

    def row(self, r: int) -> Case:
        """The case that row r is."""
        name, inputs, attributes = self.case
        turned = [rolled(x, r % DISTINCT) if i in self.moving and x is not None else x for i, x in enumerate(inputs)]
        return f"{name} row {r}", turned, attributes

    def inputs(self, rows: Sequence[int]) -> dict[str, Array]:
        """The model's inputs for these rows."""
        found = dict(self.fixed)
        for i in self.moving:
            name = f"i{i}"
            stacked = np.stack([np.asarray(self.row(r)[1][i]) for r in rows])
            found[name] = stacked.reshape(len(rows), *self.shapes[name])
        return found


def rolled(x: Array, by: int) -> Array:
    """The same elements, moved on."""
    return np.roll(np.asarray(x).ravel(), by).reshape(np.shape(x))


def rowed(room: Room, case: Case) -> dict[str, Rowed]:
    """The ways in which a case makes sense with a free number of rows in front, by name."""
    change = _STRUCTURED.get(room.folder, _elementwise)
    return change(room, case)


def _build(
    room: Room,
    case: Case,
    moving: Sequence[int],
    *,
    pad: int = 0,
    constants: dict[int, Array] | None = None,
    attributes: dict[str, object] | None = None,
) -> Rowed:
    """The model: `moving` inputs get M in front and 1s up to `pad` dimensions, others stay, `constants` are changed."""
    _, inputs, given = case
    held = constants or {}
    names, declared, shapes, fixed, stored = [], [], {}, {}, {}
    for i, x in enumerate(inputs):
        name = f"i{i}" if x is not None or i in held else ""
        names.append(name)
        if i in held:
            stored[name] = held[i]
        elif x is not None and i in moving:
            shapes[name] = (*[1] * (pad - np.ndim(x)), *np.shape(x))
            declared.append(value_info(name, x.dtype, ["M", *shapes[name]]))
        elif x is not None:
            fixed[name] = np.asarray(x)
            declared.append(value_info(name, x.dtype, np.shape(x)))
    names += [f"i{i}" for i in sorted(held) if i >= len(inputs)]
    stored |= {f"i{i}": x for i, x in held.items()}
    y = np.asarray(room.run(inputs, given)[0])
    only = node(room.op.name, names, ["o0"], given if attributes is None else attributes, name="only")
    made = value_info("o0", y.dtype, ["M", *[f"d{i}" for i in range(y.ndim)]])
    return Rowed(model(graph([only], declared, [made], stored)), case, tuple(moving), shapes, fixed)


def _elementwise(room: Room, case: Case) -> dict[str, Rowed]:
    inputs = case[1]
    rank = max(np.ndim(x) for x in inputs if x is not None)
    there = [i for i, x in enumerate(inputs) if x is not None]
    single_numbers = room.folder in ("clip", "pow")
    held = {i: np.asarray(inputs[i]) for i in there[1:]} if single_numbers else None
    found = {"first": _build(room, case, there[:1], pad=rank, constants=held)}
    if len(there) > 1 and not single_numbers:
        found["last"] = _build(room, case, there[-1:], pad=rank)
        found["all"] = _build(room, case, there, pad=rank)
        rest = {i: np.asarray(inputs[i]) for i in there[1:]}
        found["constant"] = _build(room, case, there[:1], pad=rank, constants=rest)
    return found


def _shifted(axis: int) -> int:
    return axis if axis < 0 else axis + 1


def _moved_axis(room: Room, case: Case) -> dict[str, Rowed]:
    """Concat."""
    attributes = {**case[2], "axis": _shifted(case[2].get("axis", 0))}
    return {"all": _build(room, case, range(len(case[1])), attributes=attributes)}


def _expand(room: Room, case: Case) -> dict[str, Rowed]:
    x, target = (np.asarray(v) for v in case[1])
    wide = np.concatenate([np.ones(1 + max(0, x.ndim - len(target)), np.int64), target])
    return {"first": _build(room, case, [0], pad=max(x.ndim, len(target)), constants={1: wide})}


def _flatten(room: Room, case: Case) -> dict[str, Rowed]:
    return {"first": _build(room, case, [0], attributes={"axis": 1})}


def _gather(room: Room, case: Case) -> dict[str, Rowed]:
    index = np.asarray(case[1][1])
    attributes = {**case[2], "axis": _shifted(case[2].get("axis", 0))}
    found = {
        "data": _build(room, case, [0], attributes=attributes),
        "chosen": _build(room, case, [0], attributes=attributes, constants={1: index}),
    }
    if case[2].get("axis", 0) == 0:
        found["index"] = _build(room, case, [1])
    return found


def _gemm(room: Room, case: Case) -> dict[str, Rowed]:
    name, inputs, attributes = case
    a, b, *c = inputs
    assert a is not None
    rows = a.T if attributes.get("transA") else a
    kept = [x for x in c if x is not None and (np.ndim(x) < 2 or np.shape(x)[0] == 1)]
    changed = {k: v for k, v in attributes.items() if k != "transA"}
    if not a.size:
        return {}
    one: Case = (name, [np.ascontiguousarray(rows[0]), b, *kept], changed)
    held = {i + 1: np.asarray(x) for i, x in enumerate([b, *kept])}
    return {"given": _gemm_rows(room, one, {}), "constant": _gemm_rows(room, one, held)}


def _gemm_rows(room: Room, one: Case, held: dict[int, Array]) -> Rowed:
    name, inputs, attributes = one
    matrix: Case = (name, [np.asarray(inputs[0])[None], *inputs[1:]], attributes)
    made = _build(room, matrix, [0], constants=held)
    declared = [value_info("i0", matrix[1][0].dtype, ["M", matrix[1][0].shape[1]])]  # type: ignore[union-attr]
    declared += [value_info(n, x.dtype, x.shape) for n, x in made.fixed.items()]
    names = [f"i{i}" for i in range(len(inputs))]
    only = node("Gemm", names, ["o0"], attributes, name="only")
    stored = {f"i{i}": x for i, x in held.items()}
    encoded = model(graph([only], declared, [value_info("o0", matrix[1][0].dtype, ["M", "n"])], stored))  # type: ignore[union-attr]
    return Rowed(encoded, matrix, (0,), {"i0": matrix[1][0].shape[1:]}, made.fixed)  # type: ignore[union-attr]


def _mat_mul(room: Room, case: Case) -> dict[str, Rowed]:
    x, w = (np.asarray(v) for v in case[1])
    if x.ndim < 2 or w.ndim < 2:
        flat = {"first": _build(room, case, [0])} if x.ndim == 1 and w.ndim <= 2 else {}
        return {**flat, "column": _build(room, case, [0], pad=2)} if w.ndim == 1 and x.ndim == 2 else flat
    rank = max(x.ndim, w.ndim)
    return {
        "first": _build(room, case, [0], pad=rank),
        "constant": _build(room, case, [0], pad=rank, constants={1: w}),
        "last": _build(room, case, [1], pad=rank),
        "all": _build(room, case, [0, 1], pad=rank),
    }


def _reduction(room: Room, case: Case) -> dict[str, Rowed]:
    _, inputs, attributes = case
    x = np.asarray(inputs[0])
    given = inputs[1] if len(inputs) > 1 else None
    if given is None and attributes.get("noop_with_empty_axes"):
        return {"first": _build(room, case, [0])}
    axes = [_shifted(int(a)) for a in given] if given is not None else list(range(1, x.ndim + 1))
    return {"first": _build(room, case, [0], constants={1: np.array(axes)})}


def _reshape(room: Room, case: Case) -> dict[str, Rowed]:
    _, inputs, attributes = case
    target = [int(n) for n in np.asarray(inputs[1])]
    first = 0 if not attributes.get("allowzero") else -1
    if first == -1 and -1 in target:
        return {}
    return {"first": _build(room, case, [0], constants={1: np.array([first, *target])})}


def _slice(room: Room, case: Case) -> dict[str, Rowed]:
    inputs = [*case[1], *[None] * (5 - len(case[1]))]
    starts = np.asarray(inputs[1])
    axes = inputs[3] if inputs[3] is not None else np.arange(len(starts))
    steps = inputs[4] if inputs[4] is not None else np.ones(len(starts), np.int64)
    held = {1: starts, 2: np.asarray(inputs[2]), 3: np.array([_shifted(int(a)) for a in axes]), 4: np.asarray(steps)}
    dtype = starts.dtype
    return {"first": _build(room, case, [0], constants={i: np.asarray(x, dtype) for i, x in held.items()})}


def _axes_input(room: Room, case: Case) -> dict[str, Rowed]:
    """Squeeze and Unsqueeze."""
    x = np.asarray(case[1][0])
    given = case[1][1] if len(case[1]) > 1 else None
    axes = [i for i, n in enumerate(x.shape) if n == 1] if given is None else [int(a) for a in np.ravel(given)]
    return {"first": _build(room, case, [0], constants={1: np.array([_shifted(a) for a in axes])})}


def _transpose(room: Room, case: Case) -> dict[str, Rowed]:
    order = case[2].get("perm") or list(range(np.ndim(np.asarray(case[1][0]))))[::-1]
    return {"first": _build(room, case, [0], attributes={"perm": [0, *(int(p) + 1 for p in order)]})}


def _nothing(room: Room, case: Case) -> dict[str, Rowed]:
    """A solver has rows of its own, tuples of indices count from the first axis."""
    del room, case
    return {}


def _blocks(room: Room, case: Case) -> dict[str, Rowed]:
    """block_low_rank_apply: its rows are those of x, all else is constant."""
    name, inputs, attributes = case
    x, *rest = (np.asarray(v) for v in inputs)
    if not x.size:
        return {}
    names = [f"i{i}" for i in range(len(inputs))]
    only = node(room.op.name, names, ["o0"], attributes, name="only", domain=room.op.domain)
    declared = [value_info("i0", x.dtype, ["M", x.shape[1]])]
    stored = {f"i{i + 1}": v for i, v in enumerate(rest)}
    made = value_info("o0", x.dtype, ["M", attributes["rows"]])
    encoded = model(graph([only], declared, [made], stored), opsets={"": 20, room.op.domain: 1})
    return {"rows": Rowed(encoded, (name, [x[:1], *rest], attributes), (0,), {"i0": x.shape[1:]}, {})}


def _batched(room: Room, case: Case) -> dict[str, Rowed]:
    """Ops whose first input has rows in front: those are M, all else is constant."""
    name, inputs, attributes = case
    x, *rest = inputs
    if x is None or not x.size or x.ndim < 2:
        return {}
    one: Case = (name, [x[:1], *rest], attributes)
    names = [f"i{i}" if v is not None else "" for i, v in enumerate(inputs)]
    only = node(room.op.name, names, ["o0"], attributes, name="only", domain=room.op.domain)
    stored = {f"i{i + 1}": np.asarray(v) for i, v in enumerate(one[1][1:]) if v is not None}
    made = np.asarray(room.run(*one[1:])[0])
    infos = [value_info(n, x.dtype, ["M", *s]) for n, s in (("i0", x.shape[1:]), ("o0", made.shape[1:]))]
    opsets = {"": 20} | ({room.op.domain: 1} if room.op.domain else {})
    encoded = model(graph([only], infos[:1], infos[1:], stored), opsets=opsets)
    return {"rows": Rowed(encoded, one, (0,), {"i0": x.shape[1:]}, {})}


def _resize(room: Room, case: Case) -> dict[str, Rowed]:
    """Sizes of rows are not known: sizes that keep them are turned into those of the other axes."""
    name, inputs, attributes = case
    if len(inputs) < 4 or inputs[3] is None or "axes" in attributes:
        return _batched(room, case)
    rank = len(np.asarray(inputs[3])) - 1
    cut = np.asarray(inputs[3])[1:]
    return _batched(room, (name, [*inputs[:3], cut], {**attributes, "axes": list(range(1, rank + 1))}))


def _pad(room: Room, case: Case) -> dict[str, Rowed]:
    """The whole input is a row."""
    _, inputs, _ = case
    rank, pads = np.ndim(np.asarray(inputs[0])), np.asarray(inputs[1])
    axes = inputs[3] if len(inputs) > 3 and inputs[3] is not None else np.arange(rank)
    held = {1: pads, 3: np.array([_shifted(int(a)) for a in axes])}
    if len(inputs) > 2 and inputs[2] is not None:
        held[2] = np.asarray(inputs[2])
    padded: Case = (case[0], [*inputs, *[None] * (4 - len(inputs))], case[2])
    return {"first": _build(room, padded, [0], constants=held)}


_STRUCTURED = {
    "average_pool": _batched,
    "batch_normalization": _batched,
    "global_average_pool": _batched,
    "instance_normalization": _batched,
    "max_pool": _batched,
    "pad": _pad,
    "resize": _resize,
    "basis_readout": _batched,
    "block_low_rank_apply": _blocks,
    "conv": _batched,
    "conv_transpose": _batched,
    "factorized_conv": _batched,
    "concat": _moved_axis,
    "expand": _expand,
    "flatten": _flatten,
    "gather": _gather,
    "gather_nd": _nothing,
    "gauss_newton_solve": _nothing,
    "gemm": _gemm,
    "mollified_derivative": _batched,
    "mat_mul": _mat_mul,
    "reduce_mean": _reduction,
    "reduce_sum": _reduction,
    "reshape": _reshape,
    "slice": _slice,
    "squeeze": _axes_input,
    "transpose": _transpose,
    "unsqueeze": _axes_input,
}
