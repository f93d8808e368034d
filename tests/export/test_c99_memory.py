"""Generated C under sanitizers on memory of exact size, and that it is the same file whoever generates it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from edgepde_export.c99 import generate
from edgepde_runtime.bundle import read
from edgepde_runtime.certificate import Certificate
from edgepde_runtime.library import COMMON, INCLUDES, ISAS
from edgepde_runtime.manifest import Column, InputSpec, Manifest, OutputSpec
from support import onnx_writer as w
from support.c99_api import files, written
from support.generated import builds
from support.kernel_libraries import needs_cc, needs_compiler
from support.models import nets

SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "s2gpt_burgers" / "bundle"
SANITIZED = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")
STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic", "-Wshadow")
WORDS = {"float32": "float", "float64": "double"}
ROWS = (1, 2, 3, 9, 10, 15, 16, 17, 37)

HEAD = """#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "{name}.h"
static unsigned state = 1;
static double number(double low, double high) {{
    state = state * 1664525u + 1013904223u;
    return low + (high - low) * (double)(state >> 8) / 16777216.0;
}}
static void *exact(size_t bytes) {{
    void *p = malloc(bytes);
    if (!p) abort();
    memset(p, 0x7f, bytes);
    return p;
}}
static void *aligned(size_t bytes) {{
    void *p = aligned_alloc(64, bytes);
    if (!p) abort();
    memset(p, 0xff, bytes);
    return p;
}}
static int once(size_t outer, size_t count) {{
    int flags;
"""


@dataclass(frozen=True)
class Shape:
    """A model's files, what goes in and out, and which of its sizes is the outer one."""

    made: Mapping[str, bytes]
    inputs: Sequence[InputSpec]
    outputs: Sequence[OutputSpec]
    name: str

    def program(self, more: str = "") -> str:
        """A main that runs the model on arrays of exactly the size they need."""
        symbols = list(dict.fromkeys(s.shape[0] for s in self.inputs))
        size = {s: "outer" if i < len(symbols) - 1 else "count" for i, s in enumerate(symbols)}
        lines = []
        for spec in self.inputs:
            rows, width, kind = size[spec.shape[0]], spec.shape[1], WORDS[spec.dtype]
            lines.append(f"{kind} *{spec.name} = exact({rows} * {width} * sizeof({kind}));")
            for i, c in enumerate(spec.columns):
                drawn = f"({kind})number({c.low!r}, {c.high!r})"
                lines.append(f"for (size_t r = 0; r < {rows}; r++) {spec.name}[r * {width} + {i}] = {drawn};")
        for output in self.outputs:
            factors = [size[d] if isinstance(d, str) else str(d) for d in output.shape]
            kind = WORDS[output.dtype]
            lines.append(f"{kind} *{output.name} = exact({' * '.join(factors)} * sizeof({kind}));")
        lines.append(f"void *scratch = aligned({self.name.upper()}_SCRATCH_BYTES);")
        given = ", ".join([*(size[s] for s in symbols), *(s.name for s in self.inputs)])
        made = ", ".join(o.name for o in self.outputs)
        lines.append(f"flags = {self.name}_check({given}, {', '.join(['NULL'] * len(self.inputs))});")
        lines.append(f"flags |= {self.name}_run({given}, {made}, scratch);")
        lines.append(more)
        lines += [f"free({n});" for n in (*(s.name for s in self.inputs), *(o.name for o in self.outputs), "scratch")]
        counts = ", ".join(map(str, ROWS))
        body = "\n    ".join(lines)
        return (
            f"{HEAD.format(name=self.name)}    {body}\n    (void)outer;\n    return flags;\n}}\n"
            f"int main(void) {{\n    const size_t counts[] = {{{counts}}};\n"
            f"    for (size_t b = 1; b < 3; b++)\n        for (size_t i = 0; i < {len(ROWS)}; i++)\n"
            "            if (once(b, counts[i]) < 0) return 1;\n    return 0;\n}\n"
        )


def ready(parts: tuple[bytes, Manifest, Certificate], golden: Mapping[str, np.ndarray] | None = None) -> Shape:
    """A model that comes with its manifest."""
    model, manifest, certificate = parts
    return Shape(generate(model, manifest, certificate, golden or {}), manifest.inputs, manifest.outputs, manifest.name)


def odd() -> Shape:
    """Widths 3, 17, 33 and 1, in both precisions, weights that come from an input, columns apart, a mean, a lookup."""
    rng = np.random.default_rng(0)
    held = {"w1": rng.normal(size=(3, 17)), "w2": rng.normal(size=(17, 33)) / 4, "w3": rng.normal(size=(33, 1)) / 6}
    held |= {"b1": rng.normal(size=17), "table": rng.normal(size=(5, 3))}
    constants = {n: x.astype(np.float32) for n, x in held.items()} | {"wide": rng.normal(size=(33, 5)) / 6}
    constants |= {n: np.array([v]) for n, v in (("zero", 0), ("one", 1), ("two", 2), ("most", 2**40))}
    constants |= {"cut": np.array([0, 4, 2, -1, 31])}
    nodes = [
        w.node("Gemm", ["x", "w1", "b1"], ["z1"]),
        w.node("Tanh", ["z1"], ["a1"]),
        w.node("MatMul", ["a1", "w2"], ["z2"]),
        w.node("Sin", ["z2"], ["a2"]),
        w.node("MatMul", ["a2", "w3"], ["u"]),
        w.node("Slice", ["a2", "zero", "most", "one", "two"], ["half"]),
        w.node("Gather", ["half", "cut_small"], ["few"], {"axis": 1}),
        w.node("Cast", ["a2"], ["double"], {"to": 11}),
        w.node("MatMul", ["double", "wide"], ["v"]),
        w.node("ReduceMean", ["half", "one"], ["mean"]),
        w.node("Concat", ["few", "mean", "half"], ["all"], {"axis": 1}),
        w.node("Slice", ["x", "zero", "one", "one"], ["first"]),
        w.node("Cast", ["first"], ["index"], {"to": 7}),
        w.node("Squeeze", ["index", "one"], ["flat"]),
        w.node("Gather", ["table", "flat"], ["found"]),
    ]
    constants["cut_small"] = np.array([0, 4, 2, -1, 16])
    del constants["cut"]
    shapes = {"u": ("float32", 1), "v": ("float64", 5), "all": ("float32", 23), "found": ("float32", 3)}
    infos = [w.value_info(n, d, ["M", c]) for n, (d, c) in shapes.items()]
    encoded = w.model(w.graph(nodes, [w.value_info("x", "float32", ["M", 3])], infos, constants))
    inputs = [InputSpec("x", "float32", ("M", 3), tuple(Column(c, "", -4.0, 4.0) for c in "abc"))]
    outputs = [OutputSpec(n, d, ("M", c), "") for n, (d, c) in shapes.items()]
    return Shape(files(encoded, inputs, outputs, "odd"), inputs, outputs, "odd")


def sample() -> Shape:
    """The shipped solver, its parts checked against the whole."""
    bundle = read(SAMPLE)
    return ready((bundle.content("model.onnx"), bundle.manifest, bundle.certificate))


PARTS = """{
        double *solved = exact(outer * S2GPT_BURGERS_COEFFICIENTS * sizeof(double));
        double *left = exact(outer * sizeof(double));
        float *field = exact(outer * count * sizeof(float));
        flags |= s2gpt_burgers_coefficients(outer, parameters, solved, left, scratch);
        flags |= s2gpt_burgers_field(outer, count, parameters, points, solved, field, scratch);
        if (memcmp(field, u, outer * count * sizeof(float)) || memcmp(left, residual, outer * sizeof(double))) abort();
        free(solved), free(left), free(field);
    }"""
MODELS = {
    "mlp_f32": lambda: ready(nets.mlp_f32()),
    "mlp_f64": lambda: ready(nets.mlp_f64()),
    "activations": lambda: ready(nets.activations()),
    "odd": odd,
    "s2gpt": sample,
}
WIDE = builds()[-1]
RUNS = [("gcc", WIDE, name) for name in MODELS]
RUNS += [("gcc", "avx2", "odd"), ("gcc", "scalar", "odd"), ("clang", WIDE, "odd"), ("clang", "scalar", "mlp_f64")]
RUNS += [("clang", WIDE, "mlp_f32")]


def sanitized(folder: Path, sources: Sequence[str], compiler: str, isa: str) -> None:
    """Compiles strictly with sanitizers and runs; AssertionError with what either says."""
    needs_compiler(compiler)
    argv = [compiler, *COMMON, *STRICT, *SANITIZED, *ISAS[isa], *INCLUDES, "-D_ISOC11_SOURCE", *sources, "-o", "run"]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[:3000]
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
    ran = subprocess.run(["./run"], cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, f"{ran.returncode}\n{ran.stdout[-1000:]}{ran.stderr[:3000]}"


@needs_cc
@pytest.mark.parametrize(("compiler", "isa", "name"), RUNS)
def test_arrays_of_exact_size_are_never_left(compiler: str, isa: str, name: str, tmp_path: Path) -> None:
    if isa not in builds() and isa not in ("avx2", "scalar"):
        pytest.skip(f"no {isa} here")
    model = MODELS[name]()
    written(tmp_path, model.made)
    (tmp_path / "main.c").write_text(model.program(PARTS if name == "s2gpt" else ""))
    sanitized(tmp_path, [f"{model.name}.c", "main.c"], compiler, isa)


@needs_cc
def test_the_golden_test_is_clean_and_passes(tmp_path: Path) -> None:
    x = nets.weights((16, 3), 9, "float32", 1.0)
    model = ready(nets.mlp_f32(), {"input/x": x, "output/u": nets.mlp_reference(x)})
    written(tmp_path, model.made)
    sanitized(tmp_path, ["mlp_f32.c", "test_golden.c"], "gcc", WIDE)


@needs_cc
def test_a_model_that_reads_past_its_input_would_be_caught(tmp_path: Path) -> None:
    model = ready(nets.mlp_f64())
    made = dict(model.made)
    text = made["mlp_f64.c"].decode()
    assert text.count("rows - 1)") == 1
    made["mlp_f64.c"] = text.replace("(l < rows ? l : rows - 1)", "(l < rows ? l : rows)").encode()
    written(tmp_path, made)
    (tmp_path / "main.c").write_text(model.program())
    with pytest.raises(AssertionError, match="heap-buffer-overflow"):
        sanitized(tmp_path, ["mlp_f64.c", "main.c"], "gcc", WIDE)


PRINTED = """
import hashlib, sys
sys.path.insert(0, {tests!r})
from export.test_c99_memory import MODELS
for name in ("activations", "odd", "s2gpt"):
    for path, data in MODELS[name]().made.items():
        print(name, path, hashlib.sha256(data).hexdigest())
"""


def test_two_processes_write_the_same_bytes() -> None:
    tests = str(Path(__file__).resolve().parents[1])
    script = PRINTED.format(tests=tests)
    said = []
    for seed in ("0", "4711"):
        # other addresses, too: what is ordered by them would differ
        waste = f"kept = [object() for _ in range({int(seed) + 1} * 100)]\n"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        argv = [sys.executable, "-c", waste + script]
        said.append(subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout)
    assert said[0] == said[1]
    assert said[0].count("\n") > 20
