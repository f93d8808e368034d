"""What zone data looks like, before anything is trained on it: a few lines and a picture."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .zone import AXES, ZoneData

CASES, FRAMES = 3, 6


def show(data: ZoneData, path: Path) -> None:
    """Print the summary to stderr and write the picture, if matplotlib is there."""
    print("\n".join(summary(data)), file=sys.stderr, flush=True)
    try:
        write_picture(data, path)
    except ImportError:
        print("no picture: matplotlib is not installed (pip install matplotlib)", file=sys.stderr)


def summary(data: ZoneData) -> list[str]:
    """Cases, grid, ranges and sizes, a line each."""
    grid = " x ".join(str(n) for n in data.grid)
    zone = ", ".join(
        f"{name} {getattr(data, name)[0]:g} .. {getattr(data, name)[-1]:g} {unit}"
        for name, unit in zip(AXES, data.axis_units, strict=True)
    )
    rms = np.sqrt(np.square(data.field).mean(axis=(1, 2, 3), dtype=np.float64))
    still = int((~data.field.any(axis=(0, 1))).sum())
    lines = [f"{data.source}: {len(data)} cases of {data.field_name} [{data.field_unit}] on {grid}: {zone}"]
    for i, (name, unit) in enumerate(zip(data.names, data.units, strict=True)):
        held = data.parameters[:, i]
        box = f"[{data.low[i]:g}, {data.high[i]:g}]"
        lines.append(f"  {name} in {box} {unit}; drawn {held.min():g} .. {held.max():g}")
    quiet, loud = int(rms.argmin()), int(rms.argmax())
    lines.append(
        f"  root mean square {np.sqrt(np.square(rms).mean()):.3g} {data.field_unit}, "
        f"from {rms[quiet]:.3g} (case {quiet}) to {rms[loud]:.3g} (case {loud}); largest {np.abs(data.field).max():.3g}"
    )
    if still:
        lines.append(
            f"  {still} of {data.grid[1] * data.grid[2]} places are 0 in every case and frame (outside the mesh)"
        )
    return lines


def write_picture(data: ZoneData, path: Path) -> None:
    """A PNG of the quietest, the middle and the loudest case at equally spaced times, in one scale of colour."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from edgepde.train.atomic import write_file

    rms = np.square(data.field).mean(axis=(1, 2, 3), dtype=np.float64)
    cases = np.argsort(rms)[np.unique(np.linspace(0, len(data) - 1, CASES).astype(int))]
    frames = np.unique(np.linspace(0, len(data.t) - 1, FRAMES).astype(int))
    figure = Figure(figsize=(1.6 * len(frames), 1.8 * len(cases) + 0.4), layout="constrained")
    axes = figure.subplots(len(cases), len(frames), squeeze=False)
    largest = float(np.abs(data.field[cases]).max()) or 1.0
    extent = (data.x[0], data.x[-1], data.y[0], data.y[-1])
    shown: Any = None
    for row, case in zip(axes, cases, strict=True):
        for place, frame in zip(row, frames, strict=True):
            shown = place.imshow(
                data.field[case, frame], origin="lower", extent=extent, cmap="RdBu_r", vmin=-largest, vmax=largest
            )
            place.tick_params(labelsize=5)
            place.set_title(f"case {case}, {data.t[frame]:.3g} {data.axis_units[0]}", fontsize=6)
    figure.colorbar(shown, ax=axes, label=f"{data.field_name} [{data.field_unit}]", shrink=0.8)
    held = io.BytesIO()
    FigureCanvasAgg(figure).print_figure(held, dpi=110, format="png", metadata={"Software": None})
    write_file(path, held.getvalue())
