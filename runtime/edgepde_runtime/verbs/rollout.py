"""edgepde run --steps: a bundle fed with its own frames, held against a reference where the file has one."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import bundle as bundles
from .. import npz
from ..atomic import write_bytes
from ..errors import InputError
from ..inputs import describe
from ..model import Model
from ..rollout import Rollout, error_growth, feed_of, roll
from ..shelf import chosen
from .run import LARGEST_INPUT

REFERENCE, GROWTH = "reference", "error_growth"
LINES = 10


@dataclass(frozen=True)
class RolloutReport:
    """What was computed, the error of each frame where there was a reference, and the file it went to."""

    output: Path
    backend: str
    made: Rollout
    growth: NDArray[np.float64] | None
    note: str = ""

    def table(self) -> str:
        """Shapes, flags by step and the error's growth in words."""
        made, feed = self.made, self.made.feed
        lines = [f"wrote {self.output} (backend {self.backend})"]
        lines += [f"  {self.note}"] if self.note else []
        lines.append(f"  {feed.output.name}: {made.frames.dtype} {list(made.frames.shape)}, {len(made.flags)} steps")
        every = int(np.bitwise_or.reduce(made.flags, axis=None))
        lines.append(f"  flags: {every} ({describe(every)})")
        if every:
            steps = np.flatnonzero(made.flags.any(axis=1))
            member = f"flags/{feed.input.name}"
            lines.append(
                f"    in {steps.size} steps, first in step {steps[0] + 1}; of each step and row: member {member}"
            )
        lines.append("  error bound: not verified, it holds for one step")
        if self.growth is not None:
            lines.append(f"  error growth, |frame - reference| / |reference| (member {GROWTH}):")
            lines += [f"    frame {i + 1}: {self.growth[i]:.4g}" for i in _shown(len(self.growth))]
        return "\n".join(lines)


def rollout(
    path: str | os.PathLike[str],
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    steps: int,
    *,
    backend: str = "auto",
    out_of_box: str = "raise",
    strict: bool = False,
    trust: bool = False,
    cassette: str | None = None,
) -> RolloutReport:
    """Feeds the frames of `source` to the model and its own to it, `steps` times; writes all of them in one step.

    Raises as `run` does, and InputError for a model whose outputs do not feed its inputs.
    """
    model = Model(chosen(bundles.read(path), cassette), backend, out_of_box, strict, trust)
    feed = feed_of(model.manifest)
    name = feed.input.name
    expected = f"an npz file with member {name}, and perhaps {REFERENCE}"
    arrays, _ = npz.read_file(Path(source), LARGEST_INPUT, InputError, expected=expected)
    unknown = sorted(set(arrays) - {name, REFERENCE})
    if name not in arrays or unknown:
        raise InputError(f"{source}: expected {expected}, got {npz.listed(arrays)}")
    made = roll(model, arrays[name], steps)
    growth = error_growth(made.frames, arrays[REFERENCE]) if REFERENCE in arrays else None
    kept: dict[str, NDArray[np.generic]] = {feed.output.name: made.frames}
    if made.flags.any():
        kept[f"flags/{name}"] = made.flags
    if growth is not None:
        kept[GROWTH] = growth
    buffer = io.BytesIO()
    np.savez(buffer, **kept)  # type: ignore[arg-type]
    write_bytes(target, buffer.getvalue())
    return RolloutReport(Path(target), model.backend, made, growth, model.note)


def _shown(count: int) -> list[int]:
    """The first, the last, and some between."""
    return sorted({round(i * (count - 1) / (LINES - 1)) for i in range(LINES)}) if count > LINES else list(range(count))
