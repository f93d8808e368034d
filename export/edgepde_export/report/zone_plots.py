"""Waves in a zone on the page: strips of frames, the same as a moving picture, and the error of every frame."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from PIL import Image

from . import words
from .style import ACCENT, MUTED, STYLE, axes, svg
from .zone import Array, Zone

SHOWN, MILLISECONDS, LEAST_PIXELS, GAP = 6, 140, 132, 6
COLOURS = "RdBu_r"
TRANSPARENT = 255
WIDE, HIGH = 4.4, 2.7
RANKS = ("worst", "middle", "best")


@dataclass(frozen=True)
class Case:
    """One held-out case: its words, its strip of frames, and the moving picture with the words below it."""

    title: str
    figures: str
    strip: Markup
    moving: Markup
    caption: str


def cases(zone: Zone | None, label: str, unit: str, dpi: int) -> list[Case]:
    """The cases kept, worst first."""
    if zone is None or zone.predicted is None or zone.exact is None:
        return []
    made = []
    for k in range(len(zone.predicted)):
        relative, largest = zone.relative(k)
        rank = RANKS[k] if k < len(RANKS) else "held out"
        ends = (_largest(zone.predicted[k], zone.exact[k]), _largest(zone.predicted[k] - zone.exact[k]))
        figures = f"relative L² {words.number(relative)}, largest {words.number(largest)} {words.unit(unit)}".rstrip()
        made.append(
            Case(
                _title(zone, k, rank),
                figures,
                _strip(zone, k, ends, label, f"zone{k}", dpi),
                _moving(zone, k, ends),
                f"Predicted, {zone.truth} and difference over {len(_times(zone))} frames; the difference is "
                f"{words.number(ends[0] / ends[1])} times amplified.",
            )
        )
    return made


def growth(zone: Zone | None) -> Markup | None:
    """The relative L2 error of every frame over all held-out cases; None where it is not known."""
    if zone is None or zone.error is None or zone.error_t is None:
        return None
    with axes(WIDE, HIGH) as plot:
        plot.grid(axis="y")
        plot.plot(zone.error_t, zone.error, color=ACCENT, linewidth=1.5, marker="o", markersize=3)
        plot.set_ylim(0.0, 1.1 * float(zone.error.max()) or 1.0)
        plot.set_xlabel("t")
        plot.set_ylabel("relative L² error of the frame")
        return svg(plot, "growth", "relative L2 error of every frame")


def _title(zone: Zone, k: int, rank: str) -> str:
    assert zone.parameters is not None
    pairs = zip(zone.columns, zone.parameters[k], strict=False)
    where = ", ".join(f"{c.name} = {words.plain(float(v))} {words.unit(c.unit)}".rstrip() for c, v in pairs)
    return f"{rank.capitalize()}: {where}" if where else rank.capitalize()


def _times(zone: Zone) -> Array:
    assert zone.t is not None
    return zone.t


def _largest(*values: Array) -> float:
    return max(float(np.abs(v).max()) for v in values) or 1.0


def _sides(zone: Zone) -> tuple[str, str, str]:
    return "predicted", zone.truth, "difference"


def _parts(zone: Zone, k: int) -> tuple[Array, Array, Array]:
    assert zone.predicted is not None
    assert zone.exact is not None
    return zone.predicted[k], zone.exact[k], zone.predicted[k] - zone.exact[k]


def _strip(zone: Zone, k: int, ends: tuple[float, float], label: str, key: str, dpi: int) -> Markup:
    """Three rows of frames on the page's own background; both scales beside them."""
    times = _times(zone)
    frames = np.unique(np.linspace(0, len(times) - 1, min(SHOWN, len(times))).round().astype(int))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.2, 3.9), layout="constrained")
        grid: Any = figure.subplots(3, len(frames), squeeze=False)
        for row, (side, values) in enumerate(zip(_sides(zone), _parts(zone, k), strict=True)):
            high = ends[0] if row < 2 else ends[1]
            for column, frame in enumerate(frames):
                plot: Axes = grid[row, column]
                shown = plot.imshow(values[frame], COLOURS, vmin=-high, vmax=high, origin="lower", aspect="equal")
                plot.set(xticks=[], yticks=[])
                plot.spines[:].set_visible(False)
                if row == 0:
                    plot.set_title(f"t = {words.plain(float(times[frame]))}", fontsize=8)
                if column == 0:
                    plot.set_ylabel(side)
            if row:
                beside = list(grid[:2].ravel() if row == 1 else grid[2])
                bar = figure.colorbar(shown, ax=beside, fraction=0.03, pad=0.01)
                bar.outline.set_visible(False)
                bar.ax.tick_params(length=2, color=MUTED)
                bar.formatter = FuncFormatter(lambda v, _: words.number(v, 2))
                bar.update_ticks()
                bar.set_label(label if row == 1 else "difference")
        return svg(grid[0, 0], key, f"frames predicted, of {zone.truth}, and their difference", dpi)


def _moving(zone: Zone, k: int, ends: tuple[float, float]) -> Markup:
    """An animated GIF beside its middle frame, for who asked for less motion; both are in the page itself."""
    sides = _parts(zone, k)
    scale = max(1, -(-LEAST_PIXELS // sides[0].shape[1]))
    frames = [_picture([s[f] for s in sides], ends, scale) for f in range(len(_times(zone)))]
    width, height = frames[0].size
    still = _uri([frames[len(frames) // 2]])
    words_ = f'width="{width}" height="{height}" alt="{escape("the field as it moves: " + ", ".join(_sides(zone)))}"'
    reduced = f'<source media="(prefers-reduced-motion: reduce)" srcset="{still}">'
    # Safe: base64 of our own pictures and numbers.
    return Markup(f'<picture>{reduced}<img {words_} src="{_uri(frames)}"></picture>')


def _picture(sides: list[Array], ends: tuple[float, float], scale: int) -> Image.Image:
    parts = []
    for i, values in enumerate(sides):
        high = ends[0] if i < 2 else ends[1]
        index = np.rint((values[::-1] / high + 1.0) / 2.0 * (TRANSPARENT - 1)).clip(0, TRANSPARENT - 1)
        wide = index.astype(np.uint8).repeat(scale, axis=0).repeat(scale, axis=1)
        parts += [wide, np.full((len(wide), GAP), TRANSPARENT, np.uint8)]
    made = Image.fromarray(np.concatenate(parts[:-1], axis=1))
    made.putpalette(_palette())
    return made


def _palette() -> bytes:
    colours = mpl.colormaps[COLOURS](np.linspace(0.0, 1.0, TRANSPARENT))[:, :3]
    return np.rint(255.0 * np.concatenate([colours, np.ones((1, 3))])).astype(np.uint8).tobytes()


def _uri(frames: list[Image.Image]) -> str:
    out = io.BytesIO()
    more: dict[str, Any] = {"save_all": True, "append_images": frames[1:], "duration": MILLISECONDS, "loop": 0}
    frames[0].save(
        out, "GIF", transparency=TRANSPARENT, disposal=2, optimize=False, **(more if len(frames) > 1 else {})
    )
    return f"data:image/gif;base64,{base64.b64encode(out.getvalue()).decode()}"
