"""The parts of a bundle say the same: manifest, certificate, model file, golden data."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime.errors import BundleError, EdgePDEError
from support import onnx_writer
from support.bundles import edit, edit_json, mlp_bundle, npz_bytes, write

DISAGREE: dict[str, tuple[str, Callable[[dict], object], str]] = {
    "hash in certificate": ("certificate.json", lambda c: c.update(model_hash="0" * 64), "model_hash expected"),
    "hash in manifest": ("manifest.json", lambda m: m.update(model_hash="0" * 64), "model_hash expected"),
    "box": (
        "certificate.json",
        lambda c: c["box"][0].update(high=0.5),
        r"box expected x\.x from -1\.0 to 1\.0 m as .* got x\.x from -1\.0 to 0\.5 m; x\.t from 0\.0 to 1\.0 s$",
    ),
    "box unit": ("certificate.json", lambda c: c["box"][0].update(unit="km"), "box expected"),
    "box column more": (
        "certificate.json",
        lambda c: (
            c["box"].append(dict(c["box"][0], column="z")),
            c["outputs"][0].update(found=None, tightness={"compression": None, "total": None}),
        ),
        "box expected 2 columns",
    ),
    "output name": ("certificate.json", lambda c: c["outputs"][0].update(name="v"), "'v' is no output"),
    "output unit": ("certificate.json", lambda c: c["outputs"][0].update(unit="km"), "unit of u expected"),
    "output uncertified": (
        "manifest.json",
        lambda m: m["outputs"].append(dict(m["outputs"][0], name="v")),
        "expected an entry for v, got u$",
    ),
    "dtype": ("manifest.json", lambda m: m["inputs"][0].update(dtype="float64"), r"inputs expected x float64\[M, 2\]"),
    "symbol": (
        "manifest.json",
        lambda m: (m["inputs"][0].update(shape=["K", 2]), m["outputs"][0].update(shape=["K", 1])),
        r"x float32\[K, 2\]",
    ),
    "input name": ("manifest.json", lambda m: m["inputs"][0].update(name="y"), "box expected"),
    "output shape": ("manifest.json", lambda m: m["outputs"][0].update(shape=["M", 2]), r"outputs expected u float32"),
}


@pytest.mark.parametrize("case", DISAGREE)
def test_parts_that_disagree(mlp: Path, case: str) -> None:
    name, change, message = DISAGREE[case]
    edit_json(mlp, name, change)
    with pytest.raises(BundleError, match=message):
        bundles.read(mlp)


def test_a_diagnostic_output_has_no_certificate(solver: Path) -> None:
    edit_json(solver, "certificate.json", lambda c: c["outputs"].append(dict(c["outputs"][0], name="residual")))
    with pytest.raises(BundleError, match="'residual' is no output of manifest"):
        bundles.read(solver)


def weights_with(tmp_path: Path, value: float) -> Path:
    """A bundle whose second weight of the last layer is `value`."""
    model = bytearray(onnx_writer.mlp_model(input_name="x", output_name="u"))
    weight = onnx_writer.mlp_weights()["W2"].astype("<f4").tobytes()
    at = model.index(weight) + 4
    model[at : at + 4] = struct.pack("<f", value)
    good = bundles.read(mlp_bundle(tmp_path / "good"))
    golden = {"input/x": good.golden.inputs["x"], "output/u": good.golden.outputs["u"]}
    kept = {"inputs": good.manifest.inputs, "outputs": good.manifest.outputs, "golden": golden}
    return write(tmp_path / "bad", bytes(model), **kept, entries=list(good.certificate.outputs.values()))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_are_finite(tmp_path: Path, value: float) -> None:
    with pytest.raises(EdgePDEError, match=r"W2.*(NaN|infinity)"):
        bundles.read(weights_with(tmp_path, value))
    assert bundles.read(weights_with(tmp_path / "again", 0.25))


def test_a_model_that_names_another_file_is_refused(tmp_path: Path) -> None:
    entry = onnx_writer.field_bytes(1, "location") + onnx_writer.field_bytes(2, "../../etc/passwd")
    good = mlp_bundle(tmp_path / "good")
    data = (good / "model.onnx").read_bytes() + onnx_writer.field_bytes(6, entry)
    edit(good, "model.onnx", lambda _: data)
    from edgepde_runtime.onnxfile import model_hash

    for name in ("manifest.json", "certificate.json"):
        edit_json(good, name, lambda m: m.update(model_hash=model_hash(data)))
    with pytest.raises(BundleError, match="names another file"):
        bundles.read(good)


def broken_golden(mlp: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Rewrites golden.npz with changed arrays."""
    arrays = dict(np.load(mlp / "golden.npz"))
    change(arrays)
    edit(mlp, "golden.npz", lambda _: npz_bytes(arrays))


GOLDEN: dict[str, tuple[Callable[[dict[str, np.ndarray]], object], str]] = {
    "member missing": (lambda a: a.pop("output/u"), "expected members"),
    "member more": (lambda a: a.update(z=np.ones(1)), "expected members"),
    "input dtype": (lambda a: a.update({"input/x": a["input/x"].astype(np.float64)}), "expected float32, got float64"),
    "input integers": (lambda a: a.update({"input/x": a["input/x"].astype(np.int64)}), "got int64"),
    "input rank": (lambda a: a.update({"input/x": a["input/x"][:, 0]}), r"expected shape \[M, 2\]"),
    "input empty": (lambda a: a.update({"input/x": a["input/x"][:0]}), r"expected shape \[M, 2\]"),
    "input NaN": (lambda a: a["input/x"].fill(np.nan), "finite values"),
    "input outside": (lambda a: a["input/x"].fill(1.5), "outside"),
    "output rows": (lambda a: a.update({"output/u": a["output/u"][:3]}), r"expected shape \[32, 1\]"),
    "output infinite": (lambda a: a["output/u"].fill(np.inf), "finite values"),
    "pickle": (lambda a: a.update({"output/u": np.array([{}], dtype=object)}), "float32 or float64, got object"),
}


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_data_fits_the_manifest(mlp: Path, case: str) -> None:
    change, message = GOLDEN[case]
    broken_golden(mlp, change)
    bundle = bundles.read(mlp)
    with pytest.raises(BundleError, match=message):
        _ = bundle.golden


def described(tmp_path: Path, **said: str) -> Path:
    """The MLP bundle whose model file has these metadata_props edgepde.*."""
    bundle = mlp_bundle(tmp_path / "b")
    pairs = [onnx_writer.field_bytes(1, f"edgepde.{k}") + onnx_writer.field_bytes(2, v) for k, v in said.items()]
    props = b"".join(onnx_writer.field_bytes(14, pair) for pair in pairs)
    edit(bundle, "model.onnx", lambda data: data + props)
    return bundle


def true_facts(tmp_path: Path) -> dict[str, str]:
    """What the MLP's model file may say of its certificate."""
    from edgepde_runtime.agreement import facts

    said = facts(bundles.read(mlp_bundle(tmp_path / "plain")).certificate)
    return {k.removeprefix("edgepde."): v if isinstance(v, str) else json.dumps(v) for k, v in said.items()}


def test_a_model_file_may_repeat_its_certificate(tmp_path: Path) -> None:
    assert len(true_facts(tmp_path)) == 4
    bundles.read(described(tmp_path, **true_facts(tmp_path)))


@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("totals", lambda text: text.replace("0.001004", "0.000001004")),
        ("totals", lambda _: '{"u": null}'),
        ("totals", lambda _: "{}"),
        ("totals", lambda _: "["),
        ("totals", lambda _: '{"u": NaN}'),
        ("classes", lambda text: text.replace("measured", "sound")),
        ("box", lambda text: text.replace("-1.0", "-2.0")),
        ("box", lambda _: "[]"),
        ("model_hash", lambda _: "0" * 64),
        ("sound_totals", lambda _: "{}"),
    ],
)
def test_a_model_file_that_contradicts_its_certificate(tmp_path: Path, key: str, change: Callable[[str], str]) -> None:
    text = true_facts(tmp_path).get(key, "")
    assert change(text) != text
    with pytest.raises(BundleError, match=rf"model\.onnx: metadata_props 'edgepde\.{key}'"):
        bundles.read(described(tmp_path, **{key: change(text)}))


INTERNALS = re.compile(r"\('|\['|\[\]|\(\)|[0-9a-f]{13}")


@pytest.mark.parametrize("case", DISAGREE)
def test_messages_hold_no_lists_of_python_and_no_long_hash(mlp: Path, case: str) -> None:
    name, change, _ = DISAGREE[case]
    edit_json(mlp, name, change)
    with pytest.raises(BundleError) as told:
        bundles.read(mlp)
    assert not INTERNALS.search(str(told.value).removeprefix(str(mlp)))
