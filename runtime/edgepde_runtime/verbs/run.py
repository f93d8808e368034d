"""edgepde run: evaluate a bundle on the inputs of a file."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import bundle as bundles
from .. import npz
from ..atomic import write_bytes
from ..certificate import upward
from ..errors import InputError
from ..inputs import describe
from ..model import Array, Model, Result

LARGEST_INPUT = 1 << 30


@dataclass(frozen=True)
class RunReport:
    """What was computed: outputs by name, flags, error bounds, and the file it went to."""

    output: Path
    backend: str
    result: Result

    def table(self) -> str:
        """The outputs in words, flags and residuals included."""
        lines = [f"wrote {self.output} (backend {self.backend})"]
        lines += [f"  {name}: {_words(value)}" for name, value in self.result.outputs.items()]
        lines.append(f"  flags: {self.result.flags} ({describe(self.result.flags)})")
        for name, bound in self.result.error_bound.items():
            value = bound["value"]
            words = f"{upward(value)}, {bound['class']}" if isinstance(value, float) else "not verified"
            lines.append(f"  error bound of {name}: {words} ({bound['covers']})")
        return "\n".join(lines)


def _words(value: Array) -> str:
    finite = value[np.isfinite(value)]
    extent = f"from {finite.min():.6g} to {finite.max():.6g}" if finite.size else "no finite value"
    missing = value.size - finite.size
    return f"{value.dtype} {list(value.shape)}, {extent}" + (f", {missing} not finite" if missing else "")


def read_inputs(path: str | os.PathLike[str]) -> Mapping[str, Array]:
    """The arrays of an npz file; raises InputError where it cannot be read."""
    arrays, _ = npz.read_file(Path(path), LARGEST_INPUT, InputError)
    return arrays


def run(
    path: str | os.PathLike[str],
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    backend: str = "auto",
    out_of_box: str = "raise",
    strict: bool = False,
) -> RunReport:
    """Evaluates the arrays of `source` and writes the outputs to `target` in one step.

    Rows that did not converge are NaN. Raises BundleError, InputError, OutOfBox, BackendError, and OSError on writing.
    """
    model = Model(bundles.read(path), backend, out_of_box, strict)
    result = model.call(**read_inputs(source))
    buffer = io.BytesIO()
    np.savez(buffer, **result.outputs)  # type: ignore[arg-type]
    write_bytes(target, buffer.getvalue())
    return RunReport(Path(target), model.backend, result)
