"""Steady heat conduction -div(k grad u) = f, u = 0 on the boundary, and its solution operator on a triangular mesh.

u: temperature above the boundary's in K. k: conductivity in W/(m K), positive. f: heat source in MW/m^3. Lengths in m.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix
from scipy.sparse.linalg import splu
from skfem import Basis, ElementTriP1, MeshTri

from edgepde.errors import ProblemError

from .finite_forms import mass, stiffness
from .mesh import INCLUSION, SIDE, Disk, Mesh

Array = NDArray[np.float64]
WATTS = 1e6
MOST = 10_000
AT_ONCE = 256


@final
@dataclass(frozen=True, eq=False)
class Diffusion:
    """The problem on a mesh; k: a conductivity for every triangle [T].

    P1 elements; f and u are their values at the n points inside, u = G f with G = A^-1 M (stiffness, mass).
    Raises ProblemError where k is not positive and finite or has another length, or where no point is inside.
    """

    mesh: Mesh
    k: Array

    def __post_init__(self) -> None:
        if not self.mesh.inside.size:
            raise ProblemError(f"mesh: expected points inside, all {len(self.mesh.points)} are on the boundary")
        k = np.asarray(self.k, dtype=np.float64)
        object.__setattr__(self, "k", k)
        if k.shape != (len(self.mesh.triangles),):
            raise ProblemError(f"k: expected {len(self.mesh.triangles)} numbers, one per triangle, got {list(k.shape)}")
        wrong = np.flatnonzero(~(np.isfinite(k) & (k > 0)))
        if wrong.size:
            raise ProblemError(
                f"k: expected positive conductivities, got {k[wrong[0]]:g} W/(m K) in triangle {wrong[0]}, "
                f"{wrong.size} of {len(k)} are wrong"
            )

    @property
    def points(self) -> Array:
        """Where f and u are given: the points inside [n, 2]."""
        made: Array = self.mesh.points[self.mesh.inside]
        return made

    @cached_property
    def stiffness(self) -> csc_matrix:
        """A [n, n]: int k grad(v_i) . grad(v_j), points inside, in W/(m K)."""
        return self._inner(stiffness.assemble(self._basis, k=_per_element(self._basis, self.k)))

    @cached_property
    def mass(self) -> csc_matrix:
        """M [n, n]: int v_i v_j, points inside, in m^2."""
        return self._inner(mass.assemble(self._basis))

    def solve(self, f: Array) -> Array:
        """u [n, ...] in K for sources f [n, ...] in MW/m^3, by a sparse factorisation."""
        return np.asarray(self._factors.solve(WATTS * (self.mass @ f)))

    def operator(self) -> Array:
        """G [n, n] in K per MW/m^3: u = G f. Raises ProblemError for more than 10,000 points inside."""
        if len(self.points) > MOST:
            raise ProblemError(f"mesh: expected at most {MOST} points inside, got {len(self.points)}")
        made = np.empty(self.mass.shape)
        for first in range(0, len(made), AT_ONCE):
            columns = slice(first, first + AT_ONCE)
            made[:, columns] = self._factors.solve(WATTS * self.mass[:, columns].toarray())
        return made

    def refined(self) -> Diffusion:
        """The same problem with every triangle cut into four; the points of this mesh come first."""
        fine = self._basis.mesh.refined(1)
        return Diffusion(Mesh(fine.p.T, fine.t.T), np.tile(self.k, 4))

    def with_k(self, k: Array) -> Diffusion:
        """The same mesh with another conductivity."""
        return Diffusion(self.mesh, k)

    @cached_property
    def _basis(self) -> Any:
        held = (np.ascontiguousarray(side.T) for side in (self.mesh.points, self.mesh.triangles))
        return Basis(MeshTri(*held), ElementTriP1())

    @cached_property
    def _factors(self) -> Any:
        return splu(self.stiffness)

    def _inner(self, whole: csr_matrix) -> csc_matrix:
        inside = self.mesh.inside
        return whole[inside][:, inside].tocsc()


def two_materials(mesh: Mesh, plate: float = 200.0, inclusion: float = 20.0) -> Array:
    """k [T] of the plate: `plate` varying smoothly by a third, `inclusion` in a disk of 0.015 m, in W/(m K)."""
    x, y = 2 * math.pi * mesh.centres.T / SIDE
    smooth = plate * (1.0 + np.sin(x) * np.sin(y) / 3.0)
    return np.where(INCLUSION.distance(mesh.centres) < 0, inclusion, smooth)


def changed(mesh: Mesh, k: Array, where: Disk, factor: float) -> Array:
    """k [T], times `factor` in a disk."""
    return np.where(where.distance(mesh.centres) < 0, factor * k, k)


def discretisation_error(problem: Diffusion, rows: int = 1024) -> tuple[float, int]:
    """max |u_h - u| in K over all f with |f| <= 1 MW/m^3, at `rows` of the points, and at how many of them.

    u is the solution for f linear on the triangles, estimated from u_h and u_(h/2): second order makes the error 4/3 of
    their difference. Rows of G_(h/2) P are A^-1 e_i times M P, P the interpolation to the finer mesh.
    """
    fine = problem.refined()
    place = np.searchsorted(fine.mesh.inside, problem.mesh.inside)
    right_fine, right = WATTS * (fine.mass @ _prolongation(problem, fine)).T, WATTS * problem.mass.T
    chosen = np.unique(np.linspace(0, len(place) - 1, rows).astype(np.int64))
    worst = 0.0
    for some in np.array_split(chosen, math.ceil(len(chosen) / AT_ONCE)):
        difference = right_fine @ fine._factors.solve(_unit(place[some], fine.mass.shape[0]))
        difference -= right @ problem._factors.solve(_unit(some, len(place)))
        worst = max(worst, float(np.abs(difference).sum(axis=0).max()))
    return worst * 4.0 / 3.0, len(chosen)


def _prolongation(coarse: Diffusion, fine: Diffusion) -> csr_matrix:
    """Linear interpolation [n fine, n] between points inside."""
    whole: csr_matrix = coarse._basis.probes(fine.points.T).tocsr()
    return whole[:, coarse.mesh.inside]


def _per_element(basis: Any, k: Array) -> Array:
    """k at the quadrature points [T, Q]."""
    return np.broadcast_to(k[:, None], basis.dx.shape)


def _unit(places: NDArray[np.int64], size: int) -> Array:
    made = np.zeros((size, len(places)))
    made[places, np.arange(len(places))] = 1.0
    return made
