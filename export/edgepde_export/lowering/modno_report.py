"""What a bundle of many operators says of each: a table for the card, worst and middle case for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from edgepde_runtime.cassettes import Cassette as Shipped
from edgepde_runtime.npz import written
from numpy.typing import NDArray

from edgepde.modno.cassette import Cassette

from ..card import Table
from .modno_certificate import Compared, in_words

Floats = NDArray[np.floating]
PREFIX = "operator"
MOST_BYTES = 190_000
HEAD = (
    "operator",
    "relative L2: mean",
    "median",
    "worst",
    "of cases",
    "compared",
    "horizon",
    "frame",
    "numbers",
    "model term",
    "after model",
)
# Bits that values and errors are kept to, relative to the largest, and the step between places; the first that fits.
TRIES = ((10, 7, 1), (9, 6, 1), (9, 6, 2), (8, 5, 2), (8, 5, 4), (7, 4, 8))


def table(cassettes: Mapping[str, Cassette], made: Sequence[Shipped], compared: Mapping[str, Compared]) -> Table:
    """One row per operator."""
    return Table("Operators", HEAD, [_row(cassettes[one.name], one, compared[one.name]) for one in made])


def _row(cassette: Cassette, shipped: Shipped, found: Compared) -> tuple[str, ...]:
    entry = next(iter(shipped.certificate.outputs.values()))
    errors = found.relative
    figures = (
        [f"{100 * v:.3g} %" for v in (errors.mean(), np.median(errors), errors.max())] if errors.size else ["-"] * 3
    )
    after = in_words(type(entry.terms["model"])(entry.device_total, entry.device_class, ""))
    frame = "canonical" if cassette.frame else "as given"
    numbers = f"{cassette.numbers}"
    size, horizon = f"{errors.size}", f"{cassette.horizon:g}"
    where = found.draws.where if errors.size else "-"
    return (cassette.name, *figures, size, where, horizon, frame, numbers, in_words(entry.terms["model"]), after)


def report_arrays(compared: Mapping[str, Compared]) -> dict[str, Floats] | None:
    """Worst and middle case of every operator known at two times or more; kept as finely as fits into MOST_BYTES."""
    drawable = (one for one in compared.items() if one[1].solved is not None and len(one[1].draws.times) > 1)
    known = dict(drawable)
    for bits, fine, step in TRIES:
        made: dict[str, Floats] = {}
        for name, found in known.items():
            made |= {f"{PREFIX}/{name}/{k}": v for k, v in _shown(found, bits, fine, step).items()}
        if len(written(made)) <= MOST_BYTES:
            return made or None
    return None


def _shown(found: Compared, bits: int, fine: int, step: int) -> dict[str, Floats]:
    draws, solved = found.draws, found.solved
    assert draws.field is not None
    assert solved is not None
    order = np.argsort(found.relative)
    cases = list(dict.fromkeys((int(order[-1]), int(order[len(order) // 2]))))
    exact = draws.field[cases, :, ::step].astype(np.float64)
    error = solved[cases, :, ::step] - exact
    return {
        "t": draws.times.astype(np.float32),
        "x": draws.x[::step].astype(np.float32),
        "exact": np.stack([rounded(one, bits) for one in exact]),
        "error": np.stack([rounded(one, fine) for one in error]),
        "errors": np.sort(found.relative).astype(np.float16).astype(np.float32),
    }


def rounded(values: NDArray[np.float64], bits: int) -> NDArray[np.float32]:
    """Values to a power of 2 at most 2^-bits times the largest, so that they take few bytes when packed."""
    largest = float(np.abs(values).max())
    if largest == 0.0:
        return values.astype(np.float32)
    unit = 2.0 ** math.floor(math.log2(largest) - bits)
    return (np.round(values / unit) * unit).astype(np.float32)
