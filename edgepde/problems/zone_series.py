"""Time series of a field on one mesh: XDMF, or a ParaView collection (.pvd) of one mesh file per time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import DataError

Array = NDArray[np.float64]
LARGEST_FILE = 1 << 30
MOST_VALUES = 1 << 28
CORNERS = {
    "triangle": [[0, 1, 2]],
    "triangle6": [[0, 3, 5], [3, 1, 4], [5, 4, 2], [3, 4, 5]],
    "quad": [[0, 1, 2], [0, 2, 3]],
    "quad8": [[0, 4, 7], [4, 1, 5], [5, 2, 6], [6, 3, 7], [4, 5, 7], [5, 6, 7]],
    "quad9": [[0, 4, 8], [0, 8, 7], [4, 1, 5], [4, 5, 8], [8, 5, 2], [8, 2, 6], [7, 8, 6], [7, 6, 3]],
}
"""How cells become triangles; those of six and more points by all their points."""
IGNORED = ("vertex", "line", "line3")


@final
@dataclass(frozen=True, eq=False)
class Series:
    """points [n, 2], triangles [T, 3], times [K] increasing, values [K, n], all finite."""

    points: Array
    triangles: NDArray[np.int64]
    times: Array
    values: Array


def series(path: Path, field: str, component: int | None = None) -> Series:
    """The series of one file. Raises DataError naming file, field, time and point."""
    read = _collection if path.suffix == ".pvd" else _xdmf
    steps: list[tuple[float, Array]] = []
    points, triangles = np.empty((0, 2)), np.empty((0, 3), dtype=np.int64)
    for time, mesh_points, cells, data in _guarded(path, read(path)):
        if not steps:
            points, triangles = _plane(mesh_points, path), _triangles(cells, path)
            if not triangles.size or not 0 <= triangles.min() <= triangles.max() < len(points):
                raise DataError(f"{path}: cells: expected triangles or quads of points 0 .. {len(points) - 1}")
        elif not np.array_equal(_plane(mesh_points, path), points):
            raise DataError(f"{path}: time {time:g}: expected the mesh of the first time, its points differ")
        if steps and not time > steps[-1][0]:
            raise DataError(f"{path}: times: expected increasing, got {steps[-1][0]:g} then {time:g}")
        if (len(steps) + 1) * len(points) > MOST_VALUES:
            raise DataError(f"{path}: expected at most {MOST_VALUES} values, points times times")
        steps.append((time, _values(data, field, component, len(points), f"{path}: time {time:g}")))
    if len(steps) < 2:
        raise DataError(f"{path}: expected at least 2 times, got {len(steps)}")
    return Series(points, triangles, np.array([time for time, _ in steps]), np.stack([values for _, values in steps]))


Step = tuple[float, Array, Any, dict[str, Any]]


def _guarded(path: Path, steps: Iterator[Step]) -> Iterator[Step]:
    """What a reader that gives up says, as a DataError naming the file."""
    while True:
        try:
            step = next(steps, None)
        except DataError:
            raise
        except (Exception, SystemExit) as error:
            said = "its reader gave up" if isinstance(error, SystemExit) else str(error) or type(error).__name__
            raise DataError(f"{path}: cannot be read as a time series: {said}") from None
        if step is None:
            return
        if not math.isfinite(step[0]):
            raise DataError(f"{path}: times: expected finite numbers, got {step[0]}")
        yield step


def _xdmf(path: Path) -> Iterator[Step]:
    import meshio

    _refuse_large(path)
    with meshio.xdmf.TimeSeriesReader(path) as reader:
        points, cells = reader.read_points_cells()
        for step in range(reader.num_steps):
            time, data, _ = reader.read_data(step)
            yield float(time), points, cells, data


def _collection(path: Path) -> Iterator[Step]:
    import meshio

    _refuse_large(path)
    for entry in ElementTree.parse(path).getroot().iter("DataSet"):
        time, name = entry.get("timestep"), entry.get("file")
        if time is None or not name:
            raise DataError(f"{path}: DataSet: expected timestep and file, got {dict(entry.attrib)}")
        file = path.parent / name
        if not file.resolve().is_relative_to(path.parent.resolve()):
            raise DataError(f"{path}: DataSet: file: expected inside {path.parent}, got {name!r}")
        _refuse_large(file)
        held = meshio.read(file)
        yield float(time), held.points, held.cells, held.point_data


def _refuse_large(path: Path) -> None:
    if not path.is_file():
        raise DataError(f"{path}: expected a file, there is none")
    if path.stat().st_size > LARGEST_FILE:
        raise DataError(f"{path}: expected at most {LARGEST_FILE} bytes, got {path.stat().st_size}")


def _plane(points: Any, path: Path) -> Array:
    held = np.asarray(points, dtype=np.float64)
    if held.ndim != 2 or held.shape[1] not in (2, 3) or not len(held) or not np.isfinite(held).all():
        raise DataError(f"{path}: points: expected finite [n, 2], got {list(held.shape)}")
    if held.shape[1] == 3 and np.ptp(held[:, 2]) > 0:
        raise DataError(
            f"{path}: points: expected a plane mesh, z goes from {held[:, 2].min():g} to {held[:, 2].max():g}"
        )
    return held[:, :2]


def _triangles(cells: Any, path: Path) -> NDArray[np.int64]:
    kinds = [block.type for block in cells]
    unknown = sorted({kind for kind in kinds if kind not in CORNERS and kind not in IGNORED})
    if unknown or not set(kinds) & set(CORNERS):
        raise DataError(f"{path}: cells: expected of {', '.join(CORNERS)}, got {', '.join(unknown or kinds) or 'none'}")
    parts = [np.asarray(block.data)[:, CORNERS[block.type]].reshape(-1, 3) for block in cells if block.type in CORNERS]
    return np.concatenate(parts).astype(np.int64)


def _values(data: dict[str, Any], field: str, component: int | None, count: int, where: str) -> Array:
    if field not in data:
        raise DataError(f"{where}: {field}: expected among the point data, got {', '.join(sorted(data)) or 'none'}")
    held = np.asarray(data[field], dtype=np.float64)
    held = held.reshape(len(held), -1) if held.ndim else held.reshape(1, 1)
    if held.shape[1] > 1 and component is None:
        raise DataError(f"{where}: {field}: expected one number per point, got {held.shape[1]}; zone.json: component")
    if len(held) != count or (component or 0) >= held.shape[1]:
        raise DataError(f"{where}: {field}: expected {count} values, got {list(held.shape)}")
    values: Array = held[:, component or 0]
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        got = f"got {values[bad[0]]} at point {bad[0]} ({bad.size} of {count})"
        raise DataError(f"{where}: {field}: expected finite numbers, {got}")
    return values
