"""What a training may do to its folder, and what the folder refuses."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_runtime.box import Box
from hypothesis import given, settings
from hypothesis import strategies as st

from edgepde.errors import RunError
from edgepde.train import atomic
from edgepde.train.run_folder import Run, open_run

IDENTITY = {"recipe": "toy", "config": {"n": 3, "box": (0.1, 1.0)}, "seed": 1}
SPEC = {"family": "fake", "architecture": "none", "problem": "toy", "box": {"parameters": Box([0.0], [1.0], ["nu"])}}
WEIGHTS = {"b": torch.arange(3.0), "a": torch.eye(2, dtype=torch.float64)}


def test_a_part_comes_back_as_it_was(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    tensors = {
        "view": shared.reshape(2, 3).T,
        "same": shared,
        "scalar": torch.tensor(2, dtype=torch.int64),
        "none": torch.zeros(0, 3),
        "half": torch.ones(2, dtype=torch.bfloat16),
        "mask": torch.tensor([True, False]),
        "grad": torch.ones(2, requires_grad=True),
    }
    meta = {"loss": math.inf, "array": np.arange(2), "n": np.float64(0.5), "text": "ν\n"}
    with Run.start(tmp_path / "run", IDENTITY) as run:
        run.save("s-1", tensors, meta)
        back, told = run.restore("s-1") or ({}, {})
    assert set(back) == set(tensors)
    for name, tensor in tensors.items():
        assert back[name].dtype == tensor.dtype
        assert torch.equal(back[name], tensor.detach())
    assert told == {"loss": math.inf, "array": [0, 1], "n": 0.5, "text": "ν\n"}


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=64), st.lists(st.integers(1, 4), max_size=3))
def test_bits_survive(tmp_path_factory: pytest.TempPathFactory, data: bytes, shape: list[int]) -> None:
    count = math.prod(shape)
    bits = np.frombuffer((data + b"\x7f" * 8 * count)[: 8 * count], dtype=np.int64).reshape(shape).copy()
    with Run.start(tmp_path_factory.mktemp("bits") / "run", IDENTITY) as run:
        run.save("x", {"w": torch.from_numpy(bits).view(torch.float64)}, {})
        back, _ = run.restore("x") or ({}, {})
    assert torch.equal(back["w"].view(torch.int64), torch.from_numpy(bits))


def test_names_are_sorted_and_absent_is_none(tmp_path: Path) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run:
        assert run.names() == []
        assert run.restore("absent") is None
        for name in ("b", "a.1", "c-2"):
            run.save(name, {"w": torch.ones(1)}, {})
        assert run.names() == ["a.1", "b", "c-2"]


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "ü", "a" * 101])
def test_a_part_stays_in_the_folder(tmp_path: Path, name: str) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run:
        with pytest.raises(RunError, match="checkpoint"):
            run.save(name, {}, {})
        with pytest.raises(RunError, match="checkpoint"):
            run.restore(name)


@pytest.mark.parametrize(("bad", "told"), [([1.0], "list"), (torch.ones(1, dtype=torch.complex64), "complex64")])
def test_only_tensors_of_known_dtype_are_saved(tmp_path: Path, bad: object, told: str) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run, pytest.raises(TypeError, match=f"'w'.*{told}"):
        run.save("x", {"w": bad}, {})  # type: ignore[dict-item]


def test_the_same_identity_resumes(tmp_path: Path) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run:
        assert not run.resumed
        run.save("x", {"w": torch.ones(1)}, {})
    with Run.start(tmp_path / "run", {**IDENTITY, "config": {"n": 3, "box": [0.1, 1.0]}}) as run:
        assert run.resumed
        assert run.names() == ["x"]
        assert run.seed == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 2}, "seed: 1 there, 2 asked"),
        ({"config": {"n": 4, "box": (0.1, 1.0)}}, "config.n: 3 there, 4 asked"),
        ({"config": {"n": 3}}, r"config.box: \[0.1, 1.0\] there, None asked"),
        ({"recipe": "other", "seed": 5}, "recipe: 'toy' there, 'other' asked; seed"),
    ],
)
def test_another_identity_is_refused(tmp_path: Path, change: dict[str, object], told: str) -> None:
    Run.start(tmp_path / "run", IDENTITY, command="edgepde train toy").close()
    with pytest.raises(RunError, match=told) as caught:
        Run.start(tmp_path / "run", {**IDENTITY, **change})
    assert "--out" in str(caught.value)
    assert "`edgepde train toy` resumes" in str(caught.value)
    Run.start(tmp_path / "run", IDENTITY).close()


def test_what_fails_before_a_part_is_saved_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(ValueError, match="wrong"), Run.start(folder, {"mesh": "wrong"}):
        raise ValueError("wrong")
    assert not folder.exists()
    with Run.start(folder, {"mesh": "right"}) as run:
        assert not run.resumed


def _removed_then_failing(run: Run) -> None:
    run.close()
    shutil.rmtree(run.path)
    raise ValueError("wrong")


def test_what_fails_after_removing_its_folder_says_why(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="wrong"), Run.start(tmp_path / "run", IDENTITY) as run:
        _removed_then_failing(run)
    assert not (tmp_path / "run").exists()


def _saved_then_failing(run: Run) -> None:
    run.save("part", {"x": torch.zeros(2)}, {})
    run.save("not/allowed", {}, {})


def test_what_fails_after_a_part_is_saved_is_kept(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(RunError, match="not/allowed"), Run.start(folder, {"seed": 1}) as run:
        _saved_then_failing(run)
    assert Run.start(folder, {"seed": 1}).resumed


def test_resume_can_be_refused(tmp_path: Path) -> None:
    Run.start(tmp_path / "run", IDENTITY, resume=False).close()
    with pytest.raises(RunError, match="unfinished"):
        Run.start(tmp_path / "run", IDENTITY, resume=False)


def test_a_finished_run_is_refused(tmp_path: Path) -> None:
    Run.start(tmp_path / "run", IDENTITY).finish(WEIGHTS, SPEC)
    before = (tmp_path / "run/weights.safetensors").read_bytes()
    with pytest.raises(RunError, match=r"finished run.*--out"):
        Run.start(tmp_path / "run", IDENTITY)
    assert (tmp_path / "run/weights.safetensors").read_bytes() == before


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match=r"thesis\.tex.*--out"):
        Run.start(tmp_path, IDENTITY)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_weights_without_a_run_are_foreign(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"mine")
    with pytest.raises(RunError, match=r"weights\.safetensors"):
        Run.start(tmp_path, IDENTITY)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("x")
    with pytest.raises(RunError, match=r"run: expected a folder"):
        Run.start(tmp_path / "run", IDENTITY)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "truncated"),
        (b"[]", "section identity"),
        (b'{"schema_version": 2, "identity": {}}', "schema_version: expected 1, got 2"),
    ],
)
def test_an_altered_identity_is_named(tmp_path: Path, content: bytes, told: str) -> None:
    Run.start(tmp_path / "run", IDENTITY).close()
    (tmp_path / "run/checkpoint/identity.json").write_bytes(content)
    with pytest.raises(RunError, match=rf"identity\.json.*{told}"):
        Run.start(tmp_path / "run", IDENTITY)


def test_two_trainings_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        Run.start(tmp_path / "run", IDENTITY),
        pytest.raises(RunError, match=rf"process {os.getpid()}.*--out"),
    ):
        Run.start(tmp_path / "run", IDENTITY)
    Run.start(tmp_path / "run", IDENTITY).close()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    Run.start(tmp_path / "run", IDENTITY).close()
    (tmp_path / "run/checkpoint/lock").write_text("999999999\n")
    (tmp_path / "run/checkpoint/.tmp-999-abc").write_text("half a file")
    with Run.start(tmp_path / "run", IDENTITY):
        assert (tmp_path / "run/checkpoint/lock").read_text() == f"{os.getpid()}\n"
    assert [p.name for p in (tmp_path / "run/checkpoint").iterdir()] == ["identity.json"]


@pytest.mark.parametrize("how", ["cut", "flip", "empty", "text", "foreign"])
def test_a_broken_part_is_named(tmp_path: Path, how: str) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run:
        run.save("good", {"w": torch.ones(4)}, {})
        run.save("bad", {"w": torch.ones(4)}, {"n": 1})
        path = tmp_path / "run/checkpoint/bad.safetensors"
        data = path.read_bytes()
        header = b'{"w":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
        broken = {
            "cut": data[:-1],
            "flip": data[:-1] + bytes([data[-1] ^ 1]),
            "empty": b"",
            "text": b"hello",
            "foreign": len(header).to_bytes(8, "little") + header,
        }
        path.write_bytes(broken[how])
        with pytest.raises(RunError, match=r"bad\.safetensors.*delete this file"):
            run.restore("bad")
        assert run.restore("good") is not None


def test_every_flipped_byte_is_noticed(tmp_path: Path) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run:
        run.save("x", {"w": torch.tensor([1.0, 2.0])}, {"n": 1})
        path = tmp_path / "run/checkpoint/x.safetensors"
        good, before = path.read_bytes(), run.restore("x")
        assert before is not None
        for i in range(len(good)):
            path.write_bytes(good[:i] + bytes([good[i] ^ 1]) + good[i + 1 :])
            try:
                after = run.restore("x")
            except RunError:
                continue
            assert after is not None
            assert torch.equal(after[0]["w"], before[0]["w"]), f"byte {i}"
            assert after[1] == before[1], f"byte {i}"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    with Run.start(tmp_path / "run", IDENTITY) as run:
        run.save("x", {"w": torch.ones(2)}, {})
        with monkeypatch.context() as patch:
            patch.setattr(atomic.os, "fsync", refuse)
            with pytest.raises(RunError, match=rf"x\.safetensors.*{os.strerror(number)}.*is kept"):
                run.save("x", {"w": torch.zeros(2)}, {})
            with pytest.raises(RunError, match=r"weights\.safetensors"):
                run.finish(WEIGHTS, SPEC)
        kept = run.restore("x")
        assert kept is not None
        assert torch.equal(kept[0]["w"], torch.ones(2))
        assert sorted(p.name for p in (tmp_path / "run/checkpoint").iterdir()) == [
            "identity.json",
            "lock",
            "x.safetensors",
        ]
        run.finish(WEIGHTS, SPEC)


def test_a_target_that_cannot_be_written() -> None:
    with pytest.raises(RunError, match="/proc/edgepde/checkpoint: cannot be written"):
        Run.start("/proc/edgepde", IDENTITY)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_weights_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run:
        with pytest.raises(RunError, match=r"tensor 'a'.*1 of 2"):
            run.finish({"ok": torch.ones(1), "a": torch.tensor([0.0, bad])}, SPEC)
        with pytest.raises(RunError, match=r"reference.*tensor 'r'"):
            run.finish(WEIGHTS, SPEC, reference={"r": torch.tensor([bad])})
        assert [p.name for p in (tmp_path / "run").iterdir()] == ["checkpoint"]
        assert not run.finished


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"extra": 1}, "unknown keys"),
        ({"problem": 3}, "'problem': expected str or dict, got int"),
        ({"family": None}, "'family': expected str"),
        ({"box": {"low": math.nan}}, "box.low: expected a finite number"),
        ({"units": {"u": object()}}, "units.u: expected what JSON holds, got object"),
    ],
)
def test_a_spec_out_of_format_is_refused_before_anything_is_written(
    tmp_path: Path, change: dict[str, object], told: str
) -> None:
    with Run.start(tmp_path / "run", IDENTITY) as run, pytest.raises(RunError, match=f"spec.json.*{told}"):
        run.finish(WEIGHTS, {**SPEC, **change})
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["checkpoint"]


def test_a_finished_run_comes_back(tmp_path: Path) -> None:
    run = Run.start(tmp_path / "run", IDENTITY)
    run.save("x", {"w": torch.ones(1)}, {})
    spec = {**SPEC, "history": {"loss": [1.0, math.nan]}, "units": {"u": "m/s"}, "fake": {"n": np.int64(2)}}
    run.finish(WEIGHTS, spec, reference={"r": torch.ones(1)}, ledger={"layers": []})
    made = open_run(tmp_path / "run")
    assert made.spec["tensors"] == {"a": [[2, 2], "float64"], "b": [[3], "float32"]}
    assert made.spec["history"] == {"loss": [1.0, None]}
    assert made.spec["fake"] == {"n": 2}
    assert made.spec["identity"] == json.loads(json.dumps(IDENTITY))
    assert made.spec["versions"]["torch"] == torch.__version__
    assert Box(**made.spec["box"]["parameters"]) == Box([0.0], [1.0], ["nu"])
    assert {n: t.dtype for n, t in made.weights.items()} == {n: t.dtype for n, t in WEIGHTS.items()}
    assert made.reference is not None
    assert made.ledger == {"layers": []}
    assert sorted(p.name for p in (tmp_path / "run/checkpoint").iterdir()) == ["identity.json", "x.safetensors"]
