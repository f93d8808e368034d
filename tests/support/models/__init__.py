"""Models whose generated C must give the same bits everywhere, made without torch, and the programs that hash them.

    from support.models import sources

    for source in sources(folder):
        ...  # source.sources[0] is the model, source.sources[1] the program around it

A program prints "<what>_<rows> <hash>" for batches of rows and for the same rows one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edgepde_export.c99 import generate
from edgepde_runtime.certificate import Certificate
from edgepde_runtime.manifest import Manifest
from numpy.typing import NDArray
from support.models import nets
from support.targets.programs import Source

HERE = Path(__file__).parent
SOLVED = HERE.parents[2] / "samples" / "s2gpt_burgers" / "bundle"
WORDS = {"float32": ("float", "f32"), "float64": ("double", "f64")}


@dataclass(frozen=True)
class Model:
    """A model to generate C for; program: the header in this folder that has its main; large: slow to compile."""

    name: str
    make: Callable[[], nets.Parts]
    program: str = "rows.h"
    large: bool = False


def _solved() -> nets.Parts:
    manifest = Manifest.from_json((SOLVED / "manifest.json").read_text("utf-8"))
    certificate = Certificate.from_json((SOLVED / "certificate.json").read_text("utf-8"))
    return (SOLVED / "model.onnx").read_bytes(), manifest, certificate


MODELS = (
    Model("mlp_f32", nets.mlp_f32),
    Model("mlp_f64", nets.mlp_f64),
    Model("mlp_f16w", nets.mlp_f16w),
    Model("mlp_i8w", nets.mlp_i8w),
    Model("activations", nets.activations, large=True),
    Model("s2gpt_burgers", _solved, "solved.h", large=True),
)


def level(name: str, usual: str) -> str:
    """The level of optimisation for a target whose own is `usual`: less for a large model, whose bits are the same."""
    large = any(model.large and model.name == name for model in MODELS)
    return "-O1" if large and usual == "-O3" else usual


def sources(folder: Path, models: Sequence[Model] = MODELS) -> tuple[Source, ...]:
    """The generated C of every model below `folder`, with its program."""
    return tuple(_source(model, folder / model.name) for model in models)


def written(model: Model, folder: Path, golden: Mapping[str, NDArray[np.floating]] | None = None) -> Path:
    """The files of c99/ below `folder`, which is returned."""
    data, manifest, certificate = model.make()
    for name, text in generate(data, manifest, certificate, golden or {}).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return folder


def _source(model: Model, folder: Path) -> Source:
    written(model, folder)
    (folder / "main.c").write_text(_main(model, model.make()[1]), encoding="utf-8")
    return Source(model.name, (folder / f"{model.name}.c", folder / "main.c"), (folder, HERE))


def _main(model: Model, manifest: Manifest) -> str:
    """The program: what its header has to know, and the header."""
    given, result = manifest.inputs[0], manifest.outputs[0]
    number, code = WORDS[given.dtype]
    facts = {
        **{"NUMBER": number, "TYPED(name)": f"name##_{code}", "SCRATCH_BYTES": f"{model.name.upper()}_SCRATCH_BYTES"},
        "UNKNOWNS": f"{model.name.upper()}_COEFFICIENTS",
        **{part.upper(): f"{model.name}_{part}" for part in ("run", "check", "coefficients", "field")},
        **{"COLUMNS": len(given.columns), "OUTPUTS": result.shape[-1]},
    }
    lines = [f"#define {name} {value}" for name, value in facts.items()]
    return "\n".join([*lines, f'#include "{model.name}.h"', f'#include "{model.program}"', ""])
