"""The finite elements of edgepde/problems/wave2d.py: P2 on a mesh that follows the disk, Newmark in time."""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from skfem import Basis, ElementTriP2, LinearForm, MeshTri

from edgepde.errors import ProblemError

from .finite_forms import mass, stiffness
from .newmark import Newmark, check_step, largest_eigenvalue, step_limit
from .wave2d import CYCLES, Wave2D
from .wave2d_mesh import Triangles, plate

Array = NDArray[np.float64]
STRENGTH = 10.0
MOST_UNKNOWNS = 5000
NEAR_LIMIT = 0.9


@final
class Plate:
    """The matrices of a configuration, P2 elements: made once, K = c_plate^2 K_plate + c_inclusion^2 K_disk per case.

    Raises ProblemError for a step above the stability limit, which is that of the greatest speeds of the box.
    """

    def __init__(self, config: Wave2D) -> None:
        self.config = config
        held = plate(config.gap, *config.disk, config.inner)
        if config.obstacle == "hole":
            held = Triangles(held.points, held.triangles[~held.in_disk], held.in_disk[~held.in_disk])
            held = _used(held)
        self.mesh = held
        turned = (np.ascontiguousarray(side.T) for side in (held.points, held.triangles))
        self.basis = Basis(MeshTri(*turned), ElementTriP2(), intorder=4)
        of_disk = np.broadcast_to(held.in_disk[:, None], self.basis.dx.shape).astype(np.float64)
        self.mass: csc_matrix = mass.assemble(self.basis).tocsc()
        self.in_plate: csc_matrix = stiffness.assemble(self.basis, k=1.0 - of_disk).tocsc()
        self.in_disk: csc_matrix = stiffness.assemble(self.basis, k=of_disk).tocsc()
        self.unknowns = int(self.mass.shape[0])
        interval = (config.zone_t[1] - config.zone_t[0]) / (config.nt - 1)
        wanted = config.step or NEAR_LIMIT * min(self.limit, interval)
        check_step(wanted, self.limit, config.beta, " ms")
        self.substeps = math.ceil(interval / wanted - 1e-9)
        self.step = interval / self.substeps

    @cached_property
    def limit(self) -> float:
        """The longest stable step in ms anywhere in the box; eigenvalues grow with the speeds."""
        if self.config.beta >= 0.25:
            return math.inf
        largest = largest_eigenvalue(self.stiffness(*self.config.high[4:]), self.mass)
        return step_limit(largest, self.config.beta)

    @cached_property
    def courant(self) -> float:
        """Greatest speed * step / shortest edge."""
        return max(self.config.high[4:][: len(self.config.names) - 4]) * self.step / self.mesh.shortest

    @cached_property
    def sampling(self) -> csr_matrix:
        """[ny * nx, n]: the P2 field at the zone's places, exactly."""
        _, y, x = self.config.axes
        places = np.stack([np.tile(x, len(y)), np.repeat(y, len(x))])
        return self.basis.probes(places).tocsr()

    def stiffness(self, c_plate: float, c_inclusion: float = 0.0) -> csc_matrix:
        """K in m^2/ms^2 for speeds in m/ms."""
        made: csc_matrix = c_plate**2 * self.in_plate + c_inclusion**2 * self.in_disk
        return made

    def load(self, x0: float, y0: float, width: float) -> Array:
        """int g v [n] of the Gaussian exp(-r^2 / (2 width^2)) / (2 pi width^2), in um m^2/ms^2."""
        made: Array = _gaussian.assemble(self.basis, x0=x0, y0=y0, width=width)
        return STRENGTH * made

    def solve(self, case: Array) -> NDArray[np.float32]:
        """The field [nt, ny, nx] in um of one case [P]."""
        x0, y0, width, frequency, *speeds = (float(v) for v in case)
        scheme = Newmark(self.mass, self.stiffness(*speeds), self.step, self.config.beta, self.limit)
        t = self.config.axes[0]
        before = math.ceil(t[0] / self.step)
        steps = before + self.substeps * (len(t) - 1)
        times = t[0] + self.step * (np.arange(-1, steps + 1) - before)
        field = np.empty((len(t), self.sampling.shape[0]), dtype=np.float32)
        for i, u in enumerate(scheme.march(self.load(x0, y0, width), pulse(times, frequency))):
            frame, left = divmod(i - before, self.substeps)
            if frame >= 0 and left == 0:
                field[frame] = self.sampling @ u
        return field.reshape(len(t), self.config.ny, self.config.nx)


def pulse(t: Array, frequency: float) -> Array:
    """s(t) = sin(2 pi f t) sin^2(pi f t / CYCLES) for 0 < t < CYCLES / f, else 0; t in ms, f in kHz."""
    turns = frequency * t
    inside = (turns > 0) & (turns < CYCLES)
    made: Array = np.where(inside, np.sin(2 * math.pi * turns) * np.sin(math.pi * turns / CYCLES) ** 2, 0.0)
    return made


@lru_cache(maxsize=2)
def checked_plate(config: Wave2D) -> Plate:
    """The plate of a configuration, made once; raises ProblemError for more than 5,000 unknowns."""
    made = Plate(config)
    if made.unknowns > MOST_UNKNOWNS:
        raise ProblemError(f"gap: {config.gap:g} m makes {made.unknowns} unknowns, expected at most {MOST_UNKNOWNS}")
    return made


def _used(mesh: Triangles) -> Triangles:
    """Without points of no triangle."""
    used, renumbered = np.unique(mesh.triangles, return_inverse=True)
    return Triangles(mesh.points[used], renumbered.reshape(mesh.triangles.shape), mesh.in_disk)


@LinearForm
def _gaussian(v: Any, w: Any) -> Any:
    r2 = (w.x[0] - w.x0) ** 2 + (w.x[1] - w.y0) ** 2
    return np.exp(-r2 / (2 * w.width**2)) / (2 * math.pi * w.width**2) * v
