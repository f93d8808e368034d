"""A folder of results on meshes, one time series per case, sampled at a zone's places.

zone.json: what the field is called, units, the zone. parameters.csv: a row per case. Beside them <case>.xdmf or .pvd.
"""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import DataError
from edgepde.train.progress import progress

from .zone import AXES, LIMIT_BYTES, ZoneData
from .zone_sampling import Samplers, in_time
from .zone_series import series

Array = NDArray[np.float64]
ABOUT, TABLE = "zone.json", "parameters.csv"
HEADER = re.compile(r"([A-Za-z_]\w*) \[([^\[\]]+)\]")
LARGEST_TEXT = 16 << 20
FARTHEST = 1e30


@final
@dataclass(frozen=True)
class About:
    """zone.json: field, unit; of each of t, y, x the unit and the places; component of a vector."""

    field: str
    unit: str
    axis_units: tuple[str, str, str]
    axes: tuple[Array, Array, Array]
    component: int | None


def read_folder(folder: Path) -> ZoneData:
    """The cases of a folder, in the order of parameters.csv, sampled at the places that zone.json names.

    Linear in time and on triangles; a place inside the mesh's bounding box that no cell covers (a hole) gets 0.
    Raises DataError naming the file and the field, line, time or point that is wrong: files missing or left over, units
    missing, times that do not increase or do not cover the zone, values that are not finite.
    """
    about = _about(folder / ABOUT)
    cases, names, units, parameters = _table(folder / TABLE)
    files = _files(folder, cases)
    t, y, x = about.axes
    if len(cases) * len(t) * len(y) * len(x) * 4 > LIMIT_BYTES:
        grid = f"{len(t)} x {len(y)} x {len(x)}"
        raise DataError(f"{folder}: {len(cases)} cases of {grid}: expected at most {LIMIT_BYTES} bytes of float32")
    low, high = parameters.min(axis=0), parameters.max(axis=0)
    same = np.flatnonzero(low == high)
    if same.size:
        got = f"all cases have {low[same[0]]:g}; leave the column out"
        raise DataError(f"{folder / TABLE}: {names[same[0]]}: expected different values, {got}")
    field = np.empty((len(cases), len(t), len(y), len(x)), dtype=np.float32)
    samplers = Samplers()
    with progress("results on meshes", len(files)) as bar:
        for i, file in enumerate(files):
            field[i] = _sampled(file, about, samplers)
            bar.advance()
    return ZoneData(
        parameters, names, units, low, high, field, t, y, x, about.field, about.unit, about.axis_units, str(folder)
    )


def _sampled(file: Path, about: About, samplers: Samplers) -> NDArray[np.float32]:
    t, y, x = about.axes
    held = series(file, about.field, about.component)
    if t[0] < held.times[0] or t[-1] > held.times[-1]:
        raise DataError(
            f"{file}: times {held.times[0]:g} .. {held.times[-1]:g}: expected to cover the zone's {t[0]:g} .. {t[-1]:g}"
        )
    matrix = samplers.of(held.points, held.triangles, y, x, str(file))
    made: NDArray[np.float32] = in_time(held.times, (matrix @ held.values.T).T, t).astype(np.float32)
    return made.reshape(len(t), len(y), len(x))


def _about(path: Path) -> About:
    try:
        held = json.loads(_text(path))
    except ValueError as error:
        raise DataError(f"{path}: expected a JSON object: {error}") from None
    wanted = {"field": str, "unit": str, **dict.fromkeys(AXES, dict)}
    if not isinstance(held, dict) or set(held) - {*wanted, "component"}:
        raise DataError(f"{path}: expected an object of {', '.join(wanted)} and, of a vector, component")
    for name, kind in wanted.items():
        if not isinstance(held.get(name), kind):
            raise DataError(
                f"{path}: {name}: expected {'a text' if kind is str else 'an object'}, got {held.get(name)!r}"
            )
    component = held.get("component")
    if component is not None and (type(component) is not int or not 0 <= component < 3):
        raise DataError(f"{path}: component: expected 0, 1 or 2, got {component!r}")
    t, y, x = (_axis(held[name], f"{path}: {name}") for name in AXES)
    return About(held["field"], held["unit"], (t[1], y[1], x[1]), (t[0], y[0], x[0]), component)


def _axis(held: dict[str, Any], where: str) -> tuple[Array, str]:
    low, high, count, unit = held.get("low", ""), held.get("high", ""), held.get("count"), held.get("unit")
    if not isinstance(unit, str) or not unit.strip():
        raise DataError(f"{where}: unit: expected a text, got {unit!r}")
    if not all(type(v) in (int, float) and abs(v) < FARTHEST for v in (low, high)) or not low < high:
        raise DataError(f"{where}: low, high: expected two numbers, low < high, got {low!r} and {high!r}")
    if type(count) is not int or not 2 <= count <= 4096:
        raise DataError(f"{where}: count: expected 2 .. 4096, got {count!r}")
    return np.linspace(low, high, count), unit


def _table(path: Path) -> tuple[list[str], tuple[str, ...], tuple[str, ...], Array]:
    """Cases, names, units and parameters [N, P] of the table."""
    rows = [row for row in csv.reader(_text(path).splitlines()) if row]
    if not rows or rows[0][0].strip() != "case" or len(rows[0]) < 2:
        raise DataError(
            f"{path}: line 1: expected `case,name [unit],...`, got {','.join(rows[0]) if rows else 'nothing'}"
        )
    heads = [(text, HEADER.fullmatch(text.strip())) for text in rows[0][1:]]
    for text, found in heads:
        if not found:
            raise DataError(
                f'{path}: line 1: expected `name [unit]`, of a pure number `name [1]`, got "{text.strip()}"'
            )
    names, units = zip(*[found.groups() for _, found in heads if found], strict=True)
    if len(rows) < 2:
        raise DataError(f"{path}: expected a line per case, got none")
    parameters = np.empty((len(rows) - 1, len(names)))
    for i, row in enumerate(rows[1:]):
        if len(row) != len(rows[0]):
            raise DataError(f"{path}: case {row[0]}: expected {len(names)} parameters, got {len(row) - 1}")
        for j, text in enumerate(row[1:]):
            parameters[i, j] = _number(text, f"{path}: case {row[0]}: {names[j]}")
    return [row[0].strip() for row in rows[1:]], tuple(names), tuple(units), parameters


def _number(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f'{where}: expected a finite number, got "{text.strip()}"')
    return value


def _files(folder: Path, cases: list[str]) -> list[Path]:
    """The series of every case; every series in the folder must be somebody's."""
    held = {path.stem: path for suffix in ("*.xdmf", "*.pvd") for path in sorted(folder.glob(suffix))}
    if len(set(cases)) != len(cases):
        twice = next(case for case in cases if cases.count(case) > 1)
        raise DataError(f"{folder / TABLE}: case {twice}: expected once")
    missing, left = [case for case in cases if case not in held], sorted(set(held) - set(cases))
    if missing or left:
        said = f"{missing[0]} has no .xdmf or .pvd" if missing else f"{held[left[0]].name} has no line"
        raise DataError(f"{folder}: {len(cases)} lines in {TABLE}, {len(held)} series: {said}")
    return [held[case] for case in cases]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_TEXT:
            raise DataError(f"{path}: expected at most {LARGEST_TEXT} bytes, got {path.stat().st_size}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
