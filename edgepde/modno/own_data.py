"""Operators of one's own: one npz per operator, see edgepde/problems/operator_data.py; a file, or a folder of them."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import DataError
from edgepde.problems.operator_data import LIMIT_BYTES, OperatorData, load
from edgepde.train.run_folder import NAME

from .spectral import Spectral, fitting_terms

MOST_OPERATORS = 256
FEWEST_CASES = 12
FEWEST_TIMES, WIDEST_GAP = 4, 0.4
WIDEST_STEP = 4.0
SEAM, FEWEST_PLACES = 3.0, 8
"""A field is periodic unless it is SEAM times as steep across the seam as anywhere else, in most cases."""


@final
class OwnOperators(tuple[OperatorData, ...]):
    """What --data holds: at least one operator, all with the same sensors, names that differ."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the operators, as their files are called."""
        return tuple(one.name for one in self)


def read_data(path: Path) -> tuple[OwnOperators, str]:
    """The operators of NAME.npz or of all npz of a folder, and their sha256; DataError naming file and member."""
    files = _files(path)
    total = sum(file.stat().st_size for file in files)
    if total > LIMIT_BYTES:
        raise DataError(f"{path}: expected at most {LIMIT_BYTES} bytes of operators, got {total}")
    digest = hashlib.sha256()
    made = []
    for file in files:
        if not NAME.fullmatch(file.stem):
            raise DataError(f"{file}: expected a name of letters, digits, '_', '-' and '.': it names the operator")
        made.append(checked(load(file)))
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    check_sensors(made)
    for one in made:
        print(told(one), file=sys.stderr)
    return OwnOperators(made), digest.hexdigest()


def told(data: OperatorData) -> str:
    """How much there is, and what is known of the field between the times given, which nothing is measured on."""
    n, t, x = data.field.shape
    return (
        f"{data.name}: {n} cases, {len(data.sensor_x)} sensors, {t} times, {x} places; a time left out is predicted by "
        f"the others to within {100.0 * between_times(data):.2g} %"
    )


def between_times(data: OperatorData) -> float:
    """Relative L2 error at every time but the first and the last, by polynomials through all others.

    As gaps are twice as wide as in truth, the error between times is smaller.
    """
    values, horizon = np.asarray(data.field, np.float64), float(data.times[-1])
    terms = min(fitting_terms(values, data.times, horizon), len(data.times) - 1)
    matrix = Spectral(data.period, 0, horizon, terms - 1).time_matrix(data.times)
    wrong = 0.0
    for out in range(1, len(data.times) - 1):
        kept = np.arange(len(data.times)) != out
        weights = matrix[out] @ np.linalg.pinv(matrix[kept])
        wrong += float(((weights @ values[:, kept] - values[:, out]) ** 2).sum())
    return float(np.sqrt(wrong / max(float((values[:, 1:-1] ** 2).sum()), 1e-300)))


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path}: expected an npz file or a folder of them, there is none")
    files = sorted(path.glob("[!.]*.npz"))
    if not 1 <= len(files) <= MOST_OPERATORS:
        raise DataError(f"{path}: expected 1 to {MOST_OPERATORS} npz files, one per operator, got {len(files)}")
    return files


def check_sensors(data: Sequence[OperatorData]) -> None:
    """Raise DataError naming the file whose sensors are not those of the first."""
    first = data[0]
    for one in data[1:]:
        if len(one.sensor_x) != len(first.sensor_x) or one.period != first.period:
            got = f"{len(one.sensor_x)} on a period of {one.period:g}"
            wanted = f"{len(first.sensor_x)} on a period of {first.period:g}"
        elif not np.array_equal(one.sensor_x, first.sensor_x):
            at = int(np.argmax(one.sensor_x != first.sensor_x))
            got, wanted = (f"sensor {at} at {d.sensor_x[at]:.9g}" for d in (one, first))
        else:
            continue
        raise DataError(
            f"{one.source}: sensor_x: expected the places of {first.source} ({wanted}), got {got}: one branch reads "
            "the sensors of all operators"
        )


def checked(data: OperatorData) -> OperatorData:
    """The data; DataError where it cannot be learned from: too few cases or times, not periodic, the same twice."""
    where = data.source
    if len(data) < FEWEST_CASES:
        raise DataError(
            f"{where}: expected at least {FEWEST_CASES} cases to learn from and to test on, got {len(data)}"
        )
    _check_times(data.times, where)
    _check_fields(data)
    for name, x, values in (("sensors", data.sensor_x, data.sensors[:, None]), ("field", data.x, data.field)):
        _check_around(x, data.period, f"{where}: {'x' if name == 'field' else 'sensor_x'}")
        _check_periodic(values, x, data.period, f"{where}: {name}")
    return data


def _check_times(times: NDArray[np.float64], where: str) -> None:
    if len(times) < FEWEST_TIMES:
        raise DataError(f"{where}: times: expected at least {FEWEST_TIMES} to follow a field in time, got {len(times)}")
    gaps = np.diff(times, prepend=0.0)
    widest = int(np.argmax(gaps))
    if gaps[widest] > WIDEST_GAP * times[-1]:
        raise DataError(
            f"{where}: times: expected none further apart than {WIDEST_GAP:g} of the last, {times[-1]:g}; nothing is "
            f"known between {times[widest] - gaps[widest]:g} and {times[widest]:g}"
        )


def _check_fields(data: OperatorData) -> None:
    empty = ~np.any(data.field, axis=(1, 2))
    if empty.any():
        raise DataError(
            f"{data.source}: field: case {int(np.argmax(empty))} is 0 everywhere ({int(empty.sum())} such): it has no "
            "relative error; leave it out"
        )
    if data.sensors.std(0).max() == 0.0:
        raise DataError(f"{data.source}: sensors: expected inputs that differ, got the same {len(data)} times")
    seen: dict[bytes, int] = {}
    for case, row in enumerate(data.sensors + 0.0):
        first = seen.setdefault(row.tobytes(), case)
        if first != case and np.array_equal(data.field[first], data.field[case]):
            raise DataError(f"{data.source}: case {case} is case {first} again: it could be both trained on and tested")


def _check_around(x: NDArray[np.float64], period: float, where: str) -> None:
    steps = np.diff(x, append=x[0] + period)
    widest = int(np.argmax(steps))
    if steps[widest] > WIDEST_STEP * np.median(steps):
        raise DataError(
            f"{where}: expected places all around the period of {period:g}: there is none between {x[widest]:g} and "
            f"{x[widest] + steps[widest]:g}, others are {np.median(steps):.3g} apart"
        )


def _check_periodic(values: NDArray[np.floating], x: NDArray[np.float64], period: float, where: str) -> None:
    """values [N, T, n]."""
    if len(x) < FEWEST_PLACES:
        return
    inside = np.abs(np.diff(values, axis=-1) / np.diff(x)).max((1, 2))
    gap = x[0] + period - x[-1]
    seam = np.abs(values[..., 0] - values[..., -1]).max(1) / gap
    steeper = seam > SEAM * inside
    if 2 * np.count_nonzero(steeper) > len(values):
        case = int(np.argmax(steeper))
        times = seam[case] / max(inside[case], 1e-300)
        raise DataError(
            f"{where}: expected values that repeat with the period {period:g}: case {case} changes by "
            f"{seam[case] * gap:.3g} from x = {x[-1]:g} to {x[0] + period:g}, {times:.3g} times "
            f"as steep as anywhere else (so do {np.count_nonzero(steeper)} of {len(values)} cases)"
        )
