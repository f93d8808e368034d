"""What do noise in the sensors and missing sensors cost, and are missing ones filled or refused?

Every operator's test cases with noise of 5 % of the root mean square of its training inputs, with 10 % of the sensors
missing, and with both. Missing sensors are filled by the conditional mean under the training inputs (level of noise not
given); "damped": the level is given. The rival: the exact or pseudo-spectral solution from the same sensors, read as
Fourier modes up to those that the shared model reads. Then how much of an input may be missing: shares of rows that
are refused, and of rows that are not refused although filling changed the input by more than the limit.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from _harness import OURS, Row, say
from edgepde_runtime.filling import LIMIT, Filling
from edgepde_runtime.render import table
from numpy.typing import NDArray

from edgepde.modno.encoding import Encoding
from edgepde.modno.filling import filling
from edgepde.problems import operators
from edgepde.problems.operator_data import OperatorData

from . import _grid, _ours, _study

NOISE, MISSING = 0.05, 0.1
SHARES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
EXACT = "exact solution, same sensors"
UNIT = "%"
Floats = NDArray[np.float64]


def rows(quick: bool, runs: Path) -> list[Row]:
    """Rows per operator of the first seed, and of the shares that can be filled."""
    made = _study.plan(quick)
    seed = made.seeds[0]
    ours = _ours.obtain(runs, made, seed)
    found: list[Row] = []
    lines = []
    for name in made.names:
        own = _study.study(runs, made, name, seed)
        one = _of(name, ours, own, seed)
        lines.append((name, *(f"{r.measured:.3g}" for r in one)))
        found += one
        say("  " + "  ".join(lines[-1]))
    say(table(lines, ("operator", *(f"{r.case.partition(', ')[2]} ({r.rival})" for r in found[: len(lines[0]) - 1]))))
    for name in dict.fromkeys(operators.operator(n).inputs for n in made.names):
        first = next(n for n in made.names if operators.operator(n).inputs == name)
        found += _shares(name, _study.study(runs, made, first, seed), seed)
    return found


def _of(name: str, ours: _ours.Ours, own: _study.Study, seed: int) -> list[Row]:
    rng = np.random.default_rng([seed, 5])
    how, true = filling(own.train.sensors), own.test.sensors
    level = NOISE * float(np.sqrt((own.train.sensors**2).mean()))
    noisy = true + level * rng.standard_normal(true.shape)
    gone = torn(true.shape, MISSING, rng)
    cases = {
        "as measured": (true, None),
        f"{100 * NOISE:g} % noise": (noisy, None),
        f"{100 * NOISE:g} % noise, damped": (noisy, level),
        f"{100 * MISSING:g} % missing": (np.where(gone, np.nan, true), None),
        f"{100 * NOISE:g} % noise, {100 * MISSING:g} % missing": (np.where(gone, np.nan, noisy), None),
        f"{100 * NOISE:g} % noise, {100 * MISSING:g} % missing, damped": (np.where(gone, np.nan, noisy), level),
    }
    made = []
    for said, (sensors, given) in cases.items():
        filled = how.tried(sensors, given)
        kept = ~filled.refused
        data = replace(own.test.take(np.flatnonzero(kept)), sensors=filled.sensors[kept])
        errors = 100.0 * _grid.relative(ours.predicted(name, data), data.field)
        note = (
            f"{int(filled.flags.sum())} sensors filled and flagged, {int((~kept).sum())} of {len(kept)} cases refused"
        )
        made.append(Row(f"{name}, {said}", OURS, UNIT, float(errors.mean()), note=note if filled.flags.any() else ""))
        if said == f"{100 * NOISE:g} % noise":
            solved = 100.0 * _grid.relative(_exact(name, ours, data), data.field)
            made.append(Row(f"{name}, {said}", EXACT, UNIT, float(solved.mean())))
    return made


def _exact(name: str, ours: _ours.Ours, data: OperatorData) -> Floats:
    """What the operator itself makes of the sensors' Fourier modes."""
    modes = ours.loaded.shared.model.encoding.modes
    read = Encoding(data.sensor_x, data.period, modes).coefficients(data.sensors)
    c = np.zeros((len(read), modes + 1), dtype=np.complex128)
    c[:, 0], c[:, 1:] = read[:, 0], 0.5 * (read[:, 1 : modes + 1] - 1j * read[:, modes + 1 :])
    how = operators.operator(name)
    return np.asarray(how.fields(c, data.times, data.x))


def torn(shape: tuple[int, ...], share: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """So much of every row [N, S], anywhere."""
    return np.asarray(rng.random(shape).argsort(1).argsort(1) < round(share * shape[1]))


def _shares(kind: str, own: _study.Study, seed: int) -> list[Row]:
    how, made = filling(own.train.sensors), []
    for share in SHARES:
        rng = np.random.default_rng([seed, 7])
        refused, wrong, alone = share_of_rows(how, own.test.sensors, share, NOISE, rng)
        said = f"inputs {kind}, {100 * NOISE:g} % noise, {100 * share:g} % missing"
        of = f"{wrong:.3g} % taken though filling changed them by more than {100 * LIMIT:g} %"
        note = f"{of}, by the expected error alone {alone:.3g} %"
        made.append(Row(said, OURS, "% refused", refused, note=note))
    return made


def share_of_rows(
    how: Filling, true: Floats, share: float, noise: float, rng: np.random.Generator
) -> tuple[float, float, float]:
    """Percent of rows refused; of rows taken though what was filled is wrong by more than LIMIT of an input; and how
    many those would be if only rows were refused that are expected to be.
    """
    level = noise * float(np.sqrt((true**2).mean()))
    gone = torn(true.shape, share, rng)
    filled = how.tried(np.where(gone, np.nan, true + level * rng.standard_normal(true.shape)))
    change = np.where(gone, filled.sensors - true, 0.0)
    wrong = np.sqrt(np.nan_to_num((change**2).sum(1)) / (how.factor**2).sum()) > LIMIT
    taken = wrong & ~filled.refused, wrong & (filled.expected <= LIMIT)
    return 100.0 * float(filled.refused.mean()), *(100.0 * float(rows.mean()) for rows in taken)
