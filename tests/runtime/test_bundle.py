"""A bundle's folder: every way to be wrong is refused with the file's name."""

from __future__ import annotations

import hashlib
import json
import os
import re
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime import fields
from edgepde_runtime.errors import BundleError, EdgePDEError, ModelFileError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import onnx_writer
from support.bundles import edit, edit_json, mlp_bundle, mlp_reference, npz_bytes, write
from support.refusal import only_refused

FILES = ["model.onnx", "certificate.json", "golden.npz", "card.md"]


def test_a_good_bundle_is_read(mlp: Path) -> None:
    bundle = bundles.read(mlp)
    assert bundle.id == hashlib.sha256((mlp / "manifest.json").read_bytes()).hexdigest()
    assert bundle.card == "# a card\n"
    assert bundle.golden.inputs["x"].shape == (32, 2)
    np.testing.assert_array_equal(bundle.golden.outputs["u"], mlp_reference(bundle.golden.inputs["x"]))
    assert bundle.report == {}
    assert bundle.size == sum(f.stat().st_size for f in mlp.iterdir())


def test_the_path_may_be_a_link_but_nothing_inside(mlp: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(mlp)
    assert bundles.read(tmp_path / "current").manifest.name == "mlp"


@pytest.mark.parametrize("name", [*FILES, "manifest.json"])
def test_missing(mlp: Path, name: str) -> None:
    (mlp / name).unlink()
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        bundles.read(mlp)


@pytest.mark.parametrize("name", FILES)
def test_truncated(mlp: Path, name: str) -> None:
    (mlp / name).write_bytes((mlp / name).read_bytes()[:-1])
    with pytest.raises(BundleError, match=rf"{name}: truncated: expected \d+ bytes"):
        bundles.read(mlp)


@pytest.mark.parametrize("name", FILES)
def test_grown(mlp: Path, name: str) -> None:
    (mlp / name).write_bytes((mlp / name).read_bytes() + b" ")
    with pytest.raises(BundleError, match=rf"{name}: altered"):
        bundles.read(mlp)


@pytest.mark.parametrize("name", FILES)
def test_altered(mlp: Path, name: str) -> None:
    data = bytearray((mlp / name).read_bytes())
    data[len(data) // 2] ^= 1
    (mlp / name).write_bytes(data)
    with pytest.raises(
        BundleError, match=rf"{name}: altered: expected sha256 [0-9a-f]{{12}}\.\.\., got [0-9a-f]{{12}}\.\.\.$"
    ):
        bundles.read(mlp)


@pytest.mark.parametrize("name", ["extra.txt", "lib/x/evil.so", ".hidden", "manifest.sig"])
def test_unlisted(mlp: Path, name: str) -> None:
    (mlp / name).parent.mkdir(parents=True, exist_ok=True)
    (mlp / name).write_text("x")
    with pytest.raises(BundleError, match=f"'{name}' is not listed"):
        bundles.read(mlp)


def test_unlisted_empty_folder(mlp: Path) -> None:
    (mlp / "c99").mkdir()
    with pytest.raises(BundleError, match="folder 'c99' holds nothing"):
        bundles.read(mlp)


@pytest.mark.parametrize("inside", [True, False])
def test_a_link_to_a_file(mlp: Path, tmp_path: Path, inside: bool) -> None:
    target = mlp / "model.onnx" if inside else tmp_path / "outside"
    (tmp_path / "outside").write_bytes((mlp / "card.md").read_bytes())
    (mlp / "card.md").unlink()
    (mlp / "card.md").symlink_to(target)
    with pytest.raises(BundleError, match=r"card\.md.*symbolic link"):
        bundles.read(mlp)


def test_a_link_to_a_folder(mlp: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (mlp / "lib").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError, match="symbolic link"):
        bundles.read(mlp)


def test_a_link_put_there_after_the_scan(mlp: Path) -> None:
    bundle = bundles.read(mlp)
    (mlp / "card.md").rename(mlp / "moved")
    (mlp / "card.md").symlink_to(mlp / "moved")
    with pytest.raises(BundleError, match="symbolic link"):
        bundle.content("card.md")


@pytest.mark.parametrize("other", ["folder", "pipe"])
def test_no_file_any_more_after_the_scan(mlp: Path, other: str) -> None:
    bundle = bundles.read(mlp)
    (mlp / "card.md").unlink()
    (Path.mkdir if other == "folder" else os.mkfifo)(mlp / "card.md")
    with pytest.raises(BundleError, match=r"card\.md: expected a regular file"):
        bundle.content("card.md")


def test_a_hash_that_manifest_and_certificate_share_is_still_the_models(mlp: Path) -> None:
    for name in ("certificate.json", "manifest.json"):
        edit_json(mlp, name, lambda document: document.update(model_hash="0" * 64))
    with pytest.raises(
        BundleError, match=r"model\.onnx: model_hash expected 0{12}\.\.\. as .* got [0-9a-f]{12}\.\.\.$"
    ):
        bundles.read(mlp)


def test_a_pipe_does_not_hang(mlp: Path) -> None:
    os.mkfifo(mlp / "pipe")
    with pytest.raises(BundleError, match="device, pipe or socket"):
        bundles.read(mlp)


def test_changed_after_reading(mlp: Path) -> None:
    bundle = bundles.read(mlp)
    (mlp / "card.md").write_text("# b card\n")
    with pytest.raises(BundleError, match=r"card\.md: altered"):
        _ = bundle.card


def test_too_many_files(mlp: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgepde_runtime.folder.MOST_FILES", 3)
    with pytest.raises(BundleError, match="at most 3 files"):
        bundles.read(mlp)


def test_not_a_folder(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no such bundle"):
        bundles.read(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="got a file"):
        bundles.read(tmp_path / "file")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BundleError, match="an empty folder"):
        bundles.read(tmp_path / "empty")


def test_sizes_are_checked_before_reading(mlp: Path) -> None:
    with (mlp / "card.md").open("wb") as file:
        file.truncate(2 * bundles.MB)
    size = {"sha256": "0" * 64, "bytes": 2 * bundles.MB}
    edit_json(mlp, "manifest.json", lambda m: m["files"].__setitem__("card.md", size))
    with pytest.raises(BundleError, match=r"card\.md: expected at most"):
        bundles.read(mlp)


def test_a_huge_manifest_is_refused_by_size(mlp: Path) -> None:
    with (mlp / "manifest.json").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BundleError, match=r"manifest\.json: expected at most"):
        bundles.read(mlp)


def test_report_is_at_most_200_kb(tmp_path: Path) -> None:
    data = npz_bytes({"predicted": np.random.default_rng(0).normal(size=60_000).astype(np.float32)})
    with pytest.raises(BundleError, match=r"report\.npz: expected at most 204800"):
        bundles.read(mlp_bundle(tmp_path / "b", extra={"report.npz": data}))


def test_optional_files_are_read(tmp_path: Path) -> None:
    report = npz_bytes({"predicted": np.ones((2, 3), np.float32), "parameters": np.ones((2, 1))})
    bundle = bundles.read(mlp_bundle(tmp_path / "b", extra={"report.npz": report, "ledger.json": b"{}"}))
    assert bundle.report["predicted"].shape == (2, 3)
    assert bundle.content("ledger.json") == b"{}"
    with pytest.raises(BundleError, match="an entry for nothing"):
        bundle.content("nothing")


@pytest.mark.parametrize("name", ["manifest.json", "certificate.json", "card.md"])
def test_text_is_utf8(mlp: Path, name: str) -> None:
    edit(mlp, name, lambda data: b"\xff" + data, consistent=name != "manifest.json")
    with pytest.raises(BundleError, match="UTF-8"):
        _ = bundles.read(mlp).card


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


INTERNALS = re.compile(r"\('|\['|\[\]|\(\)|[0-9a-f]{13}")


@pytest.mark.parametrize("case", DISAGREE)
def test_messages_hold_no_lists_of_python_and_no_long_hash(mlp: Path, case: str) -> None:
    name, change, _ = DISAGREE[case]
    edit_json(mlp, name, change)
    with pytest.raises(BundleError) as told:
        bundles.read(mlp)
    assert not INTERNALS.search(str(told.value).removeprefix(str(mlp)))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_value_is_told_in_words_of_one_line(value: object) -> None:
    text = fields.words(value)
    assert text
    assert text.isprintable()


def test_values_in_words() -> None:
    assert fields.words(["a", 1.5, None, []]) == "'a', 1.5, null, none"
    assert fields.words("0f" * 32) == "0f0f0f0f0f0f..."


@pytest.mark.parametrize("case", GOLDEN)
def test_golden_data_fits_the_manifest(mlp: Path, case: str) -> None:
    change, message = GOLDEN[case]
    broken_golden(mlp, change)
    bundle = bundles.read(mlp)
    with pytest.raises(BundleError, match=message):
        _ = bundle.golden


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_changed_byte_of_a_bundle_is_refused(mlp: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    before = (mlp / name).read_bytes()
    blob = bytearray(before)
    at = data.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= data.draw(st.integers(1, 255))
    (mlp / name).write_bytes(blob)
    try:
        with pytest.raises(BundleError, match="altered"):
            bundles.read(mlp)
    finally:
        (mlp / name).write_bytes(before)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(data=st.data())
def test_any_changed_byte_with_matching_hash_is_read_or_refused(mlp: Path, data: st.DataObject) -> None:
    before = {name: (mlp / name).read_bytes() for name in [*FILES, "manifest.json"]}
    name = data.draw(st.sampled_from([*FILES, "manifest.json"]))
    blob = bytearray(before[name])
    blob[data.draw(st.integers(0, len(blob) - 1))] = data.draw(st.integers(0, 255))
    (mlp / name).write_bytes(blob)
    if name != "manifest.json":
        document = json.loads(before["manifest.json"])
        document["files"][name]["sha256"] = hashlib.sha256(blob).hexdigest()
        (mlp / "manifest.json").write_text(json.dumps(document))
    try:
        with only_refused("", BundleError, ModelFileError):
            _ = bundles.read(mlp).golden
    finally:
        for kept, content in before.items():
            (mlp / kept).write_bytes(content)


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
