"""Cassettes of a model with slots: fed by name on every backend, hashed apart from the bundle, hostile ones refused."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_runtime import bundle as bundles
from edgepde_runtime import cassettes, load, npz, shelf
from edgepde_runtime.cassettes import file_of
from edgepde_runtime.errors import BundleError, InputError, OutOfBox
from edgepde_runtime.manifest import FileEntry, Manifest
from edgepde_runtime.shelf import INDEX, Index
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import cassette_bundles as made

X = np.array([[0.5, -1.0, 0.25], [0.1, 0.9, -0.3]], np.float32)
HERE = ["reference"] + ["ort"] * (importlib.util.find_spec("onnxruntime") is not None)


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """Two operators; the box of kdv is narrower."""
    return made.shared_bundle(tmp_path / "shared", [made.cassette("wave", 1), made.cassette("kdv", 2, high=1.0)])


@pytest.mark.parametrize("backend", HERE)
def test_every_operator_computes_with_its_own_arrays(shared: Path, backend: str) -> None:
    model = load(shared, backend=backend)
    assert model.cassettes == ("kdv", "wave")
    for name, seed in (("wave", 1), ("kdv", 2)):
        expected = made.exact(X, made.arrays(seed))
        np.testing.assert_allclose(model(X, cassette=name), expected, atol=1e-5)
        np.testing.assert_allclose(load(shared, backend=backend, cassettes=[name])(X), expected, atol=1e-5)
        one = model.holding(name)
        assert one.call(sensors=X).error_bound["u"]["value"] == one.certificate.total == pytest.approx(1.103e-3)
        np.testing.assert_array_equal(one(X), model.call(X, cassette=name).outputs["u"])
        bound = model.bind(X, cassette=name)
        assert bound() == 0
        np.testing.assert_array_equal(bound.outputs["u"], one(X))


@pytest.mark.parametrize("backend", HERE)
def test_a_cassette_has_its_own_box(shared: Path, backend: str) -> None:
    model, outside = load(shared, backend=backend), np.full((1, 3), 1.5, np.float32)
    assert model(outside, cassette="wave").shape == (1, 5)
    with pytest.raises(OutOfBox, match="s0"):
        model(outside, cassette="kdv")
    with pytest.raises(OutOfBox):
        model.bind(outside, cassette="kdv")()
    assert model.check(outside, cassette="kdv")["sensors"].tolist() == [1]
    for flagging in (load(shared, backend=backend, out_of_box="flag"), model.flagging()):
        flagged = flagging.call(outside, cassette="kdv")
        assert flagged.flags == 1
        assert flagged.error_bound["u"]["value"] is None
    assert model.holding("kdv") is model.holding("kdv")


def test_a_slot_without_a_cassette_is_told(shared: Path, tmp_path: Path) -> None:
    model = load(shared, "reference")
    with pytest.raises(
        InputError, match="expected cassette=NAME for the model's slots, got none; loaded are kdv, wave"
    ):
        model(X)
    with pytest.raises(InputError, match="cassette 'heat' is not loaded; loaded are kdv, wave"):
        model(X, cassette="heat")
    with pytest.raises(InputError, match="cassette 'kdv' is not loaded; loaded are wave, the bundle also has kdv"):
        load(shared, "reference", cassettes=["wave"]).call(X, cassette="kdv")
    with pytest.raises(InputError, match=r"cassette 'heat' is not in .*; there are kdv, wave"):
        load(shared, "reference", cassettes=["heat"])
    with pytest.raises(InputError, match="distinct names, got 'wave' twice"):
        load(shared, "reference", cassettes=["wave", "kdv", "wave"])
    bare = made.shared_bundle(tmp_path / "bare")
    with pytest.raises(InputError, match="loaded are none"):
        load(bare, "reference")(X)
    with pytest.raises(InputError, match="there are none"):
        load(bare, "reference", cassettes=["wave"])


def test_a_model_without_slots_takes_none(mlp: Path) -> None:
    with pytest.raises(InputError, match="has no slots"):
        load(mlp, "reference", cassettes=["wave"])
    with pytest.raises(InputError, match="unknown"):
        load(mlp, "reference")(x=np.zeros((1, 2), np.float32), cassette="wave")


def test_only_what_is_held_is_read(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, seen = shelf.from_bytes, []

    def counted(name: str, *rest: Any) -> Any:
        seen.append(name)
        return read(name, *rest)

    monkeypatch.setattr(shelf, "from_bytes", counted)
    load(shared, "reference", cassettes=["wave"])
    assert seen == ["wave"]


def test_the_bundles_id_does_not_depend_on_its_cassettes(tmp_path: Path) -> None:
    both = made.shared_bundle(tmp_path / "shared", [made.cassette("wave", 1), made.cassette("kdv", 2)])
    before, first = bundles.read(both), (both / file_of("wave")).read_bytes()
    sizes = [before.size]
    (both / file_of("kdv")).unlink()
    shelf.write(both, [made.cassette("wave", 1)], before.manifest)
    after = bundles.read(both)
    assert (after.id, after.cassettes) == (before.id, ("wave",))
    assert (both / file_of("wave")).read_bytes() == first
    sizes.append(after.size)
    (both / file_of("wave")).unlink()
    (both / INDEX).unlink()
    (both / "cassettes").rmdir()
    assert bundles.read(both).id == before.id
    assert sizes[0] > sizes[1] > bundles.read(both).size


def test_what_is_written_is_read_again(shared: Path) -> None:
    bundle = bundles.read(shared)
    held = bundle.holding("kdv").cassette
    assert held is not None
    again = cassettes.from_bytes("kdv", cassettes.to_bytes(held, bundle.manifest), bundle.manifest, "here")
    assert again.certificate == held.certificate
    assert again.bytes == sum(slot.bytes for slot in made.SPECS)
    for name, array in held.slots.items():
        assert again.slots[name].dtype == array.dtype
        np.testing.assert_array_equal(again.slots[name], array)
    assert bundle.holding("kdv").holding("wave").manifest.inputs == bundle.manifest.inputs


def indexed(root: Path, name: str, data: bytes, *, branch: str | None = None) -> None:
    """Puts a cassette into the bundle with an index that lists it as it is."""
    old = Index.from_json((root / INDEX).read_text())
    entries = {**old.entries, name: FileEntry(hashlib.sha256(data).hexdigest(), len(data))}
    (root / file_of(name)).write_bytes(data)
    (root / INDEX).write_text(Index(branch or old.branch, entries).to_json())


def spoilt(root: Path, **changes: Any) -> bytes:
    """The file of wave with members replaced; None leaves one out."""
    arrays = npz.read((root / file_of("wave")).read_bytes(), "wave", 1 << 20, BundleError, dtypes=npz.REALS)
    arrays |= {key.replace("__", "/"): value for key, value in changes.items() if value is not None}
    for key, value in changes.items():
        if value is None:
            del arrays[key.replace("__", "/")]
    return npz.written(arrays)


def a_nan(root: Path) -> bytes:
    basis = made.arrays(1)["basis"].copy()
    basis[1, 2] = np.nan
    return spoilt(root, slot__basis=basis)


HOSTILE: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "dtype": (
        lambda r: spoilt(r, slot__basis=made.arrays(1)["basis"].astype(np.float32)),
        r"member slot/basis: expected float16 \[4, 5\], got float32 \[4, 5\]",
    ),
    "shape": (
        lambda r: spoilt(r, slot__basis=np.zeros((5, 4), np.float16)),
        r"slot/basis: expected .*, got .*\[5, 4\]",
    ),
    "nan": (a_nan, "member slot/basis: expected finite numbers, got 1 NaN"),
    "infinite": (lambda r: spoilt(r, slot__scale=np.array([np.inf], np.float32)), "slot/scale: expected finite"),
    "missing": (lambda r: spoilt(r, slot__scale=None), "expected members .*slot/scale"),
    "unknown": (lambda r: spoilt(r, slot__more=np.zeros(3, np.float32)), "expected members .* got .*slot/more"),
    "no-statement": (lambda r: spoilt(r, certificate=None), "expected members certificate"),
    "statement": (lambda r: spoilt(r, certificate=np.zeros(3, np.uint8)), "member certificate: expected JSON"),
    "statement-type": (lambda r: spoilt(r, certificate=np.zeros(3, np.float32)), r"certificate expected uint8 \[n\]"),
    "statement-text": (lambda r: spoilt(r, certificate=np.full(3, 255, np.uint8)), "certificate: expected UTF-8"),
    "golden": (lambda r: spoilt(r, output__u=np.zeros((4, 6))), r"output/u expected shape \[4, 5\]"),
    "golden-box": (lambda r: spoilt(r, input__sensors=np.full((4, 3), 9, np.float32)), "values in the box"),
    "truncated": (lambda r: (r / file_of("wave")).read_bytes()[:-30], "expected an npz file"),
    "pickle": (lambda _: b"\x80\x04\x95", "expected an npz file"),
    "huge": (lambda r: _claiming(r, 1 << 40), "expected"),
}


def _claiming(root: Path, count: int) -> bytes:
    """A member whose header says that it is much longer than its bytes."""
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, zipfile.ZipFile(root / file_of("wave")) as good:
        for name in good.namelist():
            data = good.read(name)
            if name == "slot/basis.npy":
                data = data.replace(b"(4, 5)", f"({count}, 5)".encode())
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_cassette_is_refused_with_file_and_member(what: str, shared: Path) -> None:
    make, said = HOSTILE[what]
    indexed(shared, "evil", make(shared))
    with pytest.raises(BundleError, match=rf"evil\.npz.*{said}"):
        bundles.read(shared).holding("evil")
    load(shared, "reference", cassettes=["wave"])(X)


def test_another_models_cassette_is_refused(shared: Path, tmp_path: Path) -> None:
    other = made.shared_bundle(tmp_path / "other", [made.cassette("heat", 3)], seed=5)
    data = (other / file_of("heat")).read_bytes()
    indexed(shared, "heat", data)
    with pytest.raises(BundleError, match=r"heat\.npz: model_hash expected \w+\.\.\., the model of this bundle, got"):
        bundles.read(shared).holding("heat")
    indexed(shared, "heat", data, branch=bundles.read(other).manifest.model_hash)
    with pytest.raises(
        BundleError, match=r"index\.json: branch expected .*, the model of this bundle, got .*another's"
    ):
        bundles.read(shared)


def test_a_box_beyond_the_models_is_refused(shared: Path) -> None:
    manifest = bundles.read(shared).manifest
    wide = made.cassette("wide", 1)
    for high in (2.5, np.nextafter(2.0, 3.0)):
        statement = made.certificate(manifest.model_hash, high=high)
        with pytest.raises(BundleError, match=r"box expected sensors\.s0 within -2\.0 to 2\.0, got -2\.0 to"):
            cassettes.to_bytes(replace(wide, certificate=statement), manifest)


def test_files_that_do_not_belong_there_are_refused(shared: Path) -> None:
    (shared / "cassettes" / "stray.npz").write_bytes(b"x")
    with pytest.raises(BundleError, match=r"'cassettes/stray.npz' is not listed in cassettes/index.json"):
        bundles.read(shared)
    (shared / "cassettes" / "stray.npz").unlink()
    wave = shared / file_of("wave")
    data = wave.read_bytes()
    wave.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"wave\.npz: altered"):
        bundles.read(shared)
    wave.write_bytes(data[:-1])
    with pytest.raises(BundleError, match=r"wave\.npz: truncated"):
        bundles.read(shared)
    wave.unlink()
    with pytest.raises(BundleError, match=r"wave\.npz: missing, but listed"):
        bundles.read(shared)
    wave.symlink_to(shared / "card.md")
    with pytest.raises(BundleError, match="symbolic link"):
        bundles.read(shared)
    wave.unlink()
    wave.write_bytes(data)
    (shared / INDEX).unlink()
    with pytest.raises(BundleError, match=r"index\.json: missing"):
        bundles.read(shared)


def test_a_file_that_changes_between_reading_and_use_is_refused(shared: Path) -> None:
    bundle, wave = bundles.read(shared), shared / file_of("wave")
    data = wave.read_bytes()
    wave.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleError, match=r"wave\.npz: altered: expected sha256"):
        bundle.holding("wave")


def test_a_folder_of_cassettes_without_slots_is_refused(mlp: Path) -> None:
    (mlp / "cassettes").mkdir()
    (mlp / INDEX).write_text("{}")
    with pytest.raises(BundleError, match=r"cassettes/index.json' is not listed in manifest.json, .* no slots"):
        bundles.read(mlp)


GOOD = {"schema_version": 1, "branch": "a" * 64, "cassettes": {"wave": {"sha256": "b" * 64, "bytes": 3}}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "schema_version expected 1"),
        ({"branch": "xyz"}, "branch expected 64 hex digits"),
        ({"more": 1}, "unknown key 'more'"),
        ({"cassettes": {}}, "cassettes expected 1 to 1024, got 0"),
        ({"cassettes": {"../model": {"sha256": "b" * 64, "bytes": 3}}}, "a name expected at most 64 letters"),
        ({"cassettes": {"/etc/x": {"sha256": "b" * 64, "bytes": 3}}}, "a name expected"),
        ({"cassettes": {".x": {"sha256": "b" * 64, "bytes": 3}}}, "a name expected"),
        ({"cassettes": {"x" * 65: {"sha256": "b" * 64, "bytes": 3}}}, "a name expected"),
        ({"cassettes": {"x": {"sha256": "b" * 63, "bytes": 3}}}, r"x\.sha256 expected 64 hex digits"),
        ({"cassettes": {"x": {"sha256": "b" * 64, "bytes": -3}}}, r"x\.bytes expected a size"),
        ({"cassettes": {"x": {"sha256": "b" * 64, "bytes": 2**63}}}, r"x\.bytes expected a size"),
        ({"cassettes": {n: {"sha256": "b" * 64, "bytes": 3} for n in ("Wave", "wave")}}, "'Wave' and 'wave'"),
        ({"cassettes": {f"n{i}": {"sha256": "b" * 64, "bytes": 3} for i in range(1025)}}, "1 to 1024, got 1025"),
    ],
)
def test_an_index_that_breaks_a_rule_is_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        Index.from_json(json.dumps({**GOOD, **change}), "index.json")


def test_a_name_twice_in_the_index_is_refused() -> None:
    text = json.dumps(GOOD).replace('"wave": {', '"wave": {"sha256": "", "bytes": 1}, "wave": {')
    with pytest.raises(BundleError, match="key 'wave' appears twice"):
        Index.from_json(text)
    manifest = made.manifest("a" * 64, {"model.onnx": b"", "certificate.json": b"", "golden.npz": b"", "card.md": b""})
    with pytest.raises(BundleError, match="distinct names, got 'wave' twice"):
        shelf.files([made.cassette("wave", 1), made.cassette("wave", 2)], manifest)


def slots(change: dict[str, Any]) -> str:
    """A manifest whose first slot is changed."""
    files = {"model.onnx": b"", "certificate.json": b"", "golden.npz": b"", "card.md": b""}
    document = json.loads(made.manifest("a" * 64, files).to_json())
    document["slots"][0] |= change
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "sensors"}, "distinct names"),
        ({"name": "cassette"}, "cassette names one in a call"),
        ({"name": "1x"}, r"slots\[0\]\.name expected a letter"),
        ({"dtype": "int8"}, r"slots\[0\]\.dtype expected float16 or float32 or float64"),
        ({"shape": ["B", 2]}, r"slots\[0\]\.shape expected numbers"),
        ({"shape": []}, "1 to 4 sizes above 0"),
        ({"shape": [4, 0]}, "1 to 4 sizes above 0"),
        ({"shape": [1, 1, 1, 1, 1]}, "1 to 4 sizes above 0"),
        ({"shape": [2**40, 5]}, "at most 67108864 bytes"),
        ({"more": 1}, "unknown key 'more'"),
    ],
)
def test_slots_that_break_a_rule_are_refused(change: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said):
        Manifest.from_json(slots(change))


def test_slots_must_be_those_of_the_graph(shared: Path) -> None:
    document = json.loads((shared / "manifest.json").read_text())
    document["slots"] = document["slots"][::-1]
    (shared / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(BundleError, match=r"model\.onnx: inputs expected"):
        bundles.read(shared)
    document["slots"] = []
    (shared / "manifest.json").write_text(json.dumps(document))
    with pytest.raises(BundleError, match="slots expected at least one where the key is there"):
        bundles.read(shared)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_bytes_at_random_never_do_worse_than_an_error(shared: Path, data: st.DataObject) -> None:
    manifest = bundles.read(shared).manifest
    good = bytearray((shared / file_of("wave")).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    try:
        held = cassettes.from_bytes("wave", bytes(good[: cut or None]), manifest, "wave.npz")
    except BundleError:
        return
    assert all(np.isfinite(a).all() for a in held.slots.values())
