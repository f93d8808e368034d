"""Every way a finished run can be broken, and what its reader says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from edgepde.errors import RunError
from edgepde.train import spec as text
from edgepde.train import tensor_file
from edgepde.train.run_folder import Run, open_run

SPEC = {"family": "fake", "architecture": "none", "problem": "toy", "box": {}}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    Run.start(tmp_path / "run", {"seed": 0}).finish({"a": torch.ones(2, 3)}, SPEC)
    return tmp_path / "run"


def edit(run: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    spec = json.loads((run / "spec.json").read_text())
    change(spec)
    (run / "spec.json").write_text(json.dumps(spec))


def test_no_folder_no_run_and_an_unfinished_one(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="there is none"):
        open_run(tmp_path / "absent")
    with pytest.raises(RunError, match=r"no spec\.json"):
        open_run(tmp_path)
    Run.start(tmp_path / "run", {}, command="edgepde train toy --out run").close()
    with pytest.raises(RunError, match="not finished; `edgepde train toy --out run` resumes"):
        open_run(tmp_path / "run")


@pytest.mark.parametrize("version", [2, 0, "1", None, True, 1.0])
def test_another_schema_version(run: Path, version: object) -> None:
    edit(run, lambda spec: spec.update(schema_version=version))
    with pytest.raises(RunError, match=r"spec\.json: schema_version: expected 1"):
        open_run(run)


@pytest.mark.parametrize("key", sorted(text.KINDS))
def test_a_missing_or_mistyped_key_is_named(run: Path, key: str) -> None:
    before = (run / "spec.json").read_text()
    edit(run, lambda spec: spec.pop(key))
    with pytest.raises(RunError, match=rf"spec\.json.*{key}"):
        open_run(run)
    (run / "spec.json").write_text(before)
    edit(run, lambda spec: spec.update({key: True}))
    with pytest.raises(RunError, match=rf"spec\.json.*{key}"):
        open_run(run)


def test_unknown_keys_only_in_the_family_section(run: Path) -> None:
    edit(run, lambda spec: spec.update(fake={"anything": 1}))
    assert open_run(run).spec["fake"] == {"anything": 1}
    edit(run, lambda spec: spec.update(hmatrix={}))
    with pytest.raises(RunError, match=r"unknown keys \['hmatrix'\]"):
        open_run(run)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b'{"a": NaN}', b"[" * 100_000])
def test_a_spec_that_is_no_document(run: Path, content: bytes) -> None:
    (run / "spec.json").write_bytes(content)
    with pytest.raises(RunError, match=r"spec\.json"):
        open_run(run)


def test_a_spec_too_large_is_not_read(run: Path) -> None:
    with open(run / "spec.json", "ab") as file:
        file.truncate(text.LIMIT_BYTES + 1)
    with pytest.raises(RunError, match=r"spec\.json: expected at most"):
        open_run(run)


@pytest.mark.parametrize(
    "entry",
    [[[3, 2], "float32"], [[2, 3], "float64"], [[2, 3], "object"], [[-1], "float32"], [[True], "float32"], "x", []],
)
def test_shapes_that_disagree(run: Path, entry: object) -> None:
    edit(run, lambda spec: spec["tensors"].update(a=entry))
    with pytest.raises(RunError, match=r"(tensor 'a'|tensors\.a)"):
        open_run(run)


@pytest.mark.parametrize("tensors", [{}, {"a": [[2, 3], "float32"], "b": [[1], "float32"]}])
def test_tensors_missing_or_unlisted(run: Path, tensors: dict[str, Any]) -> None:
    edit(run, lambda spec: spec.update(tensors=tensors))
    with pytest.raises(RunError, match=r"weights\.safetensors: expected the tensors of spec"):
        open_run(run)


def test_weights_missing_cut_altered_or_exchanged(run: Path) -> None:
    weights = run / "weights.safetensors"
    good = weights.read_bytes()
    for bad in (good[:-1], good + b"x", good[:-1] + bytes([good[-1] ^ 1]), b""):
        weights.write_bytes(bad)
        with pytest.raises(RunError, match=r"weights\.safetensors: (truncated or )?altered"):
            open_run(run)
    weights.write_bytes(tensor_file.encode({"a": torch.zeros(2, 3)}, {"family": "fake"}))
    with pytest.raises(RunError, match="weights_sha256"):
        open_run(run)
    weights.unlink()
    with pytest.raises(RunError, match=r"weights\.safetensors: missing"):
        open_run(run)


def test_weights_too_large_are_not_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_file, "LIMIT_BYTES", 10)
    with pytest.raises(RunError, match=r"weights\.safetensors: expected at most 10 bytes"):
        open_run(run)


def test_nan_smuggled_into_the_weights(run: Path) -> None:
    (run / "weights.safetensors").write_bytes(tensor_file.encode({"a": torch.full((2, 3), torch.nan)}, {}))
    with pytest.raises(RunError, match=r"weights\.safetensors: tensor 'a'.*6 of 6 NaN"):
        open_run(run)


def test_a_newer_tensor_file(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor_file, "FORMAT", 2)
    newer = tensor_file.encode({"a": torch.ones(2, 3)}, {})
    monkeypatch.undo()
    (run / "weights.safetensors").write_bytes(newer)
    with pytest.raises(RunError, match="expected format at most 1, got '2'"):
        open_run(run)
