"""edgepde run: evaluate a bundle on the inputs of a file."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .. import bundle as bundles
from .. import npz
from ..atomic import write_bytes
from ..diagnostics import row_flags
from ..errorbound import error_bounds
from ..errors import InputError
from ..inputs import ROUNDED, describe
from ..manifest import InputSpec
from ..model import Array, Model, Result
from ..shelf import chosen
from ..term import upward

LARGEST_INPUT = 1 << 30
Flags = NDArray[np.int32]


@dataclass(frozen=True)
class RunReport:
    """What was computed: outputs by name, flags, error bounds, and the file it went to.

    rounded: inputs that were rounded, with the dtype that would not be, e.g. "points as float32".
    note: why the backend is not the one "auto" would have taken of a trusted bundle. filled: how many missing numbers
    were filled, None where that was not asked.
    """

    output: Path
    backend: str
    result: Result
    rounded: tuple[str, ...] = ()
    note: str = ""
    filled: int | None = None

    def table(self) -> str:
        """The outputs in words, flags and residuals included."""
        lines = [f"wrote {self.output} (backend {self.backend})"]
        lines += [f"  {self.note}"] if self.note else []
        lines += [f"  {name}: {_words(value)}" for name, value in self.result.outputs.items()]
        lines.append(f"  flags: {self.result.flags} ({describe(self.result.flags)})")
        if self.result.flags:
            lines.append("    of each row: members flags/<input> of the output")
        if self.rounded:
            lines.append(f"    save {', '.join(self.rounded)}, or use strict=True (--strict) to refuse")
        if self.filled is not None:
            lines.append(f"  filled: {self.filled} missing numbers (members filled/<input> of the output)")
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


def read_inputs(path: str | os.PathLike[str], specs: Sequence[InputSpec]) -> Mapping[str, Array]:
    """The arrays of an npz file; raises InputError where it cannot be read or lacks one."""
    plural = "s" if len(specs) > 1 else ""
    expected = f"an npz file with member{plural} {', '.join(s.name for s in specs)}"
    arrays, _ = npz.read_file(Path(path), LARGEST_INPUT, InputError, expected=expected)
    if any(spec.name not in arrays for spec in specs):
        raise InputError(f"{path}: expected {expected}, got {npz.listed(arrays)}")
    return arrays


def flags_of_rows(model: Model, inputs: Mapping[str, Array], result: Result) -> dict[str, Flags]:
    """All flags of each row by input, int32 [n]: its own (1, 8) and those of the solve of its row (2, 4)."""
    flags = model.check(**inputs)
    solved, none = row_flags(model.manifest, result.outputs), np.zeros(1, np.int32)
    # "" is an output without rows: it fails for every row.
    return {s.name: flags[s.name] | solved.get(s.shape[0], none) | solved.get("", none) for s in model.manifest.inputs}


def run(
    path: str | os.PathLike[str],
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    backend: str = "auto",
    out_of_box: str = "raise",
    strict: bool = False,
    trust: bool = False,
    cassette: str | None = None,
    fill: bool = False,
    noise: float | None = None,
) -> RunReport:
    """Evaluates the arrays of `source` and writes the outputs to `target` in one step.

    cassette: the one that fills the model's slots; None: the only one there is, or none where it has no slots.
    fill: numbers of the only input that are NaN are filled, and noise of a known level is damped, see Model.fill;
    member filled/<input> says which were filled; no error is then stated.
    Rows that did not converge are NaN. Where a flag is set, members flags/<input> hold the flags of each row.
    Raises BundleError, InputError, OutOfBox, BackendError, and OSError on writing.
    """
    model = Model(chosen(bundles.read(path), cassette), backend, out_of_box, strict, trust)
    specs = model.manifest.inputs
    inputs = read_inputs(source, specs)
    filled: dict[str, NDArray[np.bool_]] = {}
    if fill:
        name = specs[0].name
        found = model.fill(inputs[name], noise=noise)
        inputs, filled = {**inputs, name: found.sensors}, {f"filled/{name}": found.flags}
    result = model.call(**inputs)
    if any(rows.any() for rows in filled.values()) or noise is not None:
        result = replace(result, error_bound=error_bounds(model.certificate, covered=False))
    flags = flags_of_rows(model, inputs, result) if result.flags else {}
    buffer = io.BytesIO()
    np.savez(buffer, **result.outputs, **{f"flags/{name}": rows for name, rows in flags.items()}, **filled)  # type: ignore[arg-type]
    write_bytes(target, buffer.getvalue())
    rounded = tuple(f"{s.name} as {s.dtype}" for s in specs if s.name in flags and (flags[s.name] & ROUNDED).any())
    count = sum(int(flags.sum()) for flags in filled.values())
    return RunReport(Path(target), model.backend, result, rounded, model.note, count if fill else None)
