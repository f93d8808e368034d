"""reference.npz: an ONNX file in an array, with the bundle's own signature in float64, or an error that names it."""

from __future__ import annotations

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime.backends.reference import load
from edgepde_runtime.errors import BundleError
from edgepde_runtime.verbs.verify import VerifyOptions, verify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import onnx_writer
from support.attacked import attacked_bundle, reference_file, reference_model
from support.bundles import edit, mlp_bundle, npz_bytes
from support.refusal import only_refused

GOOD = reference_model()


def pickled() -> bytes:
    """An npz whose member is an object array."""
    buffer = io.BytesIO()
    np.savez(buffer, graph=np.array([GOOD], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def external() -> bytes:
    """A model file whose weight lies in another file."""
    place = onnx_writer.field_bytes(1, "location") + onnx_writer.field_bytes(2, "../secret")
    tensor = onnx_writer.field_int(1, 1) + onnx_writer.field_int(2, 11) + onnx_writer.field_bytes(8, "W")
    tensor += onnx_writer.field_bytes(13, place) + onnx_writer.field_int(14, 1)
    ends = onnx_writer.value_info("x", "float64", ["M", 2]), onnx_writer.value_info("u", "float64", ["M", 1])
    nodes = [onnx_writer.node("MatMul", ["x", "W"], ["u"])]
    return onnx_writer.model(onnx_writer.graph(nodes, [ends[0]], [ends[1]], [tensor]))


def not_a_number() -> bytes:
    """A model file with a weight that is NaN."""
    return reference_model(float("nan"))


WRONG: dict[str, tuple[bytes, str]] = {
    "float32": (reference_file(reference_model(dtype="float32")), r"inputs expected x float64\[M, 2\]"),
    "columns": (reference_file(reference_model(columns=3)), r"inputs expected .* got x float64\[M, 3\]"),
    "output": (reference_file(reference_model(output="v")), r"outputs expected u float64\[M, 1\].* got v"),
    "NaN": (reference_file(not_a_number()), "NaN"),
    "external": (reference_file(external()), "names another file"),
    "no model": (reference_file(b"no model at all"), r"model"),
    "empty": (reference_file(b""), "."),
    "truncated graph": (reference_file(GOOD[: len(GOOD) // 2]), "."),
    "truncated file": (reference_file(GOOD)[:-40], "expected an npz file"),
    "no zip": (b"reference", "expected an npz file"),
    "pickle": (pickled(), "uint8"),
    "pickle alone": (pickle.dumps(GOOD), "expected an npz file"),
    "member": (npz_bytes({"network": np.frombuffer(GOOD, np.uint8)}), "expected members graph, got network"),
    "two members": (
        npz_bytes({"graph": np.frombuffer(GOOD, np.uint8), "more": np.zeros(1, np.uint8)}),
        "expected members graph, got graph, more",
    ),
    "floats": (npz_bytes({"graph": np.zeros(4)}), "expected uint8, got float64"),
    "matrix": (npz_bytes({"graph": np.frombuffer(GOOD, np.uint8)[None]}), r"graph expected bytes \[n\], got shape"),
}


@pytest.mark.parametrize("case", WRONG)
def test_every_wrong_file_is_refused_and_fails_integrity(tmp_path: Path, case: str) -> None:
    data, message = WRONG[case]
    bundle = attacked_bundle(tmp_path / "b", reference=data)
    with pytest.raises(BundleError, match=message):
        _ = bundles.read(bundle).reference
    report = verify(bundle, VerifyOptions(backend="reference", seconds=0.02))
    assert report.exit_code == 1
    assert [c.name for c in report.checks] == ["integrity"]


def test_an_altered_file_is_refused(tmp_path: Path) -> None:
    bundle = attacked_bundle(tmp_path / "b")
    edit(bundle, "reference.npz", lambda data: data[:-1] + b"x", consistent=False)
    with pytest.raises(BundleError, match=r"reference\.npz: altered"):
        bundles.read(bundle)


def test_the_right_file_is_the_network_in_float64(tmp_path: Path) -> None:
    opened = bundles.read(attacked_bundle(tmp_path / "b"))
    assert opened.reference == GOOD
    x = opened.golden.inputs["x"].astype(np.float64)
    got = load(opened.reference).run({"x": x})["u"]
    assert got.dtype == np.float64
    assert np.abs(got - opened.golden.outputs["u"]).max() < 1e-14
    assert bundles.read(mlp_bundle(tmp_path / "plain")).reference is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 255))
def test_any_changed_byte_is_read_or_refused(tmp_path: Path, at: int, value: int) -> None:
    graph = bytearray(GOOD)
    graph[at] = value
    bundle = attacked_bundle(tmp_path / "b", reference=reference_file(bytes(graph)))
    with only_refused(str(bundle / "reference.npz"), BundleError):
        _ = bundles.read(bundle).reference
