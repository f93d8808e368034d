"""manifest.json: every rule has a way to break it here, and the writer cannot write what the reader refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from edgepde_runtime.errors import BundleError
from edgepde_runtime.manifest import Column, FileEntry, InputSpec, Manifest, OutputSpec
from hypothesis import given
from hypothesis import strategies as st
from support.refusal import only_refused

Change = Callable[[dict[str, Any]], object]


def put(*path: Any) -> Change:
    """A change that sets the member at path[:-1] to path[-1]."""

    def change(document: Any) -> None:
        *parents, key, value = path
        for parent in parents:
            document = document[parent]
        document[key] = value

    return change


def drop(*path: Any) -> Change:
    """A change that removes the member at path."""

    def change(document: Any) -> None:
        for parent in path[:-1]:
            document = document[parent]
        del document[path[-1]]

    return change


WRONG: dict[str, tuple[Change, str]] = {
    "newer version": (put("format_version", 2), "format_version expected at most 1"),
    "version 0": (put("format_version", 0), "format_version expected 1"),
    "version as text": (put("format_version", "1"), "format_version expected a whole number"),
    "version true": (put("format_version", True), "format_version expected a whole number"),
    "unknown key": (put("color", "red"), "unknown key 'color'"),
    "unknown key in input": (put("inputs", 0, "box", 1), r"inputs\[0\]: unknown key 'box'"),
    "unknown key in column": (put("inputs", 0, "columns", 1, "max", 1), r"columns\[1\]: unknown key 'max'"),
    "unknown key in output": (put("outputs", 0, "box", 1), r"outputs\[0\]: unknown key 'box'"),
    "unknown key in file": (put("files", "card.md", "mode", 1), "card.md: unknown key 'mode'"),
    "missing name": (drop("name"), "name is missing"),
    "missing low": (drop("inputs", 0, "columns", 0, "low"), r"columns\[0\].low is missing"),
    "missing diagnostic": (drop("outputs", 0, "diagnostic"), "diagnostic is missing"),
    "name with slash": (put("name", "../x"), "name expected letters"),
    "name empty": (put("name", ""), "name expected letters"),
    "hash short": (put("model_hash", "ab"), "model_hash expected 64 hex"),
    "hash upper": (put("model_hash", "A" * 64), "model_hash expected 64 hex"),
    "files a list": (put("files", []), "files: expected an object, got a list"),
    "file entry a string": (put("files", "card.md", "x"), "card.md: expected an object"),
    "file size negative": (put("files", "card.md", "bytes", -1), "bytes expected a size"),
    "file size huge": (put("files", "card.md", "bytes", 10**30), "bytes expected a size"),
    "file size float": (put("files", "card.md", "bytes", 3.0), "bytes expected a whole number"),
    "no model": (drop("files", "model.onnx"), "an entry for model.onnx"),
    "no golden": (drop("files", "golden.npz"), "an entry for golden.npz"),
    "no certificate": (drop("files", "certificate.json"), "an entry for certificate.json"),
    "no card": (drop("files", "card.md"), "an entry for card.md"),
    "tools a number": (put("tools", "torch", 2), "torch expected a string"),
    "no inputs": (put("inputs", []), "inputs expected at least one"),
    "no outputs": (put("outputs", []), "outputs expected at least one"),
    "inputs an object": (put("inputs", {}), "inputs expected a list"),
    "dtype int8": (put("inputs", 0, "dtype", "int8"), "dtype expected float32 or float64"),
    "output dtype": (put("outputs", 0, "dtype", "float16"), "dtype expected float32 or float64"),
    "shape of one": (put("inputs", 0, "shape", ["M"]), "shape expected a symbol and a number"),
    "shape without symbol": (put("inputs", 0, "shape", [3, 2]), "shape expected a symbol and a number"),
    "shape width": (put("inputs", 0, "shape", ["M", 3]), r"shape\[1\] expected 2"),
    "shape boolean": (put("inputs", 0, "shape", ["M", True]), r"shape\[1\] expected a whole number"),
    "shape symbol": (put("inputs", 0, "shape", ["M N", 2]), r"shape\[0\] expected a symbol"),
    "no columns": (put("inputs", 0, "columns", []), r"shape\[1\] expected 0"),
    "columns alike": (put("inputs", 0, "columns", 1, "name", "x"), "columns expected distinct"),
    "column without name": (put("inputs", 0, "columns", 0, "name", ""), "columns expected distinct"),
    "box inverted": (put("inputs", 0, "columns", 0, "low", 2.0), "finite low < high"),
    "box empty": (put("inputs", 0, "columns", 0, "low", 1.0), "finite low < high"),
    "box beyond float32": (put("inputs", 0, "columns", 0, "high", 1e300), "finite low < high"),
    "box a text": (put("inputs", 0, "columns", 0, "low", "0"), "low expected a number"),
    "box null": (put("inputs", 0, "columns", 0, "low", None), "low expected a number, got null"),
    "unit a number": (put("inputs", 0, "columns", 0, "unit", 1), "unit expected a string"),
    "unit with escape": (put("outputs", 0, "unit", "\x1b[2J"), "unit expected printable"),
    "name with escape": (put("inputs", 0, "columns", 0, "name", "a\nb"), "name expected printable"),
    "input reserved word": (put("inputs", 0, "name", "lambda"), "no reserved word"),
    "output named as input": (put("outputs", 0, "name", "x"), "distinct names"),
    "output digit first": (put("outputs", 0, "name", "1u"), "name expected a letter"),
    "output symbol unknown": (put("outputs", 0, "shape", ["K", 1]), "one of the inputs' symbols"),
    "output size 0": (put("outputs", 0, "shape", ["M", 0]), r"shape\[1\] expected a number"),
    "diagnostic a number": (put("outputs", 0, "diagnostic", 1), "diagnostic expected true or false"),
    "threshold not diagnostic": (put("outputs", 0, "threshold", 0.1), "only on a diagnostic output"),
    "threshold null": (put("outputs", 0, "threshold", None), "threshold expected a number"),
}
NAMES = ["../x", "/etc/passwd", "a//b", "a/", "", ".", "a/../b", "a\\b", "ä", "a b", "manifest.json", "manifest.sig"]


@pytest.mark.parametrize("case", WRONG)
def test_every_broken_rule_is_named(mlp: Path, case: str) -> None:
    change, message = WRONG[case]
    document = json.loads((mlp / "manifest.json").read_text())
    Manifest.from_json(json.dumps(document))
    change(document)
    with pytest.raises(BundleError, match=message):
        Manifest.from_json(json.dumps(document), "here/manifest.json")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_name_stays_inside(mlp: Path, name: str) -> None:
    document = json.loads((mlp / "manifest.json").read_text())
    document["files"][name] = document["files"]["card.md"]
    with pytest.raises(BundleError, match=r"manifest\.json: "):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize(("threshold", "message"), [(0.0, "positive"), (-1.0, "positive")])
def test_a_threshold_is_positive(solver: Path, threshold: float, message: str) -> None:
    document = json.loads((solver / "manifest.json").read_text())
    document["outputs"][1]["threshold"] = threshold
    with pytest.raises(BundleError, match=message):
        Manifest.from_json(json.dumps(document))


def test_a_residual_has_one_symbol(solver: Path) -> None:
    document = json.loads((solver / "manifest.json").read_text())
    document["outputs"][1]["shape"] = ["B", "M"]
    with pytest.raises(BundleError, match="one symbol"):
        Manifest.from_json(json.dumps(document))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"name": NaN}',
        '{"name": Infinity}',
        '{"format_version": ' + "9" * 5000 + "}",
        "[" * 100_000,
        '{"a":' * 5000,
    ],
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        Manifest.from_json(text)


def test_a_key_given_twice_is_refused(mlp: Path) -> None:
    text = (mlp / "manifest.json").read_text().replace('"name": "mlp"', '"name": "mlp", "name": "mlp"')
    with pytest.raises(BundleError, match="'name' appears twice"):
        Manifest.from_json(text)


def test_overflowing_number_is_not_infinity(mlp: Path) -> None:
    text = (mlp / "manifest.json").read_text().replace('"high": 1.0', '"high": 1e999')
    with pytest.raises(BundleError, match="high expected a finite number"):
        Manifest.from_json(text)


def test_writer_refuses_what_reader_refuses(mlp: Path) -> None:
    manifest = Manifest.from_json((mlp / "manifest.json").read_text())
    broken = Manifest(**{**vars(manifest), "model_hash": "nonsense"})
    with pytest.raises(BundleError, match="model_hash"):
        broken.to_json()


names = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True).filter(lambda n: n.isidentifier() and len(n) > 3)
columns = st.builds(
    lambda name, unit, low, width: Column(name, unit, low, low + width),
    names,
    st.sampled_from(["", "m", "m^2/s", "µm"]),
    st.floats(-1e6, 1e6),
    st.floats(1e-3, 1e6),
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Manifests that keep every rule."""
    given_names = draw(st.lists(names, min_size=2, max_size=4, unique=True))
    cols = tuple(draw(st.lists(columns, min_size=1, max_size=3, unique_by=lambda c: c.name)))
    inputs = (InputSpec("i_" + given_names[0], draw(st.sampled_from(["float32", "float64"])), ("M", len(cols)), cols),)
    outputs = tuple(OutputSpec("o_" + n, "float32", ("M", draw(st.integers(1, 9))), "m") for n in given_names[1:])
    if draw(st.booleans()):
        outputs += (OutputSpec("residual", "float64", ("M",), "", True, draw(st.floats(1e-9, 1e9))),)
    files = {n: FileEntry("a" * 64, draw(st.integers(0, 2**40))) for n in REQUIRED_FILES}
    return Manifest(1, "any", "b" * 64, files, {"edgepde": "0.1.0"}, inputs, outputs)


REQUIRED_FILES = ("card.md", "certificate.json", "golden.npz", "model.onnx", "c99/model.c")


@given(manifests())
def test_writing_and_reading_gives_the_same(manifest: Manifest) -> None:
    text = manifest.to_json()
    assert Manifest.from_json(text) == manifest
    assert Manifest.from_json(text).to_json() == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@given(manifests(), st.data())
def test_any_member_replaced_by_anything_is_read_or_refused(manifest: Manifest, data: st.DataObject) -> None:
    document = json.loads(manifest.to_json())
    holder: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
        if not isinstance(holder[key], dict | list) or not holder[key] or data.draw(st.booleans()):
            break
        holder = holder[key]
    holder[key] = data.draw(json_values)
    with only_refused("manifest.json", BundleError):
        Manifest.from_json(json.dumps(document))


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin1")))
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(BundleError, match=r"manifest\.json"):
        Manifest.from_json(text)


def test_duplicate_keys_are_found_in_one_pass() -> None:
    from edgepde_runtime.fields import document

    class Counted(str):
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

    from edgepde_runtime.fields import _distinct

    pairs: list[tuple[str, object]] = [(Counted(f"k{i}"), i) for i in range(2000)]
    with pytest.raises(ValueError, match="'k0' appears twice"):
        _distinct([*pairs, (Counted("k0"), 0)])
    assert Counted.compared < 100
    many = ",".join(f'"k{i}":0' for i in range(200_000))
    with pytest.raises(BundleError, match="x: expected JSON, got key 'k199999' appears twice"):
        document(f'{{{many},"k199999":0}}', "x")
