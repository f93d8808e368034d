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
from .operator_inputs import KINDS
from .operators._fourier import Complex, at, grid
from .operators._operator import Operator

Real = NDArray[np.float64]
Split = Literal["train", "validation", "test", "grf"]
LIMIT_BYTES = 2 << 30
MEMBERS = ("sensors", "sensor_x", "x", "times", "field", "period")
BEYOND = 1.25
"""Times of the mixed experiment's test go so far, as a fraction of the horizon."""
TOGETHER = 128


@final
@dataclass(frozen=True, eq=False)
class OperatorData:
    """N cases: sensors [N, S] at sensor_x [S], field [N, T, n] float64 or float32 at times [T] and x [n], periodic.

    sensor_x and x increase within one period; times increase from 0 on; s and the field's unit are the operator's.
    Raises DataError naming the member and the first place that is wrong.
    """

    name: str
    sensors: Real
    sensor_x: Real
    x: Real
    times: Real
    field: NDArray[Any]
    period: float = 2.0

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
    """Read NAME.npz of the members MEMBERS, at most 2 GiB, without pickle. Raises DataError naming file and member."""
    source = Path(path)
    arrays, _ = npz.read_file(source, LIMIT_BYTES, DataError, members=MEMBERS)
    period = float(arrays.pop("period"))
    return OperatorData(source.stem, **arrays, period=period)


def generate(
    name: str,
    count: int,
    seed: int,
    *,
    split: Split = "train",
    points: int | Real | None = None,
    times: Real | int | None = None,
    sensors: int = 32,
    own_inputs: bool = False,
) -> OperatorData:
    """`count` cases of the operator `name`.

    train: 256 points and 24 Chebyshev-Lobatto times in [0, horizon]; else: 128 points shifted by 0.37 of a cell and
    10 times drawn at random, up to 1.25 horizon for tests of mixtures. points, times: others. grf: random fields as
    inputs. All operators of one kind of input get the same inputs for the same seed; own_inputs: each its own.
    Cases 0 .. k of a seed do not depend on `count`.
    """
    how = operators.operator(name)
    if split not in get_args(Split):
        raise DataError(f"split: expected one of {', '.join(get_args(Split))}, got {split!r}")
    rng = np.random.default_rng(_entropy(seed, split, name if own_inputs else ""))
    inputs = KINDS["grf" if split == "grf" else how.inputs](count, rng, how.period)
    where = _places(how, split, points)
    when = _times(how, split, seed, times)
    field = np.concatenate([_field(how, inputs[i : i + TOGETHER], when, where) for i in range(0, count, TOGETHER)])
    sensor_x = grid(sensors, how.period)
    return OperatorData(name, at(inputs, sensor_x, how.period), sensor_x, where, when, field, how.period)


def _field(how: Operator, inputs: Complex, times: Real, x: Real) -> Real:
    return at(how.evolve(how.initial(inputs), times), x, how.period)


def _entropy(seed: int, *words: str) -> list[int]:
    return [seed, *(int.from_bytes(word.encode(), "little") for word in words)]


def _places(how: Operator, split: Split, points: Real | int | None) -> Real:
    if points is not None and not isinstance(points, int):
        return np.asarray(points, dtype=np.float64)
    return grid(points or (256 if split == "train" else 128), how.period, 0.0 if split == "train" else 0.37)


def _times(how: Operator, split: Split, seed: int, times: Real | int | None) -> Real:
    if times is not None and not isinstance(times, int):
        return np.asarray(times, dtype=np.float64)
    if split == "train":
        count = times or 24
        made: Real = how.horizon * np.sin(0.5 * np.pi * np.arange(count) / (count - 1)) ** 2
        return made
    last = how.horizon * (BEYOND if how.inputs == "mixture" and split == "test" else 1.0)
    rng = np.random.default_rng(_entropy(seed, split, "times"))
    return np.sort(rng.uniform(0.0, last, times or 10))
