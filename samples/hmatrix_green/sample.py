"""A plate with two heaters, its temperature computed by the shipped bundle and compared with the finite elements.

Run: python samples/hmatrix_green/sample.py [--picture FILE.png] [--bundle FOLDER]
The number to reach: nowhere more than 1e-2 K from the finite-element solution (up to 4 K), over 200 sources.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import edgepde_runtime
import numpy as np
from numpy.typing import NDArray

from edgepde.problems.diffusion import Diffusion
from edgepde.problems.mesh import read_mesh

HERE = Path(__file__).parent
TARGET = 1e-2
Array = NDArray[np.float64]


def heaters(points: Array) -> Array:
    """f [n] in MW/m^3: two chips that heat, a vent that cools."""
    x, y = points.T
    f = np.zeros(len(points))
    f[(np.abs(x - 0.03) < 0.010) & (np.abs(y - 0.075) < 0.012)] = 1.0
    f[(np.abs(x - 0.03) < 0.008) & (np.abs(y - 0.030) < 0.008)] = 0.6
    f[np.hypot(x - 0.075, y - 0.025) < 0.010] = -0.8
    return f


def sources(points: Array, count: int, seed: int) -> Array:
    """The heaters, everything on, and sources at random: smooth ones, and ones of random sign at every point."""
    rng = np.random.default_rng(seed)
    made = [heaters(points), np.ones(len(points))]
    while len(made) < count:
        if len(made) % 2:
            made.append(rng.choice([-1.0, 1.0], len(points)))
        else:
            waves = rng.uniform(-150.0, 150.0, (2, 3))
            made.append(np.cos(points @ waves + rng.uniform(0.0, 6.0, 3)).mean(axis=1))
    return np.stack(made)


def worst_error(model: edgepde_runtime.Model, problem: Diffusion, count: int, seed: int) -> float:
    """The largest |device - finite elements| in K over some sources."""
    f = sources(problem.points, count, seed).astype(np.float32)
    return float(np.abs(model(f) - problem.solve(f.T.astype(np.float64)).T).max())


def draw(problem: Diffusion, u: Array, where: Path) -> None:
    """The temperature as a picture."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    mesh = problem.mesh
    whole = np.zeros(len(mesh.points))
    whole[mesh.inside] = u
    figure, axes = plt.subplots(figsize=(6.4, 5.2), layout="constrained")
    held = axes.tricontourf(*mesh.points.T, mesh.triangles, whole, levels=40, cmap="inferno")
    axes.triplot(*mesh.points.T, mesh.triangles, color="white", linewidth=0.15, alpha=0.4)
    axes.set(aspect="equal", xlabel="x in m", ylabel="y in m", title="temperature above the coolant's")
    figure.colorbar(held, label="K")
    figure.savefig(where, dpi=120)
    plt.close(figure)


def main() -> int:
    """Print the number; exit 1 where it is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=HERE / "bundle")
    parser.add_argument("--picture", type=Path, metavar="FILE.png", help="draw the heaters' temperature")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = edgepde_runtime.load(args.bundle)
    problem = Diffusion(*read_mesh(HERE / "plate.vtu"))
    f = heaters(problem.points).astype(np.float32)
    u = np.asarray(model(f[None])[0], dtype=np.float64)
    hot = problem.points[u.argmax()]
    print(f"the heaters: {u.min():.2f} to {u.max():.2f} K, hottest at x = {hot[0]:.3f} m, y = {hot[1]:.3f} m")
    worst = worst_error(model, problem, 200, args.seed)
    met = worst <= TARGET
    proved = model.certificate.outputs["u"].terms["compression"].value
    verdict = "met" if met else "MISSED"
    print(f"200 sources: at most {worst:.1e} K from the finite elements, to reach {TARGET:g}: {verdict}")
    print(f"compressing costs at most {proved:.1e} K, proved for every source of the box")
    print(f"and within {model.certificate.total:.1e} K of the exact solution for sources linear on the triangles")
    if args.picture:
        draw(problem, u, args.picture)
        print(f"picture: {args.picture}")
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
