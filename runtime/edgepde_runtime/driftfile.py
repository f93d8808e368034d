"""drift.json: a state of fixed size, written in one step, every field checked on reading."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import folder
from .atomic import write_bytes
from .driftstate import FAIL, FAILED, HITS, INSIDE, OUT, OUTSIDE, OVER, TRIALS, Alarm, Reference, Settings, State
from .errors import BundleError, StateError
from .evidence import BINS, BLOCK, DEEPEST, Counts, kept
from .fields import HASH, Fields
from .watched import UNITS

SCHEMA_VERSION = 1
LARGEST = 1 << 20
MOST = 1 << 53
GREATEST = float(np.finfo(np.float64).max)
MOST_WINDOWS = 2 * DEEPEST + 3


def document(state: State) -> dict[str, Any]:
    """The JSON document of a state."""
    settings, reference = state.settings, state.reference
    total = state.rates[0]
    return {
        "schema_version": SCHEMA_VERSION,
        "settings": {**vars(settings), "tolerated": dict(settings.tolerated), "names": list(settings.names)},
        "counts": {
            "calls": state.calls,
            "observations": state.observations,
            **{name: int(total[hits]) for name, (hits, _) in HITS.items() if name in settings.tolerated},
        },
        "histograms": state.histograms.tolist(),
        "ends": state.ends.tolist() if state.observations else None,
        "residual": state.residual.tolist(),
        "reference": {
            "count": reference.count,
            "mean": reference.mean.tolist(),
            "squares": reference.squares.tolist(),
            "edges": None if reference.edges is None else reference.edges.tolist(),
            "counts": reference.counts.tolist(),
            "closed": reference.closed,
        },
        "windows": [
            {"start": start, "rates": rates.tolist(), "shapes": shapes.tolist()}
            for start, rates, shapes in zip(state.starts, state.rates, state.shapes, strict=True)
        ],
        "alarms": [vars(alarm) for alarm in state.alarms],
    }


def write_state(path: str | os.PathLike[str], state: State) -> None:
    """Writes in one step. Raises OSError with the reason, leaving what was there."""
    text = json.dumps(document(state), separators=(",", ":"), allow_nan=False, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode())


def read_state(path: str | os.PathLike[str], names: tuple[str, ...], columns: int, bounds: int) -> State:
    """Reads and checks; raises StateError naming file and field. names, columns, bounds: what the bundle has."""
    where = Path(path)
    try:
        text = folder.read(where.parent, where.name, None, LARGEST).decode()
        return _state(Fields.parse(text, str(path)), names, columns, bounds)
    except UnicodeDecodeError as error:
        raise StateError(f"{path}: expected UTF-8 text, got {error.reason} at byte {error.start}") from None
    except BundleError as error:
        raise StateError(str(error)) from None


@contextmanager
def alone(path: str | os.PathLike[str]) -> Iterator[None]:
    """One process at a time between reading a state and writing it; where the system has no flock, no more than that
    a state is replaced in one step.
    """
    try:
        import fcntl
    except ImportError:
        yield
        return
    folder_ = os.open(Path(path).resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(folder_, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder_)


def _state(fields: Fields, names: tuple[str, ...], columns: int, bounds: int) -> State:
    if (version := fields.integer("schema_version")) != SCHEMA_VERSION:
        raise fields.wrong("schema_version", str(SCHEMA_VERSION), version)
    settings = _settings(fields.nested("settings"), names)
    counts = fields.nested("counts")
    calls, observations = _count(counts, "calls"), _count(counts, "observations")
    windows = _windows(fields, observations, len(names))
    state = State(
        settings,
        calls,
        observations,
        _table(fields, "histograms", (columns, BINS + 2), np.int64),
        _ends(fields, observations, columns),
        _table(fields, "residual", (bounds + 1 if bounds else 0,), np.int64),
        _reference(fields.nested("reference"), settings, len(names)),
        *windows,
        [_alarm(item, settings, observations) for item in fields.objects("alarms")],
    )
    for name in settings.tolerated:
        if (found := _count(counts, name)) != int(state.rates[0, HITS[name][0]]):
            raise counts.wrong(name, f"{int(state.rates[0, HITS[name][0]])} as in the first window", found)
    if len({alarm.statistic for alarm in state.alarms}) != len(state.alarms):
        raise fields.wrong("alarms", "each statistic once", "one twice")
    counts.done()
    fields.done()
    return state


def _count(fields: Fields, key: str) -> int:
    value = fields.integer(key)
    if not 0 <= value <= MOST:
        raise fields.wrong(key, "0 to 2^53", value if abs(value) < 2**64 else "a longer number")
    return value


def _table(fields: Fields, key: str, shape: tuple[int, ...], dtype: type[Any]) -> NDArray[Any]:
    """Numbers, nested as `shape` says; counts where dtype is int64."""
    whole = dtype is np.int64

    def walk(value: object, sizes: tuple[int, ...], at: str) -> object:
        if sizes:
            if not isinstance(value, list) or len(value) != sizes[0]:
                raise fields.wrong(at, f"a list of {sizes[0]}", len(value) if isinstance(value, list) else "none")
            return [walk(item, sizes[1:], f"{at}[{i}]") for i, item in enumerate(value)]
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise fields.wrong(at, "a count" if whole else "a number", "something else")
        if not (0 <= value <= MOST if whole else abs(value) <= GREATEST):
            raise fields.wrong(at, "0 to 2^53" if whole else "a finite number", "one that is not")
        return value

    return np.array(walk(fields.raw(key), shape, key), dtype).reshape(shape)


def _ends(fields: Fields, observations: int, columns: int) -> NDArray[np.float64]:
    if (fields.raw("ends") is None) != (observations == 0):
        raise fields.wrong("ends", "null before any observation, and only then", f"others at {observations}")
    if not observations:
        return np.tile([np.inf, -np.inf], (columns, 1))
    ends = np.asarray(_table(fields, "ends", (columns, 2), np.float64))
    if (ends[:, 0] > ends[:, 1]).any():
        raise fields.wrong("ends", "the least and the greatest", "others")
    return ends


def _settings(fields: Fields, names: tuple[str, ...]) -> Settings:
    rates = fields.nested("tolerated")
    known = [name for name in HITS if rates.has(name)]
    settings = Settings(
        fields.string("bundle"),
        fields.number("false_alarm"),
        fields.string("unit"),
        _count(fields, "commissioning"),
        _count(fields, "seed"),
        {name: rates.number(name) for name in known},
        fields.strings("names"),
    )
    rates.done()
    fields.done()
    if not HASH.fullmatch(settings.bundle):
        raise fields.wrong("bundle", "64 hex digits", ascii(settings.bundle[:80]))
    if not 0.0 < settings.false_alarm < 1.0:
        raise fields.wrong("false_alarm", "a rate between 0 and 1", settings.false_alarm)
    if settings.unit not in UNITS:
        raise fields.wrong("unit", " or ".join(UNITS), ascii(settings.unit))
    if 0 < settings.commissioning < 4:
        raise fields.wrong("commissioning", "0, or 4 and more", settings.commissioning)
    if known[:2] != [OUTSIDE, FAILED] or not all(0.0 < rate < 1.0 for rate in settings.tolerated.values()):
        raise fields.wrong("tolerated", f"rates between 0 and 1 of {', '.join(HITS)}", "others")
    if settings.names != names:
        raise fields.wrong("names", f"the bundle's, {', '.join(names)[:200]}", "others")
    return settings


def _reference(fields: Fields, settings: Settings, size: int) -> Reference:
    count, closed = _count(fields, "count"), fields.boolean("closed")
    mean, squares = (_table(fields, key, (size,), np.float64) for key in ("mean", "squares"))
    edges = None if fields.raw("edges") is None else _table(fields, "edges", (size, BINS - 1), np.float64)
    counts = _table(fields, "counts", (size, BINS), np.int64)
    fields.done()
    if count > settings.commissioning:
        raise fields.wrong("count", f"at most {settings.commissioning}, those of commissioning", count)
    if (squares < 0.0).any():
        raise fields.wrong("squares", "numbers from 0 up", "others")
    if edges is not None and not (np.diff(edges, axis=1) > 0.0).all():
        raise fields.wrong("edges", "increasing numbers", "others")
    if (edges is None) != (count < settings.measured):
        raise fields.wrong("edges", f"null until {settings.measured} are counted, then numbers", f"others at {count}")
    filled = 0 if edges is None or settings.commissioning == 0 else count - settings.measured
    if not (counts.sum(axis=1) == filled).all():
        raise fields.wrong("counts", f"{filled} for each figure", "others")
    return Reference(count, mean, squares, edges, counts, closed)


def _windows(fields: Fields, observations: int, size: int) -> tuple[list[int], Counts, Counts]:
    items = fields.objects("windows")
    if not 0 < len(items) <= MOST_WINDOWS:
        raise fields.wrong("windows", f"1 to {MOST_WINDOWS}", len(items))
    starts = [_count(item, "start") for item in items]
    block = observations // BLOCK
    if starts[0] != 0 or starts != sorted(set(starts)) or not all(kept(s, block) and s <= block for s in starts):
        raise fields.wrong("windows", f"starts from 0 up that are kept at block {block}", starts)
    rates = np.stack([_table(item, "rates", (5,), np.int64) for item in items])
    shapes = np.stack([_table(item, "shapes", (size, BINS), np.int64) for item in items])
    for start, item, r, s in zip(starts, items, rates, shapes, strict=True):
        item.done()
        if r[TRIALS] != observations - start * BLOCK:
            raise item.wrong("rates", f"{observations - start * BLOCK} observations", int(r[TRIALS]))
        if r[OUT] + r[INSIDE] != r[TRIALS] or r[FAIL] > r[TRIALS] or r[OVER] > r[INSIDE]:
            raise item.wrong("rates", "parts of the observations", r.tolist())
        if (s.sum(axis=1) > r[INSIDE]).any() or (s.sum(axis=1) != s[0].sum()).any():
            raise item.wrong("shapes", f"as many for each figure, at most {int(r[INSIDE])}", "others")
    return starts, rates, shapes


def _alarm(fields: Fields, settings: Settings, observations: int) -> Alarm:
    alarm = Alarm(
        fields.string("statistic"), _count(fields, "observation"), fields.number("evidence"), fields.string("reason")
    )
    fields.done()
    if alarm.statistic not in (*settings.tolerated, *settings.names):
        raise fields.wrong("statistic", "one of the state's", ascii(alarm.statistic[:80]))
    if alarm.observation > observations:
        raise fields.wrong("observation", f"at most {observations}", alarm.observation)
    return alarm
