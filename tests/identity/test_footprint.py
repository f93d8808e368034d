"""What generated models need of a device: bytes of code, stack; the plan agrees with the objects."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from edgepde_export.c99 import plan as planning
from edgepde_runtime import footprint
from edgepde_runtime.compiler import host_triple
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.plan import Plan
from edgepde_runtime.stack import GCC_FLAGS, worst_stack
from support import models
from support.targets import CORTEX_M7, GCC_X86, HERE, Target, build, build_objects, lines, require, run
from support.targets.programs import Source

SINGLE = next(core for core in CORTEX_M7 if core.name.endswith("-sp-d16"))
# The goal of the target: bytes of code without weights, single precision, -Os.
GOAL = 1536
BOXES = 2 * 3 * 4


def weight_bytes(name: str) -> int:
    """Bytes of the model's initialisers."""
    model = next(model for model in models.MODELS if model.name == name)
    return sum(np.asarray(w).nbytes for w in parse(model.make()[0]).graph.initializers.values())


@pytest.mark.parametrize("extra", [[], ["-ffreestanding"]], ids=["hosted", "freestanding"])
def test_the_code_of_an_mlp_is_small_and_alone(extra: list[str], generated: dict[str, Source], tmp_path: Path) -> None:
    require(SINGLE)
    assert SINGLE.optimise == "-Os"
    source = generated["mlp_f32"]
    objects = build_objects(SINGLE, source.sources[:1], tmp_path, includes=source.includes, extra=extra)
    found = footprint.sizes(objects)
    assert found.code <= GOAL
    assert found.written == 0
    # nothing beside the weights but the box; a number that is all of its array may be in the code
    assert found.constants - weight_bytes("mlp_f32") <= BOXES
    assert footprint.undefined_symbols(objects) == frozenset()


# What `measured` calls on painted stack; the largest model by far is solved once.
MEASURED = """
#define main unused_main
#include "main.c"
void measured(void);
void measured(void) {{
    {call}
}}
"""
CALLS = {
    "mlp_f32": "RUN(MOST, x, u, scratch);",
    "s2gpt_burgers": "RUN(1, POINTS, parameters, points, u, residual, scratch);",
}
NAMES = tuple(CALLS)
PLANNED = {
    "arm-none-eabi": (SINGLE, ("-ffreestanding", "-fno-trapping-math")),
    "x86_64-linux-gnu": (GCC_X86[-1], ("-fPIC", "-ffunction-sections", "-fdata-sections")),
}


@pytest.mark.parametrize("triple", PLANNED)
@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_what_the_objects_need(
    name: str, triple: str, generated: dict[str, Source], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, extra = PLANNED[triple]
    require(kind)
    if kind.native and host_triple() != triple:
        pytest.skip(f"this machine is {host_triple()}")
    monkeypatch.setenv("CC", "gcc")
    source = generated[name]
    plan = planning.make(source.sources[0].parent, Plan("0" * 64, 0, ()), (), lambda line: None)
    (found,) = [target for target in plan.targets if target.triple == triple]
    flags = [*extra, *GCC_FLAGS]
    objects = build_objects(kind, source.sources[:1], tmp_path, includes=source.includes, optimise="-Os", extra=flags)
    sizes = footprint.sizes(objects)
    depth = worst_stack(tmp_path, f"{name}_run", red_zone=planning.RED_ZONE if kind.native else 0)
    assert (found.code_bytes, found.stack_bytes) == (sizes.code, depth.bytes)
    assert plan.weights_bytes >= sizes.constants > 0


@pytest.mark.parametrize("core", CORTEX_M7, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_no_more_stack_is_used_than_reported(
    name: str, core: Target, generated: dict[str, Source], tmp_path: Path
) -> None:
    require(core)
    source = generated[name]
    caller = tmp_path / "measured.c"
    caller.write_text(MEASURED.format(call=CALLS[name]))
    files = [source.sources[0], caller, HERE / "stack_used.c"]
    extra = [*GCC_FLAGS, "-Wno-unused-function"]
    program = build(core, files, tmp_path, includes=source.includes, extra=extra)
    used = int(lines(run(program))["stack"], 16)
    found = worst_stack(tmp_path, "measured")
    assert found.bytes is not None
    assert set(found.outside) <= {"memcpy", "memset", "memmove", *core.helpers}
    assert 50 < used <= found.bytes, (used, found)
