"""Kernels ask nothing of a library and write to nothing of their own; whoever does is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.targets import KINDS, Target, build_objects, require
from support.targets.promises import assert_promises, broken_promises

KERNEL = """
#include "lanes.h"
void each_f32(const float *x, float *out, size_t n);
void each_f64(const double *x, double *out, size_t n);
void each_f32(const float *x, float *out, size_t n) {
    ep_f32 a = ep_load_f32(x), b = ep_load_some_f32(x, n), c = ep_sqrt_f32(ep_fma_f32(a, b, a / b));
    ep_store_some_f32(out, ep_pick_f32(ep_less_f32(a, b), c, a - b), n);
}
void each_f64(const double *x, double *out, size_t n) {
    ep_f64 a = ep_load_f64(x), b = ep_load_some_f64(x, n), c = ep_sqrt_f64(ep_fma_f64(a, b, a / b));
    ep_store_some_f64(out, ep_pick_f64(ep_less_f64(a, b), c, a - b), n);
}
"""
BREAKERS = [
    ("#include <stdlib.h>\nvoid *f(size_t n);\nvoid *f(size_t n) { return malloc(n); }", "malloc, which"),
    ('#include <stdio.h>\nvoid f(int n);\nvoid f(int n) { printf("%d", n); }', "printf, which"),
    ("#include <math.h>\nfloat f(float x);\nfloat f(float x) { return sinf(x); }", "sinf, which"),
    ("#include <math.h>\nfloat f(float x);\nfloat f(float x) { return fmodf(x, 3.0f); }", "fmodf, which"),
    ("int f(void);\nint f(void) { static int calls; return ++calls; }", "calls"),
    ("int count = 3;\n", "count can be written to"),
    ("float buffer[8];\n", "buffer can be written to"),
]


def compiled(text: str, target: Target, folder: Path) -> tuple[Path, ...]:
    """The object of a text."""
    source = folder / "text.c"
    source.write_text(f"{text}\n")
    return build_objects(target, [source], folder)


def test_lanes_keep_the_promises(target: Target, tmp_path: Path) -> None:
    assert_promises(compiled(KERNEL, target, tmp_path), target)


@pytest.mark.parametrize(("text", "name"), BREAKERS, ids=[name.partition(" ")[0].strip(",") for _, name in BREAKERS])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_broken_promise_is_named(kind: Target, text: str, name: str, tmp_path: Path) -> None:
    require(kind)
    objects = compiled(text, kind, tmp_path)
    (said,) = broken_promises(objects, kind)
    assert name in said
    with pytest.raises(AssertionError, match=f"{kind}: "):
        assert_promises(objects, kind)
