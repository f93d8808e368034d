"""Bundles with a small hand-written c99/ folder that keeps the contract of docs/bundle.md."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from edgepde_runtime.boxcheck import limits
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.manifest import InputSpec, Manifest, OutputSpec
from support import bundles, onnx_writer

BACKENDS = ("c99", "ort", "reference")
C_TYPES = {"float32": "float", "float64": "double"}
SCRATCH = 192

HEADER = """#ifndef TOY_H
#define TOY_H
#include <stddef.h>
#define EDGEPDE_PASTE_(a, b) a##_##b
#define EDGEPDE_PASTE(a, b) EDGEPDE_PASTE_(a, b)
#ifdef EDGEPDE_ISA
#define EDGEPDE_NAME(x) EDGEPDE_PASTE(x, EDGEPDE_ISA)
#else
#define EDGEPDE_NAME(x) x
#endif
#define TOY_SCRATCH_BYTES 192
int EDGEPDE_NAME(toy_run)(%(sizes)s, %(inputs)s, %(outputs)s, void *scratch);
int EDGEPDE_NAME(toy_check)(%(sizes)s, %(inputs)s, %(flags)s);
#endif
"""

SOURCE = """#include "toy.h"
#include <math.h>
#include <stdint.h>
%(boxes)s
int EDGEPDE_NAME(toy_check)(%(sizes)s, %(inputs)s, %(flags)s) {
    int all = 0;
    if (%(bad_size)s) return -1;
%(finite)s
%(check)s
    return all;
}
int EDGEPDE_NAME(toy_run)(%(sizes)s, %(inputs)s, %(outputs)s, void *scratch) {
    int all = EDGEPDE_NAME(toy_check)(%(names)s%(nulls)s);
    if (all < 0) return all;
    if ((uintptr_t)scratch %% 64) return -64;
    for (size_t i = 0; i < TOY_SCRATCH_BYTES; ++i) ((unsigned char *)scratch)[i] = 255;
%(body)s
    return all;
}
"""

DISPATCH = """#include <stddef.h>
#include <string.h>
struct edgepde_call {
    const size_t *sizes; const void *const *inputs; void *const *outputs; void *scratch; int refuse_out_of_box;
};
#define DECLARE(isa) int toy_run##isa(%(sizes)s, %(inputs)s, %(outputs)s, void *scratch); \\
    int toy_check##isa(%(sizes)s, %(inputs)s, %(flags)s);
#ifdef EDGEPDE_DISPATCH_X86
DECLARE(_scalar) DECLARE(_avx2) DECLARE(_avx512)
static int isa = -1;
static int best(void) {
    if (isa >= 0) return isa;
    isa = 0;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) isa = 1;
    if (isa && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) isa = 2;
    return isa;
}
#define PICK(f) (best() == 2 ? f##_avx512 : best() == 1 ? f##_avx2 : f##_scalar)
#else
DECLARE()
static int isa = 0;
static int best(void) { return isa; }
#define PICK(f) f
#endif
const char *edgepde_model_hash(void) { return "%(hash)s"; }
const char *edgepde_model_isa(void) { return best() == 2 ? "avx512" : best() == 1 ? "avx2" : "scalar"; }
size_t edgepde_model_scratch_bytes(void) { return %(scratch)d; }
int edgepde_model_use(const char *name) {
    int most, wanted = strcmp(name, "avx512") == 0 ? 2 : strcmp(name, "avx2") == 0 ? 1 : strcmp(name, "scalar") ? 3 : 0;
    isa = -1;
    most = best();
    if (wanted > most) return -1;
    isa = wanted;
    return 0;
}
int edgepde_model_check(const size_t *sizes, const void *const *inputs, int *const *flags) {
    return PICK(toy_check)(%(passed)s, %(flag_arguments)s);
}
int edgepde_model_call(const struct edgepde_call *call) {
    const size_t *sizes = call->sizes;
    const void *const *inputs = call->inputs;
    if (call->refuse_out_of_box) {
        int flags = PICK(toy_check)(%(passed)s%(nulls)s);
        if (flags) return flags < 0 ? flags : -3;
    }
    return PICK(toy_run)(%(passed)s, %(output_arguments)s, call->scratch);
}
"""


def sources(
    inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec], model_hash: str, body: str, scratch: int = SCRATCH
) -> dict[str, bytes]:
    """toy.h, toy.c and dispatch.c of a model whose `body` computes; body may use every name and `all |= flag`."""
    symbols = list(dict.fromkeys(spec.shape[0] for spec in inputs))
    facts: dict[str, Any] = {"hash": model_hash, "scratch": scratch, "body": body}
    facts["sizes"] = ", ".join(f"size_t {s}" for s in symbols)
    facts["inputs"] = ", ".join(f"const {C_TYPES[s.dtype]} *{s.name}" for s in inputs)
    facts["outputs"] = ", ".join(f"{C_TYPES[s.dtype]} *{s.name}" for s in outputs)
    facts["flags"] = ", ".join(f"int *{s.name}_flags" for s in inputs)
    facts["names"] = ", ".join([*symbols, *(s.name for s in inputs)])
    facts["nulls"] = ", NULL" * len(inputs)
    facts["bad_size"] = " || ".join(f"{s} < 1 || {s} > 1048576" for s in symbols)
    facts["boxes"] = "\n".join(_box(spec) for spec in inputs)
    facts["finite"] = "\n".join(
        f"    for (size_t i = 0; i < {s.shape[0]} * {s.shape[1]}; ++i) if (!isfinite({s.name}[i])) return -2;"
        for s in inputs
    )
    facts["check"] = "\n".join(_check(spec) for spec in inputs)
    sized = [f"sizes[{i}]" for i in range(len(symbols))]
    facts["passed"] = ", ".join([*sized, *(f"inputs[{i}]" for i in range(len(inputs)))])
    facts["flag_arguments"] = ", ".join(f"flags[{i}]" for i in range(len(inputs)))
    facts["output_arguments"] = ", ".join(f"call->outputs[{i}]" for i in range(len(outputs)))
    texts = {"toy.h": HEADER, "toy.c": SOURCE, "dispatch.c": DISPATCH}
    return {name: (text % facts).encode() for name, text in texts.items()}


def _box(spec: InputSpec) -> str:
    low, high = limits(spec)
    values = ", ".join(f"{{{float(a).hex()}, {float(b).hex()}}}" for a, b in zip(low, high, strict=True))
    return f"static const double {spec.name}_box[{spec.shape[1]}][2] = {{{values}}};"


def _check(spec: InputSpec) -> str:
    name, (rows, width) = spec.name, spec.shape
    return f"""    for (size_t r = 0; r < {rows}; ++r) {{
        int row = 0;
        for (size_t j = 0; j < {width}; ++j) {{
            double v = {name}[r * {width} + j];
            if (!(v >= {name}_box[j][0] && v <= {name}_box[j][1])) row = 1;
        }}
        if ({name}_flags) {name}_flags[r] = row;
        all |= row;
    }}"""


SOLVER = """    for (size_t b = 0; b < B; ++b) {
        int fails = parameters[b] > %(fails_above)s;
        residual[b] = fails ? INFINITY : parameters[b] * 0.01;
        if (!fails && fabs(residual[b]) > %(threshold)s) all |= 4;
        for (size_t m = 0; m < M; ++m) {
            u[b * M + m] = (float)parameters[b] * (points[2 * m] + points[2 * m + 1]);
            fails |= !isfinite(u[b * M + m]);
        }
        for (size_t m = 0; fails && m < M; ++m) u[b * M + m] = NAN;
        if (fails) all |= 2;
    }"""

POLE = """    for (size_t m = 0; m < M; ++m) {
        u[m] = 1.0f / x[m];
        if (!isfinite(u[m])) { u[m] = NAN; all |= 2; }
    }"""

RATIO = """    for (size_t m = 0; m < M; ++m) {
        u[m] = sinf(x[m]) / x[m];
        if (!isfinite(u[m])) { u[m] = NAN; all |= 2; }
    }"""

MLP = """    static const float W1[] = {%(W1)s}, b1[] = {%(b1)s}, W2[] = {%(W2)s}, b2[] = {%(b2)s};
    for (size_t m = 0; m < M; ++m) {
        float y = b2[0];
        for (size_t k = 0; k < %(wide)d; ++k)
            y += W2[k] * tanhf(b1[k] + x[2 * m] * W1[k] + x[2 * m + 1] * W1[%(wide)d + k]);
        u[m] = y;
    }"""


def mlp_body(seed: int = 0) -> str:
    """The MLP of `onnx_writer.mlp_model`; tanhf is the C library's."""
    weights = onnx_writer.mlp_weights(seed=seed)
    texts = {name: ", ".join(f"{float(v)!r}f" for v in w.ravel()) for name, w in weights.items()}
    return MLP % {**texts, "wide": weights["b1"].size}


def add(bundle: Path, body: str, *, scratch: int = SCRATCH, backends: Sequence[str] = BACKENDS) -> Path:
    """Puts c99/ into a bundle that is already written and the backends into its certificate."""
    manifest = Manifest.from_json((bundle / "manifest.json").read_text())
    for name, data in sources(manifest.inputs, manifest.outputs, manifest.model_hash, body, scratch).items():
        put(bundle, f"c99/{name}", data)
    bundles.edit_json(bundle, "certificate.json", lambda c: c.__setitem__("backends", sorted(backends)))
    return bundle


def put(bundle: Path, name: str, data: bytes) -> None:
    """Adds or replaces a listed file."""
    path = bundle / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    bundles.edit(bundle, name, lambda _: data)


def solver_bundle(root: Path, *, threshold: float = 0.006, fails_above: float = 0.9, **options: Any) -> Path:
    """`bundles.residual_bundle` with c99/."""
    made = bundles.residual_bundle(root, threshold=threshold, fails_above=fails_above)
    return add(made, SOLVER % {"threshold": repr(threshold), "fails_above": repr(fails_above)}, **options)


def mlp_bundle(root: Path, *, seed: int = 0, **options: Any) -> Path:
    """`bundles.mlp_bundle` with c99/."""
    return add(bundles.mlp_bundle(root, seed=seed), mlp_body(seed), **options)


def ratio_bundle(root: Path, **options: Any) -> Path:
    """`bundles.ratio_bundle` with c99/; sinf is the C library's."""
    return add(bundles.ratio_bundle(root, **options), RATIO)


def pole_bundle(root: Path) -> Path:
    """u = 1 / x, float32 [M, 1], infinite at x = 0, which lies in the box; with c99/."""
    w = onnx_writer
    values = w.value_info("x", "float32", ["M", 1]), w.value_info("u", "float32", ["M", 1])
    graph = w.graph([w.node("Reciprocal", ["x"], ["u"])], [values[0]], [values[1]], {})
    x = np.array([[0.5], [0.25]], np.float32)
    made = bundles.write(
        root,
        w.model(graph),
        inputs=(InputSpec("x", "float32", ("M", 1), bundles.X_T[:1]),),
        outputs=(OutputSpec("u", "float32", ("M", 1), "m/s"),),
        golden={"input/x": x, "output/u": 1.0 / x.astype(np.float64)},
        entries=[OutputCertificate.from_terms("u", "m/s", bundles.terms())],
    )
    return add(made, POLE)


def plan(bundle: Path, targets: Sequence[dict[str, object]], **members: object) -> Path:
    """Puts c99/plan.json into a bundle; `members` replace its own."""
    model_hash = json.loads((bundle / "manifest.json").read_text())["model_hash"]
    document = {"schema_version": 1, "model_hash": model_hash, "weights_bytes": 512, "targets": list(targets)}
    put(bundle, "c99/plan.json", json.dumps({**document, **members}).encode())
    return bundle


def target(triple: str = "x86_64-linux-gnu", **members: object) -> dict[str, object]:
    """One target of a plan; `members` replace its own."""
    own: dict[str, object] = {"triple": triple, "compiler": "gcc 12.2", "flags": ["-O3"]}
    return {**own, "scratch_bytes": 192, "stack_bytes": 832, "code_bytes": 1536, "asked": False, **members}


def model_hash_in(data: bytes) -> str:
    """The model hash a dispatch.c states."""
    found = re.search(rb'"([0-9a-f]{64})"', data)
    assert found is not None
    return found[1].decode()
