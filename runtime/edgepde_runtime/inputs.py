"""What a caller hands in, checked and brought to the graph's dtype; values meet the box before any cast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from .boxcheck import first_outside, limits, outside
from .errors import InputError, OutOfBox
from .manifest import InputSpec
from .npz import float_hint

OUT_OF_BOX, NOT_CONVERGED, ABOVE_THRESHOLD, ROUNDED = 1, 2, 4, 8
WORDS = {
    OUT_OF_BOX: "out of box",
    NOT_CONVERGED: "not converged",
    ABOVE_THRESHOLD: "residual above threshold",
    ROUNDED: "input rounded",
}
Policy = Literal["raise", "flag"]
POLICIES: tuple[str, ...] = get_args(Policy)


class Prepared(NamedTuple):
    """An input in the graph's dtype [n, d], C-contiguous, and the flags of its rows, int32 [n]."""

    array: NDArray[np.floating]
    flags: NDArray[np.int32]


def describe(flags: int) -> str:
    """The flags in words."""
    return ", ".join(word for bit, word in WORDS.items() if flags & bit) or "none"


def prepare(spec: InputSpec, value: object, policy: str, strict: bool) -> Prepared:
    """Checks one input [n, d].

    Raises InputError for a wrong type, shape or dtype, for NaN or infinity, and under `strict` for an inexact cast;
    OutOfBox unless policy is "flag".
    """
    given = as_floats(spec, value)
    flags = np.zeros(given.shape[0], dtype=np.int32)
    if not np.isfinite(given).all():
        row, j = (int(v) for v in np.argwhere(~np.isfinite(given))[0])
        at = f"input {spec.name}: row {row}, column {spec.columns[j].name}"
        raise InputError(f"{at}: expected a finite number, got {given[row, j]}")
    misses = outside(given, spec)
    if misses.any():
        if policy == "raise":
            raise OutOfBox(f"input {spec.name}: {first_outside(given, spec)}")
        flags[misses.any(axis=1)] |= OUT_OF_BOX
    return Prepared(_cast(spec, given, flags, strict), flags)


def _cast(spec: InputSpec, given: NDArray[np.floating], flags: NDArray[np.int32], strict: bool) -> NDArray[np.floating]:
    with np.errstate(over="ignore"):
        array = np.ascontiguousarray(given, dtype=spec.dtype)
    if given.dtype.itemsize < array.dtype.itemsize:
        array = _moved_inside(spec, array, flags)
    inexact = array != given
    if inexact.any():
        row, j = (int(v) for v in np.argwhere(inexact)[0])
        at = f"input {spec.name}: row {row}, column {spec.columns[j].name}"
        if not np.isfinite(array[row, j]):
            raise InputError(f"{at}: expected a number of {spec.dtype}, got {given[row, j]}")
        if strict:
            raise InputError(f"{at}: {float(given[row, j])!r} is not a {spec.dtype}; strict=True refuses the cast")
        flags[inexact.any(axis=1)] |= ROUNDED
    return array


def _moved_inside(spec: InputSpec, array: NDArray[np.floating], flags: NDArray[np.int32]) -> NDArray[np.floating]:
    """Rows that are inside in the caller's coarser dtype, with values past the graph's own limits moved onto them."""
    low, high = limits(spec)
    rows = (flags & OUT_OF_BOX) == 0
    moved = array.copy()
    moved[rows] = np.clip(array[rows], low, high)
    return moved


def as_floats(spec: InputSpec, value: object) -> NDArray[np.floating]:
    """A floating-point array [n, d], n >= 1, of the caller's dtype; lists of numbers become float64."""
    wanted = f"input {spec.name}: expected {spec.dtype} [{spec.shape[0]}, {spec.shape[1]}]"
    if isinstance(value, np.ma.MaskedArray):
        raise InputError(f"{wanted}, got a masked array")
    try:
        array = np.asarray(value)
        if isinstance(value, list | tuple) and array.dtype.kind in "iuf":
            array = array.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{wanted}, got what is no array: {error}") from None
    if array.dtype.kind != "f" or array.dtype.itemsize > 8:
        raise InputError(f"{wanted}, got dtype {array.dtype}{float_hint(array.dtype)}")
    if array.ndim != 2 or array.shape[1] != spec.shape[1]:
        hint = f"; one row is x[None, :], shape [1, {spec.shape[1]}]" if array.shape == (spec.shape[1],) else ""
        raise InputError(f"{wanted}, got shape {list(array.shape)}{hint}")
    if array.shape[0] == 0:
        raise InputError(f"{wanted}, got no rows")
    return array


def complete(specs: tuple[InputSpec, ...], args: tuple[object, ...], named: Mapping[str, object]) -> dict[str, object]:
    """Every input by name: one may be positional, several are keywords. Raises InputError naming what is amiss."""
    names = [spec.name for spec in specs]
    if args and (len(args) > 1 or len(specs) > 1 or named):
        expected = "one array" if len(specs) == 1 else f"{len(specs)} arrays by keyword ({', '.join(names)})"
        more = f" and {len(named)} by keyword" if named else ""
        raise InputError(f"expected {expected}, got {len(args)} positional{more}")
    values = {names[0]: args[0]} if args else dict(named)
    for name in names:
        if name not in values:
            raise InputError(f"input {name} is missing; expected {', '.join(names)}")
    for name in values:
        if name not in names:
            raise InputError(f"input {name!a} is unknown; expected {', '.join(names)}")
    return values


def same_rows(specs: tuple[InputSpec, ...], arrays: Mapping[str, NDArray[np.floating]]) -> dict[str, int]:
    """The number behind each symbol; raises InputError where inputs that share a symbol have different rows."""
    sizes: dict[str, int] = {}
    for spec in specs:
        rows = arrays[spec.name].shape[0]
        if sizes.setdefault(spec.shape[0], rows) != rows:
            raise InputError(f"input {spec.name}: expected {sizes[spec.shape[0]]} rows ({spec.shape[0]}), got {rows}")
    return sizes
