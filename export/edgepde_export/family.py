"""Reading --family FILE: inputs of many columns that move along few directions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from edgepde_runtime import family as stated
from edgepde_runtime import npz
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError

from edgepde.certify.family import Family
from edgepde.errors import DataError

LIMIT_BYTES = 1 << 26
MEMBERS = ("mean", "modes", "low", "high")
RADIUS = "radius"
ROOM = 4.0


def read(path: Path) -> Family:
    """The family of an .npz with mean [d], modes [k, d], low and high [k] and perhaps radius [d]: how far off x may be.

    Raises DataError naming file and member.
    """
    arrays, _ = npz.read_file(path, LIMIT_BYTES, DataError)
    missing, unknown = sorted(set(MEMBERS) - set(arrays)), sorted(set(arrays) - {*MEMBERS, RADIUS})
    if missing or unknown:
        raise DataError(f"{path}: expected {', '.join(MEMBERS)} and perhaps {RADIUS}, got {', '.join(sorted(arrays))}")
    given = {name: np.asarray(values, dtype=np.float64) for name, values in arrays.items()}
    for name, values in given.items():
        npz.check_finite(values, f"{path}: {name}", DataError)
    try:
        return Family(given["mean"], given["modes"], given["low"], given["high"], given.get(RADIUS, np.zeros(1)))
    except InputError as error:
        raise DataError(f"{path}: {error}") from None


def family_of(given: str | Path | Family | None) -> Family | None:
    """The family given as such or as a file.

    Its radius also holds every input rounded to float32, ROOM times over: a device that fits a to x by least squares
    then sees that x belongs to it.
    """
    if given is None:
        return None
    family = given if isinstance(given, Family) else read(Path(given))
    mean, modes, low, high, radius = family.arrays()
    rounded = family.rounded("float32").arrays()[4]
    return Family(mean, modes, low, high, radius + ROOM * (rounded - radius))


def hull(family: Family) -> Box:
    """The box of all inputs of a family, its columns called x0, x1 ..."""
    low, high = statement(family).hull()
    return Box(low.tolist(), high.tolist(), [f"x{i}" for i in range(family.dimension)])


def statement(family: Family) -> stated.Family:
    """The family as a certificate states it."""
    mean, modes, low, high, radius = family.arrays()
    rows = tuple(tuple(row) for row in modes.tolist())
    return stated.Family(tuple(mean.tolist()), rows, tuple(low.tolist()), tuple(high.tolist()), tuple(radius.tolist()))
