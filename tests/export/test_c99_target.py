"""--target c99, --cc and the limits of RAM and flash, with a generator of our own in place of the real one."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_export import c99 as c99_generator
from edgepde_export import export, native
from edgepde_export.c99 import plan as planning
from edgepde_export.errors import BoundExceeded
from edgepde_export.lowering import plain
from edgepde_runtime import compiler, load, trust
from edgepde_runtime.__main__ import main
from edgepde_runtime.backends.c99 import load_bundle
from edgepde_runtime.box import Box
from edgepde_runtime.bundle import read
from edgepde_runtime.certificate import Certificate
from edgepde_runtime.errors import (
    BackendError,
    BudgetError,
    CompilerError,
    EdgePDEError,
    InputError,
    NotVerified,
    UnsupportedModel,
)
from edgepde_runtime.manifest import Manifest
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.plan import Plan, Target
from hypothesis import given
from hypothesis import strategies as st
from support import c99
from support.kernel_libraries import needs_cc, needs_compiler
from torch import nn

from . import nets

HERE = compiler.host_triple()


def generate(model: bytes, manifest: Manifest, certificate: Certificate, *golden: Any) -> dict[str, bytes]:
    """C for an MLP d -> n -> 1 with tanh; the certificate's box must be the manifest's."""
    given, *_ = golden
    assert given["input/x"].shape[1] == 2
    assert {entry.column for entry in certificate.box} == {c.name for c in manifest.inputs[0].columns}
    weights = {w.shape: np.asarray(w, np.float64) for w in parse(model).graph.initializers.values()}
    first = next(w for shape, w in weights.items() if len(shape) == 2 and 1 not in shape)
    wide = max(first.shape)
    rows = [first if first.shape[1] == wide else first.T, weights[(wide,)]]
    rows += [w for shape, w in weights.items() if len(shape) == 2 and 1 in shape] + [weights[(1,)]]
    texts = [", ".join(f"{float(v)!r}f" for v in w.ravel()) for w in rows]
    x, y = manifest.inputs[0].name, manifest.outputs[0].name
    body = c99.MLP % dict(zip(("W1", "b1", "W2", "b2"), texts, strict=True), wide=wide)
    body = body.replace("x[2 *", f"{x}[2 *").replace("u[m] = y;", f"{y}[m] = sum;").replace("float y", "float sum")
    body = body.replace("            y += ", "            sum += ")
    return c99.sources(manifest.inputs, manifest.outputs, manifest.model_hash, body)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> list[Manifest]:
    """The generator above; the manifests it was given."""
    seen: list[Manifest] = []

    def spy(model: bytes, manifest: Manifest, certificate: Certificate, *golden: Any) -> dict[str, bytes]:
        seen.append(manifest)
        return generate(model, manifest, certificate, *golden)

    monkeypatch.setattr(native, "generate", spy)
    return seen


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any C compiler."""
    (tmp_path / "path").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(compiler, "has_zig", lambda: False)


def made(tmp_path: Path, **options: Any) -> tuple[Path, list[str]]:
    """An exported MLP, and the log."""
    log: list[str] = []
    box = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
    out = export(nets.around(nn.Tanh()), tmp_path / "b", domain=box, targets=["onnx", "c99"], log=log.append, **options)
    return out, log


@needs_cc
def test_the_bundle_has_sources_a_plan_and_a_certificate_that_covers_them(tmp_path: Path, toy: list[Manifest]) -> None:
    out, log = made(tmp_path)
    bundle = read(out)
    names = {n for n in bundle.manifest.files if n.startswith(("c99/", "lib/"))}
    assert names == {"c99/toy.h", "c99/toy.c", "c99/dispatch.c", "c99/plan.json"}
    assert "c99" in bundle.certificate.backends
    assert "the C code's order of sums" in bundle.certificate.outputs["y"].terms["rounding"].how
    assert [m.files.keys() & names for m in toy] == [set()] * len(toy) != []
    assert {m.model_hash for m in toy} == {bundle.manifest.model_hash}
    assert bundle.plan is not None
    assert HERE in {t.triple for t in bundle.plan.targets}
    assert any(line.startswith(HERE) for line in log)
    assert any(re.match(r"c99: compiling the C code for scalar.* with \S", line) for line in log)
    assert f"c99: measuring code and stack for {HERE}" in log
    assert bundle.size < sum(e.bytes for e in bundle.manifest.files.values())


@needs_cc
@pytest.mark.usefixtures("toy")
def test_a_bundle_written_here_runs_its_code_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, _ = made(tmp_path)
    assert trust.known(read(out).id)
    model = load(out)
    assert model.backend == "c99"
    x = np.array([[0.5, 0.25]], np.float32)
    np.testing.assert_allclose(model(x), load(out, "reference")(x), atol=1e-5)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert load(out).backend != "c99"
    with pytest.raises(BackendError, match="--trust"):
        load(out, "c99")


@needs_cc
@pytest.mark.usefixtures("toy")
def test_c_code_beyond_its_proof_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = read(made(tmp_path / "a")[0]).certificate.outputs["y"].sound_total
    assert bound is not None
    assert bound < 1e-5
    monkeypatch.setattr(native, "generate", off_by(b"1e-5f"))
    with pytest.raises(BackendError, match=r"output y: the C code is off by 1\.\d+e-05 .*, beyond the .* stated"):
        made(tmp_path / "b")
    assert not list((tmp_path / "b").glob("**/manifest.json"))


@needs_cc
@pytest.mark.usefixtures("toy")
def test_an_error_of_the_c_code_is_measured_where_nothing_is_proved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(_: object, **__: object) -> None:
        raise UnsupportedModel("no rule")

    monkeypatch.setattr(plain, "from_graph", refuses)
    exact = read(made(tmp_path / "a")[0]).certificate.outputs["y"].terms["rounding"].value
    monkeypatch.setattr(native, "generate", off_by(b"1e-5f"))
    found = read(made(tmp_path / "b")[0]).certificate.outputs["y"].terms["rounding"].value
    assert exact is not None
    assert found is not None
    assert exact < 1e-5
    assert 2e-5 <= found < 4e-5


@needs_cc
@pytest.mark.usefixtures("toy")
def test_c_code_that_computes_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "generate", off_by(b"0.125f"))
    with pytest.raises(BackendError, match=r"backend c99 is off by 0\.12\d* where .*nothing was written"):
        made(tmp_path / "b")
    assert not list((tmp_path / "b").glob("**/manifest.json"))


def off_by(amount: bytes) -> Any:
    """A generator whose outputs are all too large by this."""

    def wrong(model: bytes, manifest: Manifest, certificate: Certificate, *golden: Any) -> dict[str, bytes]:
        files = generate(model, manifest, certificate, *golden)
        return {**files, "toy.c": files["toy.c"].replace(b"y[m] = sum", b"y[m] = sum + " + amount)}

    return wrong


@pytest.mark.usefixtures("toy", "no_compiler")
def test_without_a_compiler_the_export_succeeds_and_says_what_is_missing(tmp_path: Path) -> None:
    out, log = made(tmp_path)
    bundle = read(out)
    assert bundle.certificate.sound_total > 0.0
    assert "c99/toy.c" in bundle.manifest.files
    assert bundle.plan == Plan(
        bundle.manifest.model_hash, 4 * sum(p.numel() for p in nets.around(nn.Tanh()).parameters()), ()
    )
    assert any("not measured: backend c99: no C compiler found" in line for line in log)
    assert load(out).backend in {"ort", "reference"}


@pytest.mark.usefixtures("toy", "no_compiler")
@pytest.mark.parametrize("limit", ["max_ram_kb", "max_flash_kb"])
def test_a_limit_without_a_compiler_is_not_verified(tmp_path: Path, limit: str) -> None:
    with pytest.raises(NotVerified, match=f"--{limit.replace('_', '-')}: there is no C compiler here"):
        made(tmp_path, **{limit: 1000})
    assert not (tmp_path / "b").exists()


@pytest.mark.usefixtures("toy", "no_compiler")
def test_cc_without_a_compiler_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(CompilerError, match="no C compiler for aarch64-linux-gnu"):
        made(tmp_path, cc=["aarch64-linux-gnu"])
    assert not (tmp_path / "b").exists()


@needs_cc
@pytest.mark.usefixtures("toy")
def test_limits_are_held_and_name_the_target(tmp_path: Path) -> None:
    plan = read(made(tmp_path)[0]).plan
    assert plan is not None
    ram, flash = plan.most_ram(), plan.most_flash()
    assert ram is not None
    assert flash is not None
    before = read(tmp_path / "b").id
    for name, (size, target) in {"max_ram_kb": ram, "max_flash_kb": flash}.items():
        with pytest.raises(BoundExceeded, match=rf"^{target.triple}: .* KB are above --{name.replace('_', '-')}"):
            made(tmp_path, **{name: (size - 1) / 1024})
        assert read(tmp_path / "b").id == before
        made(tmp_path, **{name: size / 1024})


def test_limits_hold_for_the_triples_that_were_asked_for() -> None:
    small, large = Target("a-b", "cc 1", (), 64, 32, 500), Target("c-d", "cc 2", (), 9000, 2, 9000)
    plan = Plan("0" * 64, 100, (replace(small, asked=True), large))
    planning.enforce(plan, 1, 1, ["a-b"])
    with pytest.raises(BoundExceeded, match=r"^c-d: scratch and stack"):
        planning.enforce(Plan("0" * 64, 100, (small, large)), 1, None)
    with pytest.raises(BoundExceeded, match=r"^a-b: weights and code"):
        planning.enforce(plan, None, 0.1, ["a-b"])
    with pytest.raises(NotVerified, match="--max-ram-kb: e-f could not be measured"):
        planning.enforce(plan, 100, None, ["a-b", "e-f"])


@needs_cc
@pytest.mark.usefixtures("toy")
def test_cortex_m7_is_planned_where_its_compiler_is(tmp_path: Path) -> None:
    needs_compiler("arm-none-eabi-gcc")
    plan = read(made(tmp_path)[0]).plan
    assert plan is not None
    (m7,) = [t for t in plan.targets if t.triple == "arm-none-eabi"]
    assert "-mcpu=cortex-m7" in m7.flags
    assert (m7.scratch_bytes, 0 < m7.code_bytes < 4096, 0 < m7.stack_bytes < 4096) == (192, True, True)
    assert plan.weights_bytes >= 4 * sum(p.numel() for p in nets.around(nn.Tanh()).parameters())


@needs_cc
@pytest.mark.usefixtures("toy")
def test_cc_puts_libraries_into_the_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    triples = [HERE]
    if shutil.which("arm-none-eabi-gcc") is not None:
        triples.append("thumbv7em-none-eabihf")
    out, log = made(tmp_path, cc=triples)
    bundle = read(out)
    assert f"lib/{HERE}/libtoy.so" in bundle.manifest.files
    assert [t.triple for t in bundle.plan.targets][: len(triples)] == triples if bundle.plan else False
    assert {t.triple for t in bundle.plan.targets if t.asked} == set(triples) if bundle.plan else False
    assert any(line.startswith(f"c99: lib/{HERE}/libtoy.so: ") for line in log)
    if len(triples) > 1:
        assert bundle.content("lib/thumbv7em-none-eabihf/libtoy.a").startswith(b"!<arch>")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert load(out).backend == "c99"


@needs_cc
def test_code_that_does_not_compile_stops_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "generate", lambda *_: {"toy.h": b"", "toy.c": b"int x = ;\n", "dispatch.c": b""})
    with pytest.raises(CompilerError, match=r"c99/ does not compile: .*toy\.c:1:\d+: error"):
        made(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_node_without_c_stops_the_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> dict[str, bytes]:
        raise UnsupportedModel("node n1 (Conv): no C for it")

    monkeypatch.setattr(native, "generate", refuses)
    with pytest.raises(UnsupportedModel, match=r"node n1 \(Conv\)"):
        made(tmp_path)
    assert list(tmp_path.iterdir()) == []


@needs_cc
def test_a_stack_without_a_bound_is_no_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def indirect(model: bytes, manifest: Manifest, certificate: Certificate, *golden: Any) -> dict[str, bytes]:
        files = generate(model, manifest, certificate, *golden)
        text = b"    int (*volatile leap)(size_t, const float *, int *) = EDGEPDE_NAME(toy_check);\n"
        text += b"    return all | leap(M, x, NULL);\n}\n"
        return {**files, "toy.c": files["toy.c"].rpartition(b"    return all;")[0] + text}

    monkeypatch.setattr(native, "generate", indirect)
    with pytest.raises(NotVerified, match="--max-ram-kb"):
        made(tmp_path, max_ram_kb=1000)
    _, log = made(tmp_path)
    assert any(f"c99: no bound for the stack on {HERE}" in line for line in log)


@pytest.mark.parametrize(
    ("targets", "options", "error", "message"),
    [
        (["tflite"], {}, InputError, "--target expected onnx, c99, got 'tflite'"),
        (["onnx"], {"cc": ["aarch64-linux-gnu"]}, InputError, "--cc is about the C99 code: add --target c99"),
        (["onnx"], {"max_ram_kb": 1}, InputError, "--max-ram-kb is about the C99 code"),
        (["c99"], {"cc": [HERE, HERE]}, InputError, "--cc: expected each triple once"),
        (["c99"], {"cc": ["-oevil"]}, InputError, "--cc: expected a triple"),
        (["c99"], {"max_flash_kb": "much"}, BudgetError, "--max-flash-kb: expected a number above 0, got 'much'"),
        (["c99"], {"max_ram_kb": -1}, BudgetError, "--max-ram-kb: expected a number above 0"),
    ],
)
def test_options_are_refused_before_any_work(
    tmp_path: Path, targets: list[str], options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        export("nowhere", tmp_path / "b", targets=targets, **options)


@needs_cc
def test_a_compiler_that_refuses_its_triple_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "foo-bar-baz-gcc").write_text("#!/bin/sh\necho 'error: unknown target' >&2\nexit 1\n")
    (tmp_path / "foo-bar-baz-gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(compiler, "has_zig", lambda: False)
    with pytest.raises(CompilerError, match=r"^--cc foo-bar-baz: foo-bar-baz-gcc: error: unknown target$"):
        export("nowhere", tmp_path / "b", targets="c99", cc="foo-bar-baz")


def test_one_target_is_a_tuple_of_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--cc is about the C99 code"):
        export("nowhere", tmp_path / "b", targets="onnx", cc="aarch64-linux-gnu")
    with pytest.raises(InputError, match="--target expected onnx, c99, got 'c9'"):
        export("nowhere", tmp_path / "b", targets="c9")


@pytest.mark.parametrize("end", ["", native.ELSEWHERE])
def test_what_has_no_c_is_told_once_where_it_runs(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> dict[str, bytes]:
        raise UnsupportedModel(f"node n1: rows would not stay apart{end}")

    monkeypatch.setattr(c99_generator, "generate", refuses)
    manifest = Manifest(1, "toy", "0" * 64, {}, {}, (), ())
    with pytest.raises(UnsupportedModel, match=r"^node n1: rows would not stay apart; --target onnx runs it$"):
        native.generate(b"", manifest, native._unmeasured(manifest), {})


def told(call: Any) -> tuple[object, ...]:
    """Flags, or the kind and words of the refusal."""
    try:
        return ("flags", call())
    except EdgePDEError as error:
        return (type(error), str(error))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose C is the real generator's."""
    return made(tmp_path_factory.mktemp("generated"))[0]


@needs_cc
class TestGenerated:
    """The real generator's code behind the same interfaces."""

    number = st.one_of(st.sampled_from([np.nan, np.inf, -np.inf, 1.0, -1.0, 0.0, 1e30]), st.floats(-1.1, 1.1))

    @given(st.lists(number, min_size=2, max_size=80), st.booleans())
    def test_bind_is_that_of_the_reference(self, generated: Path, values: list[float], flag: bool) -> None:
        x = np.array(values[: len(values) // 2 * 2], np.float64).astype(np.float32).reshape(-1, 2)
        policy = "flag" if flag else "raise"
        with np.errstate(all="ignore"):
            ours, theirs = (load(generated, b, out_of_box=policy).bind(x) for b in ("c99", "reference"))
            for bound in (ours, theirs):
                bound.outputs["y"][...] = 7.0
            assert told(ours) == told(theirs)
        np.testing.assert_allclose(ours.outputs["y"], theirs.outputs["y"], rtol=1e-5, atol=1e-5)

    def test_every_instruction_set_gives_the_same_bits(self, generated: Path) -> None:
        model = load(generated, "c99")
        backend = load_bundle(read(generated))
        x = Box([-1, 0], [1, 1]).sample(1000, np.random.default_rng(0)).astype(np.float32)
        seen = {isa: model(x).tobytes() for isa in ("scalar", "avx2", "avx512", "neon") if backend.use(isa)}
        assert seen
        assert len(set(seen.values())) == 1

    def test_verify_passes_on_it(self, generated: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            main(["verify", str(generated), "--seconds", "0.02", "--max-flash-kb", "100", "--max-ram-kb", "100"]) == 4
        )
        said = capsys.readouterr().out
        assert "golden y on c99" in said
        assert "FAIL" not in said
        assert "1 not verified" in said


def test_the_table_names_every_target() -> None:
    plan = Plan("0" * 64, 100, (Target("a-b", "cc 1", (), 64, 32, 500), Target("c-d", "cc 2", (), 1, 2, 3)))
    lines = planning.table(plan).splitlines()
    assert lines[2].split() == ["a-b", "100", "500", "600", "64", "32", "96", "cc", "1"]
    assert lines[3].split()[:7] == ["c-d", "100", "3", "103", "1", "2", "3"]
    assert planning.table(Plan("0" * 64, 0, ())) == ""
