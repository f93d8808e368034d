"""Sensors that are missing, filled by the conditional mean under the inputs a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .errors import EdgePDEError, InputError

Floats = NDArray[np.float64]
LIMIT = 0.05
"""Relative root mean square error of an input, expected from what is filled, beyond which it is refused: it is no
larger than the noise that operators are tested with."""
MOST_MISSING = 1.0 / 3.0
"""Share of the sensors of a row that may be missing: with more, too few are left to tell noise from signal, and the
error that is expected is no longer that which is made (benchmarks/modno.py prints both)."""
MOST_SENSORS = 1 << 16


@final
@dataclass(frozen=True, eq=False)
class Filled:
    """sensors [N, S] without NaN; flags [N, S]: those that were filled; expected [N]: see Filling."""

    sensors: Floats
    flags: NDArray[np.bool_]
    expected: Floats

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Rows [N] of which more than MOST_MISSING was missing, or `expected` is above LIMIT."""
        return np.asarray((self.flags.mean(1) > MOST_MISSING) | (self.expected > LIMIT))


@final
@dataclass(frozen=True, eq=False)
class Filling:
    """Inputs s = mean + factor z + noise, z ~ N(0, I): mean [S], factor [S, r], r < S.

    floor: root mean square [1] of what the factor leaves out. With sensors o there and m missing,
      z = (F_o' F_o + q^2 I)^-1 F_o' (s_o - mean_o),  s_m = mean_m + F_m z,
    q the noise: given, or by row from what of s_o lies outside of F_o, q^2 = |s_o - mean_o - F_o z_o|^2 / (|o| - r),
    at least the floor. expected^2 = (tr F_m q^2 (F_o' F_o + q^2 I)^-1 F_m' + |m| q^2) / (S var), var = |F|^2 / S: the
    relative error of the whole input that filling is expected to make.
    """

    mean: Floats
    factor: Floats
    floor: float

    def __post_init__(self) -> None:
        if self.mean.ndim != 1 or self.factor.shape[:1] != self.mean.shape or self.factor.ndim != 2:
            got = f"{list(self.mean.shape)} and {list(self.factor.shape)}"
            raise InputError(f"filling: mean, factor: expected [S] and [S, r], got {got}")
        if not 1 <= self.factor.shape[1] < len(self.mean) <= MOST_SENSORS:
            raise InputError(f"filling: factor: expected [S, r] with 1 <= r < S, got {list(self.factor.shape)}")
        if not (np.isfinite(self.mean).all() and np.isfinite(self.factor).all() and 0.0 < self.floor < np.inf):
            raise InputError("filling: expected finite numbers, and a floor above 0")
        if not self.factor.any():
            raise InputError("filling: factor: expected inputs that differ, got zeros")

    def fill(self, sensors: ArrayLike, noise: float | None = None) -> Filled:
        """As `tried`; InputError where rows are refused."""
        found = self.tried(sensors, noise)
        self._refuse(found)
        return found

    def tried(self, sensors: ArrayLike, noise: float | None = None) -> Filled:
        """NaN in [N, S] filled and flagged; what is there stays as it is, rows without NaN to the last bit.

        noise: standard deviation of every sensor, in its unit; where given, all sensors of all rows are replaced by
        the conditional mean, which damps it. InputError for another shape and infinite values.
        """
        values = np.array(sensors, np.float64)
        if values.ndim != 2 or values.shape[1] != len(self.mean):
            raise InputError(f"sensors: expected [N, {len(self.mean)}], got {list(values.shape)}")
        if np.isinf(values).any():
            raise InputError(
                f"sensors{np.argwhere(np.isinf(values))[0].tolist()}: expected numbers or NaN, got infinite"
            )
        if noise is not None and not 0.0 < noise < np.inf:
            raise InputError(f"noise: expected a standard deviation above 0, got {noise}")
        flags, expected = np.isnan(values), np.zeros(len(values))
        masks, which = np.unique(flags, axis=0, return_inverse=True)
        for i, missing in enumerate(masks):
            rows = np.flatnonzero(which.reshape(-1) == i)
            if missing.any() or noise is not None:
                values[rows], expected[rows] = self._row(values[rows], missing, noise)
        return Filled(values, flags, expected)

    def _row(self, values: Floats, missing: NDArray[np.bool_], noise: float | None) -> tuple[Floats, Floats]:
        """Rows [N, S] of one pattern, filled, and what is expected of them."""
        there, rank = ~missing, self.factor.shape[1]
        free = int(there.sum()) - rank
        if free < 1:
            return values, np.full(len(values), np.inf)
        u, size, v = np.linalg.svd(self.factor[there], full_matrices=False)
        given = values[:, there] - self.mean[there]
        inside = given @ u
        q = np.full(len(values), noise or 0.0)
        if noise is None:
            left = (given**2).sum(1) - (inside**2).sum(1)
            q = np.sqrt(np.maximum(left, 0.0) / free)
        q2 = np.maximum(q, self.floor)[:, None] ** 2
        z = (inside * size / (size**2 + q2)) @ v
        made = self.mean + z @ self.factor.T
        spread = ((self.factor[missing] @ v.T) ** 2).sum(0)
        doubt = (q2 * spread / (size**2 + q2)).sum(1) + int(missing.sum()) * q2[:, 0]
        made = made if noise is not None else np.where(missing, made, values)
        return made, np.sqrt(doubt / (self.factor**2).sum())

    def _refuse(self, found: Filled) -> None:
        if not found.refused.any():
            return
        row = int(np.argmax(found.refused))
        missing, expected = int(found.flags[row].sum()), float(found.expected[row])
        most = int(MOST_MISSING * len(self.mean))
        said = f"at most {most} can be filled"
        if missing <= most:
            said = (
                f"filling them is expected to change an input by {100.0 * min(expected, 1e6):.3g} %, at most "
                f"{100.0 * LIMIT:g} % is taken"
            )
        raise InputError(
            f"sensors: row {row}: {missing} of {len(self.mean)} sensors are missing: {said} "
            f"({int(found.refused.sum())} such rows)"
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """float32, to be kept in a file."""
        held = {"mean": self.mean, "factor": self.factor, "floor": np.array([self.floor])}
        return {name: values.astype(np.float32) for name, values in held.items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], where: str, error: type[EdgePDEError]) -> Filling:
        """What `arrays` gave; raises `error` naming `where` and the member."""
        if arrays["floor"].shape != (1,):
            raise error(f"{where}: member floor expected [1], got {list(arrays['floor'].shape)}")
        wide = {name: arrays[name].astype(np.float64) for name in ("mean", "factor")}
        try:
            return cls(**wide, floor=float(arrays["floor"][0]))
        except InputError as cause:
            raise error(f"{where}: {cause}") from None
