"""Generated models print the committed hashes on every target and keep their promises; mistakes in kernels show."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support import models
from support.targets import (
    CLANG_NEON,
    CORTEX_M55,
    GCC_X86,
    BuildFailed,
    Program,
    Target,
    build,
    differing,
    lines,
    require,
    run,
)
from support.targets.programs import Source
from support.targets.promises import assert_promises

Builder = Callable[[Source, Target], Program]
NAMES = tuple(model.name for model in models.MODELS)
LANE = next(target for target in GCC_X86 if target.name.endswith("lane"))
WITH_LANES = tuple(target for target in GCC_X86 if not target.name.endswith("scalar"))


def golden(source: Source) -> dict[str, str]:
    """The lines a program has to print."""
    return lines(source.golden.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMES)
def test_every_target_prints_the_committed_hashes(
    target: Target, name: str, generated: dict[str, Source], built: Builder
) -> None:
    source = generated[name]
    assert differing(lines(run(built(source, target))), golden(source)) == []


@pytest.mark.parametrize("name", ["mlp_f32", "activations"])
@pytest.mark.parametrize("kind", [CLANG_NEON, CORTEX_M55], ids=str)
def test_denormals_are_kept_where_a_vector_unit_has_none(
    kind: Target, name: str, generated: dict[str, Source], tmp_path: Path
) -> None:
    require(kind)
    source = generated[name]
    program = build(kind, source.sources, tmp_path, includes=source.includes, optimise="-O3")
    assert differing(lines(run(program)), golden(source)) == []


@pytest.mark.parametrize("kind", [CLANG_NEON, CORTEX_M55], ids=str)
def test_the_vector_unit_would_flush_them(kind: Target, generated: dict[str, Source], tmp_path: Path) -> None:
    require(kind)
    source = mutated(generated["activations"], tmp_path, "vector units that flush")
    program = build(kind, source.sources, tmp_path, includes=source.includes, optimise="-O3")
    assert {"alone_05", "together_05"} <= set(differing(lines(run(program)), golden(source)))


@pytest.mark.parametrize(("name", "bits"), [("mlp_f16w", 16), ("mlp_i8w", 8)])
@pytest.mark.parametrize("kind", [WITH_LANES[0], LANE], ids=str)
def test_stored_weights_have_the_bits_of_the_numbers_they_mean(
    kind: Target, name: str, bits: int, generated: dict[str, Source], tmp_path: Path
) -> None:
    require(kind)
    model = models.Model(name, lambda: models.nets.stored(name, bits, plain=True))
    (plain,) = models.sources(tmp_path, [model])
    assert "stored.h" not in {path.name for path in (plain.sources[0].parent / "kernels").iterdir()}
    assert "stored.h" in {path.name for path in (generated[name].sources[0].parent / "kernels").iterdir()}
    program = build(kind, plain.sources, tmp_path / "built", includes=plain.includes)
    assert differing(lines(run(program)), golden(generated[name])) == []


@pytest.mark.parametrize("name", NAMES)
def test_rows_have_the_same_bits_alone_and_together(name: str, generated: dict[str, Source]) -> None:
    hashes = golden(generated[name])
    pairs = [(key, key.replace("together", other)) for other in ("alone", "field_alone") for key in hashes]
    compared = [(a, b) for a, b in pairs if a != b and b in hashes]
    assert compared
    assert [pair for pair in compared if hashes[pair[0]] != hashes[pair[1]]] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_model_keeps_the_promises(
    target: Target, name: str, generated: dict[str, Source], built: Builder
) -> None:
    assert_promises(built(generated[name], target).objects[:1], target)


@pytest.mark.parametrize("name", [model.name for model in models.MODELS if model.large])
def test_the_level_of_optimisation_changes_nothing(name: str, generated: dict[str, Source], tmp_path: Path) -> None:
    source, kind = generated[name], WITH_LANES[1]
    require(kind)
    assert models.level(source.name, kind.optimise) != "-O3"
    program = build(kind, source.sources, tmp_path, includes=source.includes, optimise="-O3")
    assert differing(lines(run(program)), golden(source)) == []


SWAPPED = "((k) < 2 ? 1 - (k) : (k))"
MISTAKES: dict[str, tuple[str, str | Callable[[re.Match[str]], str]]] = {
    "the first two summands swapped": (
        r"\bk \* (wk|EP_TILE)\b|\bx\[k\]",
        lambda found: f"{SWAPPED} * {found[1]}" if found[1] else f"x[{SWAPPED}]",
    ),
    "products and sums rounded apart": (
        r"__builtin_fmaf\(a, b, c\)|\(ep_f32\)_mm\d+_fmadd_ps\([^;]*(?=;)",
        "a * b + c",
    ),
    "chains of 8": (r"(#define EP_CHUNK) 16\b", r"\1 8"),
    "vector units that flush": (r"#pragma (clang attribute|GCC) p.*|#pragma GCC optimize.*", ""),
    "the last bit of a coefficient of tanh": (r"0x1\.5554aap-1f", "0x1.5554acp-1f"),
}
IN_STORED = {
    "no scale": ("mlp_i8w", r"\(EP_\(load_byte\)\(p\) \* \(s\)\)", "EP_(load_byte)(p)"),
    "the scale of the first outputs for all": ("mlp_i8w", r"\bscale( \+ |\[)(o|from)\b", r"scale\g<1>0"),
    "small halves like others": ("mlp_f16w", r"ep_pick_f32\(below, small, usual\)", "usual"),
    "halves that end a bit early": ("mlp_f16w", r"bits & ep_set_u32\(0x7fffu\)", "bits & ep_set_u32(0x7ffeu)"),
}


def mutated(source: Source, folder: Path, mistake: str) -> Source:
    """The model with its kernels changed; fails where nothing is left to change."""
    pattern, text = MISTAKES[mistake] if mistake in MISTAKES else IN_STORED[mistake][1:]
    place = source.sources[0].parent
    copy = folder / "mutated"
    shutil.copytree(place, copy)
    count = 0
    for path in sorted((copy / "kernels").glob("*.h")):
        changed, found = re.subn(pattern, text, path.read_text("utf-8"))
        path.write_text(changed, encoding="utf-8")
        count += found
    assert count > 0, f"no kernel has {pattern}: the mistake has to follow the kernels"
    includes = tuple(copy if given == place else given for given in source.includes or ())
    return replace(source, sources=tuple(copy / path.name for path in source.sources), includes=includes)


@pytest.mark.parametrize("mistake", [mistake for mistake in MISTAKES if "vector" not in mistake])
@pytest.mark.parametrize("kind", WITH_LANES, ids=str)
def test_a_mistake_in_a_kernel_changes_the_hashes(
    kind: Target, mistake: str, generated: dict[str, Source], tmp_path: Path
) -> None:
    require(kind)
    source = mutated(generated["mlp_f32"], tmp_path, mistake)
    program = build(kind, source.sources, tmp_path, includes=source.includes, optimise="-O1")
    seen = set(differing(lines(run(program)), golden(source)))
    assert {"alone_37", "together_37"} <= seen
    assert not {name for name in seen if name.startswith("flags") or name == "refused"}


@pytest.mark.parametrize("mistake", IN_STORED)
@pytest.mark.parametrize("kind", [WITH_LANES[1], LANE], ids=str)
def test_a_mistake_in_reading_stored_weights_changes_the_hashes(
    kind: Target, mistake: str, generated: dict[str, Source], tmp_path: Path
) -> None:
    require(kind)
    source = generated[IN_STORED[mistake][0]]
    wrong = mutated(source, tmp_path, mistake)
    program = build(kind, wrong.sources, tmp_path, includes=wrong.includes, optimise="-O1", extra=["-Wno-unused"])
    seen = set(differing(lines(run(program)), golden(source)))
    assert {"alone_37", "together_37"} <= seen
    assert not {name for name in seen if name.startswith("flags") or name == "refused"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *((name, kind) for name in ("mlp_f32", "mlp_f16w", "mlp_i8w", "activations") for kind in WITH_LANES),
        ("s2gpt_burgers", WITH_LANES[0]),
    ],
    ids=str,
)
def test_generated_code_stays_in_its_memory_and_is_defined(
    name: str, kind: Target, generated: dict[str, Source], tmp_path: Path
) -> None:
    require(kind)
    source = generated[name]
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    program = build(kind, source.sources, tmp_path, includes=source.includes, optimise="-O1", extra=flags)
    assert differing(lines(run(program)), golden(source)) == []


@pytest.mark.parametrize("name", NAMES)
def test_fast_arithmetic_is_refused(name: str, generated: dict[str, Source], tmp_path: Path) -> None:
    require(LANE)
    source = generated[name]
    with pytest.raises(BuildFailed, match="need IEEE-754 arithmetic"):
        build(LANE, source.sources, tmp_path, includes=source.includes, extra=["-ffast-math"])
    with pytest.raises(BuildFailed, match="need sums in their own order"):
        build(LANE, source.sources, tmp_path, includes=source.includes, defines=["__ASSOCIATIVE_MATH__=1"])
