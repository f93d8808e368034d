"""Flag 4, pointwise and for whole fields, by call, plain call, binding, run and in C: the same rows everywhere."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from edgepde_export.bundle import UNHASHED, BundleContent, write
from edgepde_export.c99.driver import threshold
from edgepde_export.native import Native
from edgepde_runtime import load
from edgepde_runtime.__main__ import main
from edgepde_runtime.bundle import read
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.manifest import Column, InputSpec, OutputSpec
from edgepde_runtime.model import ResidualWarning
from edgepde_runtime.monitor import Monitor
from hypothesis import given
from hypothesis import strategies as st
from support import bundles
from support import onnx_writer as w
from support.kernel_libraries import needs_cc

BOX = (Column("a", "m", 0.0, 1.0), Column("b", "m", 0.0, 1.0))
SHAPES: dict[str, tuple[int, ...]] = {"pointwise": (), "field": (4, 3)}
# float32(0.1) is above 0.1 and float32(0.7) below 0.7.
NAMES = [("pointwise", 0.1), ("field", 0.7)]


def model(shape: tuple[int, ...]) -> tuple[bytes, tuple[OutputSpec, ...]]:
    """u = a in every cell; residual = |b|, or of fields the sum of one that is b in a single cell."""
    cells = int(np.prod(shape))
    u, residual = ("B", *shape), ("B",)
    nodes = [w.node("Slice", ["x", "zero", "one", "one"], ["a"]), w.node("Slice", ["x", "one", "two", "one"], ["b"])]
    if shape:
        nodes += [
            w.node("MatMul", ["a", "ones"], ["flat"]),
            w.node("Reshape", ["flat", "shape"], ["u"]),
            w.node("MatMul", ["b", "spot"], ["r"]),
            w.node("ReduceSum", ["r", "one"], ["residual"], {"keepdims": 0}),
        ]
    else:
        nodes += [
            w.node("Squeeze", ["a", "one"], ["u"]),
            w.node("Squeeze", ["b", "one"], ["bare"]),
            w.node("Abs", ["bare"], ["residual"]),
        ]
    constants: dict[str, Any] = {"zero": np.array([0]), "one": np.array([1]), "two": np.array([2])}
    if shape:
        constants |= {"ones": np.ones((1, cells), np.float32), "shape": np.array([-1, *shape])}
        constants["spot"] = np.eye(1, cells, dtype=np.float32)
    outputs = [w.value_info("u", "float32", u), w.value_info("residual", "float32", residual)]
    data = w.model(w.graph(nodes, [w.value_info("x", "float32", ["B", 2])], outputs, constants))
    return data, (OutputSpec("u", "float32", u, "m"), OutputSpec("residual", "float32", residual, "m/s", True))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, float], Path]:
    """Bundles with C code and a monitor."""
    root, found = tmp_path_factory.mktemp("flag4"), {}
    for kind, limit in NAMES:
        data, (u, residual) = model(SHAPES[kind])
        inputs = (InputSpec("x", "float32", ("B", 2), BOX),)
        x = np.array([[0.5, 0.05], [0.25, 0.01]], np.float32)
        shape = (2, *SHAPES[kind])
        content = BundleContent(
            name=f"{kind}{str(limit)[2:]}",
            model=onnx.load_model_from_string(data),
            inputs=inputs,
            outputs=(u, OutputSpec("residual", "float32", ("B",), "m/s", True, limit)),
            certificate=bundles.certificate(
                inputs, UNHASHED, [OutputCertificate.from_terms("u", "m", bundles.terms())], ("c99", "ort", "reference")
            ),
            golden={
                "input/x": x,
                "output/u": np.broadcast_to(x[:, 0].reshape(2, *(1 for _ in SHAPES[kind])), shape).copy(),
                "output/residual": x[:, 1],
            },
            native=Native(log=lambda _: None),
            monitor=Monitor("residual", 0.01, 99, 0, 5, "uniform in the box", (0.5,), (0.05,)),
        )
        assert residual.threshold is None
        found[kind, limit] = write(root / content.name, content)
    return found


def rows_at(limit: float) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Inputs whose residual is around the threshold, and which rows are above it, decided in float64."""
    at = np.float32(limit)
    below, above = np.nextafter(at, np.float32(0)), np.nextafter(at, np.float32(1))
    b = np.array([0.0, below, at, above, 0.999, below], np.float32)
    return np.stack([np.full_like(b, 0.5), b], axis=1), b.astype(np.float64) > limit


@needs_cc
@pytest.mark.parametrize("backend", ["reference", "ort", "c99"])
@pytest.mark.parametrize(("kind", "limit"), NAMES)
def test_the_same_rows_have_flag_4_however_they_are_asked_for(
    made: dict[tuple[str, float], Path], kind: str, limit: float, backend: str, tmp_path: Path
) -> None:
    bundle = made[kind, limit]
    x, above = rows_at(limit)
    asked = load(bundle, backend, trust=True)
    for row, flagged in zip(x[:, None, :], above, strict=True):
        wanted = 4 if flagged else 0
        result = asked.call(row)
        assert result.flags == wanted
        assert (result.error_bound["u"]["value"] is None) == flagged
        assert np.isfinite(result.outputs["u"]).all()
        own = np.ascontiguousarray(row)
        assert asked.bind(own)() == wanted
    with pytest.warns(ResidualWarning, match="residual above its threshold for B row"):
        asked(x)
    assert asked.call(x[:2]).flags == (4 if above[:2].any() else 0)
    np.savez(tmp_path / "in.npz", x=x)
    given = [str(bundle), "--input", str(tmp_path / "in.npz"), "--output", str(tmp_path / "out.npz")]
    assert main(["run", *given, "--backend", backend, "--trust"]) == 0
    written = np.load(io.BytesIO((tmp_path / "out.npz").read_bytes()))
    assert ((written["flags/x"] & 4) != 0).tolist() == above.tolist()


@needs_cc
def test_card_and_inspect_show_how_the_threshold_was_found(
    made: dict[tuple[str, float], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = made["pointwise", 0.1]
    assert read(bundle).monitor is not None
    assert "| residual | 0.1 | m/s | 0.01 | 99 | uniform in the box, seed 5 |" in read(bundle).card
    assert main(["inspect", str(bundle)]) == 0
    assert "uniform in the box, seed 5" in capsys.readouterr().out
    from edgepde_export.report.card import render

    assert "calibrated on" in render(read(bundle).card)


@given(st.floats(1e-300, 1e300), st.floats(-4, 4))
def test_a_limit_in_c_decides_as_float64_does(limit: float, factor: float) -> None:
    text = threshold(limit, "f32")
    assert text.endswith("f")
    held = float.fromhex(text[:-1])
    with np.errstate(over="ignore"):
        around = [np.float32(limit), np.float32(limit * factor)]
        around += [np.nextafter(around[0], np.float32(end)) for end in (-np.inf, np.inf)]
    for r in around:
        if np.isfinite(r):
            assert (float(r) > held) == (float(r) > limit)
    assert float.fromhex(threshold(limit, "f64")) == limit
