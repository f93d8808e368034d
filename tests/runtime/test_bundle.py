"""A bundle's folder: every way to be wrong is refused with the file's name."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime import fields
from edgepde_runtime.errors import BundleError, ModelFileError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.bundles import edit, edit_json, mlp_bundle, mlp_reference, npz_bytes
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


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_any_value_is_told_in_words_of_one_line(value: object) -> None:
    text = fields.words(value)
    assert text
    assert text.isprintable()


def test_values_in_words() -> None:
    assert fields.words(["a", 1.5, None, []]) == "'a', 1.5, null, none"
    assert fields.words("0f" * 32) == "0f0f0f0f0f0f..."


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
