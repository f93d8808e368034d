"""emx-onnx-cgen, generated for a fixed batch and compiled; a larger batch may go through it in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from native.build import AVX2, build

from c99_peers import environment
from c99_peers.networks import Workload, onnx_file

HERE = Path(__file__).parent
STACK = 256


@dataclass(frozen=True)
class Flags:
    """How its C is compiled: one rival; of `widths` the fastest is taken."""

    rival: str
    arguments: tuple[str, ...]
    widths: tuple[str, ...] = ("",)


NATIVE = ("", "-mprefer-vector-width=512")
FAST = "-ffast-math"
STRICT_NATIVE = Flags("emx -O3", ("-O3", "-march=native"), NATIVE)
FAST_NATIVE = Flags("emx -O3 -ffast-math", ("-O3", FAST, "-march=native"), NATIVE)
STRICT_AVX2 = Flags("emx -O3, AVX2", ("-O3", *AVX2.flags))
FAST_AVX2 = Flags("emx -O3 -ffast-math, AVX2", ("-O3", FAST, *AVX2.flags))
ALL = (STRICT_NATIVE, FAST_NATIVE, STRICT_AVX2, FAST_AVX2)


def source(net: torch.nn.Sequential, asked: Workload, block: int, folder: Path) -> Path:
    """Its C file for a batch of `block`; temporaries on the stack up to a batch of 256, as it likes beyond."""
    out = folder / f"emx_{asked.name}_{block}.c"
    if not out.exists():
        model = onnx_file(net, asked, block, folder / f"{asked.name}_{block}.onnx")
        keep = ["--large-temp-threshold", "0"] if block <= STACK else []
        environment.emx(model, out, "--model-name", out.stem, "--large-weight-threshold", "0", *keep)
    return out


def variants(
    net: torch.nn.Sequential, asked: Workload, batch: int, flags: Flags, folder: Path
) -> tuple[tuple[str, str], ...]:
    """Libraries for the batch: blocks of 1, 16, 256 .. batch, each vector width."""
    made = []
    for block in sorted({size for size in (*asked.batches, batch) if batch % size == 0}):
        text = source(net, asked, block, folder)
        for i, width in enumerate(flags.widths):
            name = f"{text.stem}_{batch}_{ALL.index(flags)}_{i}"
            words = " ".join(filter(None, (f"blocks of {block}" if block != batch else f"batch {block}", width)))
            made.append(
                (words, str(_library(text, asked, block, batch // block, (*flags.arguments, width), folder / name)))
            )
    return tuple(made)


def _library(text: Path, asked: Workload, block: int, times: int, flags: Sequence[str], stem: Path) -> Path:
    """Compiled, and linked without -ffast-math: with it gcc sets the whole process to flush denormals."""
    inputs, outputs = asked.sizes[0], asked.sizes[-1]
    adapter = stem.with_suffix(".adapter.c")
    adapter.write_text(
        f"""#include "call.h"
void {text.stem}(const float x[restrict {block}][{inputs}], float y[restrict {block}][{outputs}]);
size_t bench_scratch_bytes(void) {{ return 0; }}
int bench_rival(void *argument) {{
    const struct call *c = argument;
    const float (*x)[{inputs}] = c->inputs[0];
    float (*y)[{outputs}] = c->outputs[0];
    for (size_t i = 0; i < {times}; ++i) {text.stem}(x + i * {block}, y + i * {block});
    return 0;
}}
""",
        encoding="utf-8",
    )
    given = ["-std=gnu11", *filter(None, flags), "-fPIC", f"-I{HERE}"]
    objects = []
    for part in (text, adapter):
        objects.append(str(stem) + f".{part.name}.o")
        build([*given, "-c", str(part), "-o", objects[-1]])
    library = stem.with_suffix(".so")
    build(["-shared", *objects, "-o", str(library), "-lm"])
    return library
