"""Fields over a zone of interest (t, y, x) for many cases of few parameters: what a wave simulator is trained on."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from edgepde_runtime import npz
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.errors import DataError

Array = NDArray[np.float64]
LIMIT_BYTES = 2 << 30
LONGEST_TEXT = 64
NUMBERS = ("parameters", "low", "high", "field", "t", "y", "x")
TEXTS = ("parameter_names", "parameter_units", "axis_units", "field_name", "field_unit")
AXES = ("t", "y", "x")
INPUTS = ("parameters", "frames")
UNEVEN = 1e-6
SMALLEST, LARGEST = 1e-12, 1e12


@final
@dataclass(frozen=True, eq=False)
class ZoneData:
    """N cases: parameters float64 [N, P] in the box low, high [P] and their fields float32 [N, T, Y, X].

    names, units: of the parameters, P of each; "1" is the unit of a pure number. t [T], y [Y], x [X]: where the field
    is given, increasing by equal steps, in axis_units (t, y, x). source: the file it was read from.
    Raises DataError naming the array, and the case and place where a number is at fault.
    """

    parameters: Array
    names: tuple[str, ...]
    units: tuple[str, ...]
    low: Array
    high: Array
    field: NDArray[np.float32]
    t: Array
    y: Array
    x: Array
    field_name: str
    field_unit: str
    axis_units: tuple[str, str, str] = ("s", "m", "m")
    source: str = "zone data"

    def __post_init__(self) -> None:
        for name in NUMBERS:
            dtype = np.float32 if name == "field" else np.float64
            with np.errstate(over="ignore"):
                object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=dtype))
        _check_texts(self)
        _check_shapes(self)
        for name in AXES:
            _check_axis(getattr(self, name), f"{self.source}: {name}")
        _check_parameters(self)
        _check_field(self)

    def __len__(self) -> int:
        return len(self.parameters)

    @property
    def box(self) -> Box:
        """The box of the parameters, with names and units."""
        return Box(tuple(self.low), tuple(self.high), self.names, self.units)

    @property
    def grid(self) -> tuple[int, int, int]:
        """(T, Y, X)."""
        return len(self.t), len(self.y), len(self.x)

    def take(self, cases: NDArray[np.int64] | slice) -> ZoneData:
        """Some cases, in the order given."""
        return replace(self, parameters=self.parameters[cases], field=self.field[cases])

    def split(self, seed: int, test: int, validation: int) -> tuple[ZoneData, ZoneData, ZoneData]:
        """(training, validation, test) by case, drawn without replacement; training is what is left.

        Test cases are drawn first: other numbers of training or validation cases leave the test set as it is.
        Raises DataError where nothing is left to train on, a part is empty, or a case is there twice: it could be both
        trained on and tested.
        """
        left = len(self) - test - validation
        if min(test, validation, left) < 1:
            raise DataError(
                f"{self.source}: {len(self)} cases: expected at least 1 for each of test, validation and training, "
                f"got {test}, {validation} and {max(left, 0)}; more cases, or fewer held out (--set test=, validation=)"
            )
        _check_once(self)
        order = np.random.default_rng(seed).permutation(len(self))
        cuts = np.sort(order[test + validation :]), np.sort(order[test : test + validation]), np.sort(order[:test])
        train, valid, held = (self.take(cut) for cut in cuts)
        return train, valid, held

    def check_size(self) -> None:
        """Raise DataError where the field is 0 everywhere, or of a size whose square float32 does not hold."""
        most = float(np.abs(self.field).max())
        if not SMALLEST <= most <= LARGEST:
            raise DataError(
                f"{self.source}: field: expected its largest value between {SMALLEST:g} and {LARGEST:g} "
                f"{self.field_unit} to learn from, got {most:g}; another unit would help unless it is 0"
            )

    def write(self, path: Path | str) -> None:
        """Write the npz in one step; the same data makes the same bytes. Raises RunError where the system refuses."""
        from edgepde.train.atomic import write_file

        write_file(Path(path), self.encode())

    def encode(self) -> bytes:
        """The bytes of the npz file."""
        held = io.BytesIO()
        texts = {
            "parameter_names": np.array(self.names),
            "parameter_units": np.array(self.units),
            "axis_units": np.array(self.axis_units),
            "field_name": np.array(self.field_name),
            "field_unit": np.array(self.field_unit),
        }
        np.savez(held, allow_pickle=False, **{name: getattr(self, name) for name in NUMBERS}, **texts)
        return held.getvalue()


def read(path: Path | str) -> ZoneData:
    """Read an npz of the members NUMBERS and TEXTS, at most 2 GiB, without pickle; or a folder (zone_meshes.py).

    Raises DataError naming file and member: not an npz, truncated, a member missing or unknown, of another kind, of
    shapes that disagree, not finite, without a unit.
    """
    source = Path(path)
    if source.is_dir():
        from .zone_meshes import read_folder

        return read_folder(source)
    kinds = (*npz.REALS, *npz.texts(LONGEST_TEXT))
    arrays, _ = npz.read_file(source, LIMIT_BYTES, DataError, dtypes=kinds, members=(*NUMBERS, *TEXTS))
    for name in NUMBERS:
        if arrays[name].dtype.kind == "U":
            raise DataError(f"{source}: {name}: expected numbers, got texts")
    texts = {name: _texts(arrays[name], f"{source}: {name}") for name in TEXTS}
    for name in ("field_name", "field_unit"):
        if arrays[name].size != 1:
            raise DataError(f"{source}: {name}: expected one text, got shape {list(arrays[name].shape)}")
    if len(texts["axis_units"]) != len(AXES):
        raise DataError(f"{source}: axis_units: expected 3 texts (t, y, x), got {len(texts['axis_units'])}")
    t, y, x = texts["axis_units"]
    return ZoneData(
        **{name: arrays[name] for name in NUMBERS},
        names=texts["parameter_names"],
        units=texts["parameter_units"],
        field_name=texts["field_name"][0],
        field_unit=texts["field_unit"][0],
        axis_units=(t, y, x),
        source=str(source),
    )


def _texts(array: NDArray[Any], where: str) -> tuple[str, ...]:
    if array.dtype.kind != "U" or array.ndim > 1:
        raise DataError(f"{where}: expected texts, got {array.dtype} of shape {list(array.shape)}")
    try:
        return tuple(str(text) for text in np.atleast_1d(array))
    except ValueError as error:
        raise DataError(f"{where}: expected texts, got {error}") from None


def _check_texts(data: ZoneData) -> None:
    named = [(f"unit of {name}", unit) for name, unit in zip(data.names, data.units, strict=False)]
    named += [(f"unit of {axis}", unit) for axis, unit in zip(AXES, data.axis_units, strict=True)]
    for label, text in [*named, ("field_name", data.field_name), ("field_unit", data.field_unit)]:
        if not text.strip() or not text.isprintable() or len(text) > LONGEST_TEXT:
            hint = '; the unit of a pure number is "1"' if "unit" in label else ""
            raise DataError(
                f"{data.source}: {label}: expected a text of 1 to {LONGEST_TEXT} letters, got {text!a}{hint}"
            )
    if not data.field_name.isidentifier() or data.field_name in INPUTS:
        raise DataError(
            f"{data.source}: field_name: expected a name of letters, digits and _ that is none of {', '.join(INPUTS)} "
            f"(it names the simulator's output), got {data.field_name!a}"
        )


def _check_shapes(data: ZoneData) -> None:
    n, p, grid = len(data.parameters), len(data.names), data.grid
    expected = {"parameters": (n, p), "low": (p,), "high": (p,), "field": (n, *grid)}
    if not n or not p:
        raise DataError(f"{data.source}: parameters: expected cases and parameters, got {list(data.parameters.shape)}")
    if len(data.units) != p:
        raise DataError(f"{data.source}: parameter_units: expected {p}, one per name, got {len(data.units)}")
    for name, shape in expected.items():
        if getattr(data, name).shape != shape:
            got = list(getattr(data, name).shape)
            raise DataError(f"{data.source}: {name}: expected shape {list(shape)}, got {got}")


def _check_axis(axis: Array, where: str) -> None:
    if axis.ndim != 1 or len(axis) < 2:
        raise DataError(f"{where}: expected at least 2 places in one dimension, got shape {list(axis.shape)}")
    npz.check_finite(axis, where, DataError)
    steps = np.diff(axis)
    if steps.min() <= 0:
        at = int(np.argmin(steps))
        raise DataError(f"{where}: expected increasing places, got {axis[at]:g} then {axis[at + 1]:g} at {at + 1}")
    mean = (axis[-1] - axis[0]) / (len(axis) - 1)
    if np.abs(steps - mean).max() > UNEVEN * mean:
        at = int(np.argmax(np.abs(steps - mean)))
        raise DataError(f"{where}: expected equal steps of {mean:g}, got {steps[at]:g} between {at} and {at + 1}")


def _check_parameters(data: ZoneData) -> None:
    npz.check_finite(data.parameters, f"{data.source}: parameters", DataError)
    try:
        outside = data.box.first_outside(data.parameters)
    except InputError as error:
        raise DataError(f"{data.source}: {error}") from None
    if outside:
        case, column, count = outside
        name, unit, got = data.names[column], data.units[column], data.parameters[case, column]
        raise DataError(
            f"{data.source}: parameters: case {case}: {name} expected in "
            f"[{data.low[column]:g}, {data.high[column]:g}] {unit}, got {got:g} ({count} cases outside)"
        )


def _check_field(data: ZoneData) -> None:
    flat = data.field.reshape(len(data), -1)
    for case, row in enumerate(flat):
        if not math.isfinite(float(np.abs(row).max())):
            bad = np.flatnonzero(~np.isfinite(row))
            k, j, i = np.unravel_index(bad[0], data.grid)
            raise DataError(
                f"{data.source}: field: case {case}: expected finite numbers, got {row[bad[0]]} at "
                f"t = {data.t[k]:g} {data.axis_units[0]}, y = {data.y[j]:g}, x = {data.x[i]:g} {data.axis_units[2]} "
                f"({bad.size} of {row.size} values of this case)"
            )


def _check_once(data: ZoneData) -> None:
    seen: dict[bytes, int] = {}
    for case, row in enumerate(data.parameters + 0.0):
        first = seen.setdefault(row.tobytes(), case)
        if first != case and np.array_equal(data.field[first], data.field[case]):
            raise DataError(
                f"{data.source}: case {case} is case {first} again: expected every case once, for it could be both "
                f"trained on and tested"
            )
