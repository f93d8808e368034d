"""Waves on a plate: u_tt = div(c^2 grad u) + s(t) g(x), and fields of it in a zone of interest.

u: displacement out of the plane in um (a shear wave). Lengths in m, time in ms, speeds in m/ms, frequencies in kHz.
The plate is [0, 1]^2 m with free edges and a disk in it: an inclusion of another material, or a hole with a free edge.
g: a Gaussian of integral STRENGTH; s: CYCLES periods of a sine under a Hann window; at rest before t = 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import SettingError

from .newmark import FOX_GOODWIN
from .zone import ZoneData

Array = NDArray[np.float64]
NAMES = ("x0", "y0", "width", "frequency", "c_plate", "c_inclusion")
UNITS = ("m", "m", "m", "kHz", "m/ms", "m/ms")
AXIS_UNITS = ("ms", "m", "m")
CYCLES = 2.0


@final
@dataclass(frozen=True)
class Wave2D:
    """What is simulated and where it is looked at.

    low, high: the box of (x0, y0, width, frequency, c_plate, c_inclusion); a hole has no c_inclusion, the sixth number
    is unused. disk: centre and radius in m. gap: length of an edge in m; inner: of one in the disk, in parts of that.
    step: the longest time step in ms, 0 for 0.9 of the stability limit; it is shortened to divide the time between
    frames. beta: Newmark's. zone_x, zone_y in m, zone_t in ms: first and last places of the grid nx, ny, nt.
    Raises SettingError naming the field.
    """

    obstacle: Literal["inclusion", "hole"] = "inclusion"
    disk: tuple[float, float, float] = (0.42, 0.5, 0.12)
    low: tuple[float, float, float, float, float, float] = (0.08, 0.35, 0.030, 2.5, 0.90, 0.55)
    high: tuple[float, float, float, float, float, float] = (0.24, 0.65, 0.050, 3.5, 1.10, 0.75)
    zone_x: tuple[float, float] = (0.60, 0.95)
    zone_y: tuple[float, float] = (0.15, 0.85)
    zone_t: tuple[float, float] = (0.5, 1.4)
    nx: int = 32
    ny: int = 32
    nt: int = 32
    gap: float = 0.032
    inner: float = 1.0
    step: float = 0.0
    beta: float = FOX_GOODWIN

    def __post_init__(self) -> None:
        for name in ("nx", "ny", "nt"):
            if not 2 <= getattr(self, name) <= 1024:
                raise SettingError(f"{name}: expected 2 .. 1024, got {getattr(self, name)}")
        for name in ("zone_x", "zone_y", "zone_t"):
            first, last = getattr(self, name)
            _check_range(name, first, last, most=1.0 if name != "zone_t" else 100.0)
        for name, a, b in zip(NAMES, self.low, self.high, strict=True):
            _check_range(f"low, high of {name}", a, b, most=1.0 if name in ("x0", "y0") else 1e6)
            if name not in ("x0", "y0") and not a > 0:
                raise SettingError(f"low of {name}: expected a positive number, got {a:g}")
        x, y, radius = self.disk
        if not (radius > 0 and min(x, y, 1 - x, 1 - y) - radius > 0):
            raise SettingError(f"disk: expected inside the plate of 1 m, got centre ({x:g}, {y:g}), radius {radius:g}")
        if not 0.005 <= self.gap <= radius:
            raise SettingError(f"gap: expected 0.005 .. {radius:g} m, the disk's radius, got {self.gap:g}")
        if not 0.25 <= self.inner <= 1.0:
            raise SettingError(f"inner: expected 0.25 .. 1, got {self.inner:g}")
        if not 0.0 <= self.beta <= 0.25:
            raise SettingError(f"beta: expected 0 .. 1/4, got {self.beta:g}")
        if not 0.0 <= self.step < math.inf:
            raise SettingError(f"step: expected a positive number, or 0 to choose it, got {self.step:g}")
        self._check_zone()

    def quick(self) -> Wave2D:
        """A coarse mesh and a coarse zone: a trial."""
        return replace(self, gap=0.05, nx=16, ny=16, nt=16)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that are drawn."""
        return NAMES[: 6 if self.obstacle == "inclusion" else 5]

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """t [nt] in ms, y [ny] and x [nx] in m."""
        t, y, x = (self.zone_t, self.nt), (self.zone_y, self.ny), (self.zone_x, self.nx)
        return np.linspace(*t[0], t[1]), np.linspace(*y[0], y[1]), np.linspace(*x[0], x[1])

    def parameters(self, seed: int, first: int, count: int) -> Array:
        """Cases first .. first + count - 1 [count, P], uniform in the box; case i depends on (seed, i) alone."""
        p = len(self.names)
        low, high = np.array(self.low[:p]), np.array(self.high[:p])
        drawn = [np.random.default_rng([seed, case]).random(p) for case in range(first, first + count)]
        return low + (high - low) * np.array(drawn).reshape(count, p)

    def zone(self, parameters: Array, field: NDArray[np.float32]) -> ZoneData:
        """Fields [N, nt, ny, nx] of parameters [N, P] with everything that belongs to them."""
        p, (t, y, x) = len(self.names), self.axes
        low, high = np.array(self.low[:p]), np.array(self.high[:p])
        return ZoneData(
            parameters, self.names, UNITS[:p], low, high, field, t, y, x, "u", "um", AXIS_UNITS, "waves on a plate"
        )

    def _check_zone(self) -> None:
        (x0, x1), (y0, y1) = self.zone_x, self.zone_y
        apart = x1 < self.low[0] or x0 > self.high[0] or y1 < self.low[1] or y0 > self.high[1]
        if not apart and self.zone_t[0] < CYCLES / self.low[3]:
            raise SettingError(
                f"zone_x, zone_y: expected a zone without the source, or zone_t from {CYCLES / self.low[3]:g} ms, "
                "when it has ended; x0 and y0 reach into it"
            )
        x, y, radius = self.disk
        nearest = math.hypot(x - min(max(x, x0), x1), y - min(max(y, y0), y1))
        if self.obstacle == "hole" and nearest < 1.02 * radius:
            raise SettingError("zone_x, zone_y: expected a zone without the hole, they overlap")


def _check_range(name: str, low: float, high: float, most: float) -> None:
    if not 0.0 <= low < high <= most:
        raise SettingError(f"{name}: expected 0 <= low < high <= {most:g}, got {low:g} and {high:g}")


def generate(config: Wave2D, count: int, seed: int = 0, first: int = 0) -> ZoneData:
    """Cases first .. first + count - 1 of a seed, here and now, on one thread; wave_data.py does it on all cores.

    Raises ProblemError for a mesh of more than 5,000 unknowns or a step above the stability limit.
    """
    from .wave2d_plate import checked_plate

    parameters = config.parameters(seed, first, count)
    made = checked_plate(config)
    return config.zone(parameters, np.stack([made.solve(case) for case in parameters]))
