"""Where the rows and columns of an operator lie: points of a mesh, checked against the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.certify.network import Affine, Gather, Input, Network

Array = NDArray[np.float64]
MOST_BYTES = 1 << 30
NAMES = ("points", "row_points", "column_points")


@dataclass(frozen=True, eq=False)
class Geometry:
    """rows [m, k], columns [n, k]: points of the network's outputs and inputs, None where they are not known."""

    rows: Array | None = None
    columns: Array | None = None
    where: str = "points"

    def checked(self, network: Network) -> Geometry:
        """The same; raises InputError where the points do not match the network or are not finite."""
        for name, points, wanted in (("row", self.rows, network.outputs), ("column", self.columns, network.dimension)):
            if points is None:
                continue
            if points.ndim != 2 or len(points) != wanted or not points.shape[1]:
                kind = "outputs" if name == "row" else "inputs"
                raise InputError(
                    f"{self.where}: {name} points: expected [{wanted}, k], one per row as the network has {wanted} "
                    f"{kind}, got {list(points.shape)}"
                )
            if not np.isfinite(points).all():
                first = int(np.argmin(np.isfinite(points).all(axis=1)))
                raise InputError(f"{self.where}: {name} points: row {first}: expected finite numbers")
        return self

    def of(self, network: Network, place: int) -> tuple[Array | None, Array | None]:
        """The points of the rows and of the columns of an affine map, as far as they are outputs and inputs."""
        node = network.nodes[place]
        assert isinstance(node, Affine)
        source = network.nodes[node.sources[0]]
        columns = self.columns if isinstance(source, Input) else None
        if isinstance(source, Gather) and isinstance(network.nodes[source.sources[0]], Input):
            columns = None if self.columns is None else self.columns[source.index.numpy()]
        return (self.rows if place == len(network.nodes) - 1 else None), columns


def geometry(points: Any, where: str = "points") -> Geometry:
    """From an array of points for rows and columns alike, a pair (rows, columns), a table of NAMES, or a file.

    Files: npz with `points` or `row_points` and `column_points`; else a mesh that meshio reads. Raises InputError.
    """
    if points is None or isinstance(points, Geometry):
        return points or Geometry()
    if isinstance(points, str | Path):
        return _file(Path(points))
    if isinstance(points, Mapping):
        return _table(points, where)
    if isinstance(points, tuple) and len(points) == 2:
        rows, columns = points
        return Geometry(_array(rows, where), _array(columns, where), where)
    whole = _array(points, where)
    return Geometry(whole, whole, where)


def _table(held: Mapping[str, Any], where: str) -> Geometry:
    both = _array(held.get("points"), f"{where}: points")
    rows = _array(held.get("row_points"), f"{where}: row_points")
    columns = _array(held.get("column_points"), f"{where}: column_points")
    return Geometry(both if rows is None else rows, both if columns is None else columns, where)


def _array(values: Any, where: str) -> Array | None:
    if values is None:
        return None
    try:
        made = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: expected numbers [n, k]: {error}") from None
    return made[:, None] if made.ndim == 1 else made


def _file(path: Path) -> Geometry:
    if not path.is_file():
        raise InputError(f"--points {path}: there is no such file")
    if path.suffix == ".npz":
        return _npz(path)
    try:
        import meshio
    except ImportError:
        raise InputError(f"--points {path}: expected an npz file; for meshes install meshio") from None
    try:
        mesh = meshio.read(path)
    except (Exception, SystemExit) as error:
        raise InputError(f"--points {path}: no mesh that meshio reads: {error}") from None
    at = np.asarray(mesh.points, dtype=np.float64)
    flat = at[:, [axis for axis in range(at.shape[1]) if np.ptp(at[:, axis]) > 0.0]] if len(at) else at
    return Geometry(flat, flat, f"--points {path}")


def _npz(path: Path) -> Geometry:
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"--points {path}: expected at most {MOST_BYTES} bytes, got {path.stat().st_size}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            found = {name: held[name] for name in NAMES if name in held.files}
            others = sorted(held.files)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"--points {path}: no npz file: {error}") from None
    except Exception as error:
        raise InputError(f"--points {path}: truncated or altered: {error}") from None
    if not found:
        wanted = "`points`, or `row_points` and `column_points`"
        raise InputError(f"--points {path}: expected an array {wanted}, got {others}")
    return _table(found, f"--points {path}")
