"""Cases of a solution operator: sensors of the input, and the field it leads to on a grid at times."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, final, get_args

import numpy as np
from edgepde_runtime import npz
from numpy.typing import NDArray

from edgepde.errors import DataError

from . import operators
from .fourier import at, grid
from .operator_checks import check_cases, check_period, check_places, check_times
from .operator_inputs import KINDS
from .operators._operator import Operator

Real = NDArray[np.float64]
Split = Literal["train", "validation", "test", "grf"]
LIMIT_BYTES = 2 << 30
LONGEST_TEXT = 64
NUMBERS = ("sensors", "sensor_x", "x", "times", "field", "period")
MEMBERS = (*NUMBERS, "unit")
SINGLE = ("period", "unit")
BEYOND = 1.25
"""Times of the mixed experiment's test go so far, as a fraction of the horizon."""
SHIFT = 0.37
"""Of grids that are not trained on, in cells."""
TOGETHER = 128


@final
@dataclass(frozen=True, eq=False)
class OperatorData:
    """N cases: sensors [N, S] of the input at sensor_x [S], field [N, T, n] at times [T] and x [n], periodic in x.

    field: float32 or float64, all else float64. sensor_x and x increase within one period, times increase from 0 on.
    unit: of u. source: the file it was read from. Raises DataError naming the member, and the place where a number is
    at fault.
    """

    name: str
    sensors: Real
    sensor_x: Real
    x: Real
    times: Real
    field: NDArray[Any]
    period: float = 2.0
    unit: str = "1"
    source: str = ""

    def __post_init__(self) -> None:
        where = self.source or f"operator {self.name}"
        for member in ("sensors", "sensor_x", "x", "times"):
            object.__setattr__(self, member, np.ascontiguousarray(getattr(self, member), dtype=np.float64))
        kind = np.float32 if np.asarray(self.field).dtype == np.float32 else np.float64
        object.__setattr__(self, "field", np.ascontiguousarray(self.field, dtype=kind))
        check_period(self.period, where)
        check_places(self.sensor_x, self.period, f"{where}: sensor_x")
        check_places(self.x, self.period, f"{where}: x")
        check_times(self.times, f"{where}: times")
        check_cases(self.sensors, self.field, (len(self.sensor_x), len(self.times), len(self.x)), where)
        if not self.unit.strip() or not self.unit.isprintable() or len(self.unit) > LONGEST_TEXT:
            raise DataError(f"{where}: unit: expected a text of 1 to {LONGEST_TEXT} letters, got {self.unit!a}")

    def __len__(self) -> int:
        return len(self.sensors)

    def take(self, cases: NDArray[np.int64] | slice) -> OperatorData:
        """Some cases, in the order given."""
        return replace(self, sensors=self.sensors[cases], field=self.field[cases])

    def save(self, path: Path | str) -> None:
        """Write the npz in one step; the same data makes the same bytes. Raises RunError where the system refuses."""
        from edgepde.train.atomic import write_file

        held = io.BytesIO()
        np.savez(held, allow_pickle=False, **{member: np.asarray(getattr(self, member)) for member in MEMBERS})
        write_file(Path(path), held.getvalue())


def load(path: Path | str) -> OperatorData:
    """Read NAME.npz of MEMBERS (unit may be left out), at most 2 GiB, without pickle.

    Raises DataError naming file and member: not an npz, truncated, a member missing or unknown, of another kind, of
    shapes that disagree, not finite.
    """
    source = Path(path)
    kinds = (*npz.FLOATS, *npz.texts(LONGEST_TEXT))
    arrays, _ = npz.read_file(source, LIMIT_BYTES, DataError, dtypes=kinds)
    missing, unknown = {*NUMBERS} - set(arrays), set(arrays) - {*MEMBERS}
    if missing or unknown:
        wanted = f"expected {', '.join(NUMBERS)} (and unit)"
        raise DataError(f"{source}: {wanted}; missing: {npz.listed(missing)}; unknown: {npz.listed(unknown)}")
    for member, values in arrays.items():
        if (values.dtype.kind == "U") != (member == "unit"):
            what = "a text" if member == "unit" else "numbers"
            raise DataError(f"{source}: {member}: expected {what}, got {values.dtype}")
        if member in SINGLE and values.size != 1:
            raise DataError(f"{source}: {member}: expected one value, got shape {list(values.shape)}")
    period, unit = float(arrays.pop("period").reshape(())), str(arrays.pop("unit", np.array("1")).reshape(()))
    return OperatorData(source.stem, **arrays, period=period, unit=unit, source=str(source))


def generate(
    name: str,
    count: int,
    seed: int,
    *,
    split: Split = "train",
    points: int | None = None,
    times: Real | int | None = None,
    sensors: int = 32,
    own_inputs: bool = False,
    x: Real | None = None,
) -> OperatorData:
    """`count` cases of the operator `name`.

    train: 256 points and 24 Chebyshev-Lobatto times in [0, horizon]; else: 128 points shifted by 0.37 of a cell and
    10 times at random, one in each tenth of [0, horizon], for tests of mixtures of [0, 1.25 horizon]. points, times:
    others (a number, or the times themselves); x: the places themselves, in one period. grf: random fields as inputs.
    All operators of one kind of input get the same inputs for the same seed; own_inputs: each its own. Cases 0 .. k
    of a seed do not depend on `count`. ProblemError for an unknown name, DataError for what else cannot be.
    """
    how = operators.operator(name)
    _check(count, seed, split, points, times, sensors)
    rng = np.random.default_rng(_entropy(seed, split, name if own_inputs else ""))
    inputs = KINDS["grf" if split == "grf" else how.inputs](count, rng, how.period)
    even = grid(points or (256 if split == "train" else 128), how.period, 0.0 if split == "train" else SHIFT)
    where = even if x is None else np.asarray(x, dtype=np.float64)
    when = _times(how, split, seed, times)
    field = np.concatenate([how.fields(inputs[i : i + TOGETHER], when, where) for i in range(0, count, TOGETHER)])
    sensor_x = grid(sensors, how.period)
    return OperatorData(name, at(inputs, sensor_x, how.period), sensor_x, where, when, field, how.period, how.unit)


def _check(count: int, seed: int, split: str, points: int | None, times: Real | int | None, sensors: int) -> None:
    if split not in get_args(Split):
        raise DataError(f"split: expected one of {', '.join(get_args(Split))}, got {split!r}")
    least = {"count": (count, 1), "seed": (seed, 0), "points": (points or 256, 3), "sensors": (sensors, 3)}
    if isinstance(times, int):
        least["times"] = times, 2
    for name, (value, low) in least.items():
        if value < low:
            raise DataError(f"{name}: expected at least {low}, got {value}")
    if count * (points or 256) > LIMIT_BYTES >> 6:
        raise DataError(f"count, points: expected at most {LIMIT_BYTES >> 6} values per time, got {count} x {points}")


def _entropy(seed: int, *words: str) -> list[int]:
    return [seed, *(int.from_bytes(word.encode(), "little") for word in words)]


def _times(how: Operator, split: Split, seed: int, times: Real | int | None) -> Real:
    if times is not None and not isinstance(times, int):
        return np.asarray(times, dtype=np.float64)
    if split == "train":
        count = times or 24
        made: Real = how.horizon * np.sin(0.5 * np.pi * np.arange(count) / (count - 1)) ** 2
        return made
    last = how.horizon * (BEYOND if how.inputs == "mixture" and split == "test" else 1.0)
    rng = np.random.default_rng(_entropy(seed, split, "times"))
    slots = times or 10
    return last * (np.arange(slots) + rng.uniform(size=slots)) / slots
