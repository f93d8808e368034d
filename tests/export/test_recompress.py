"""A bundle made anew: what is kept of the old one, what changes, and whatever fails the old one stays whole."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import edgepde_export
import numpy as np
import pytest
import torch
from edgepde_export import exchange
from edgepde_export.cli.main import app
from edgepde_export.errors import Rejected, TargetError
from edgepde_export.exporting import export
from edgepde_export.lowering.options import Naming
from edgepde_export.recompressing import keeping, rebuilding, settings, source
from edgepde_export.recompressing.answer import Answer
from edgepde_export.recompressing.rebuilding import recompress
from edgepde_runtime import bundle as reader
from edgepde_runtime.box import Box
from edgepde_runtime.drift import Drift
from edgepde_runtime.errors import InputError, NotVerified, StateError
from edgepde_runtime.verbs.verify import VerifyReport
from edgepde_runtime.verdict import FAIL, NOT_VERIFIED, Check
from support.small_nets import plain
from typer.testing import CliRunner

import edgepde
from edgepde.network import store
from edgepde.network.reading import read_module
from edgepde.train.run_folder import Run

from .test_bundle_writing import fail_at

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
QUICK: dict[str, Any] = {"seconds": 1.0, "prove_seconds": 1.0, "log": lambda _: None}
NAMES = Naming("field", "x", "u", "K")


def quiet(_: str) -> None:
    """Says nothing."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A compressed network with its reference, in halves."""
    small = edgepde.compress(plain(width=6), BOX, "u=1e-2", output="u", method="merge", seconds=1.0)
    out = tmp_path_factory.mktemp("first") / "b"
    return export(
        small, out, domain=BOX, with_reference=True, precision="f16w", prove_seconds=1.0, naming=NAMES, log=quiet
    )


@pytest.fixture
def bundle(first: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first, tmp_path / "b"))


def rows(count: int, low: Sequence[float], high: Sequence[float], seed: int = 0) -> np.ndarray:
    return Box(low, high).sample(count, np.random.default_rng(seed)).astype(np.float32)


def drifted(bundle: Path, *parts: np.ndarray) -> Path:
    """The state of a device that saw these rows, the first 400 at commissioning."""
    drift = Drift(reader.read(bundle), unit="row", commissioning=400)
    for part in (rows(400, BOX.low, BOX.high), *parts):
        drift.watch(part)
    path = bundle.parent / "drift.json"
    drift.write(path)
    return path


@pytest.fixture
def moved(bundle: Path) -> Path:
    """The state of a device whose inputs moved to a quarter of the box."""
    return drifted(bundle, rows(600, (-0.9, 0.1), (-0.6, 0.9)))


def written(path: Path, box: Box, module: torch.nn.Module) -> Path:
    """A run of the family network."""
    made = read_module(module, box).rebuilt()
    with Run.start(path, {"made": "by a test"}) as run:
        run.finish(
            store.tensors(made),
            {
                "family": store.FAMILY,
                "architecture": store.architecture(made),
                "problem": {"name": "toy"},
                "box": {"x": box},
                "units": {"u": "K"},
                store.FAMILY: {"input": "x", "output": "u"},
            },
        )
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_settings_are_read_off_the_bundle(first: Path) -> None:
    found = settings.settings(reader.read(first))
    assert (found.naming, found.max_error, found.method) == (NAMES, "u=1e-2", "merge")
    wanted = {"targets": ("onnx",), "cc": (), "precision": "f16w", "with_reference": True, "min_class": "sound"}
    assert wanted.items() <= found.kept.items()


def test_the_reference_is_the_network_that_was_compressed(first: Path) -> None:
    module = source.reference_module(reader.read(first))
    x = torch.from_numpy(BOX.sample(50, np.random.default_rng(0)))
    torch.testing.assert_close(module(x), plain(width=6).double()(x), rtol=0.0, atol=1e-14)


def test_inputs_that_moved_get_the_error_and_the_old_bundle_can_be_put_back(bundle: Path, moved: Path) -> None:
    before = files(bundle)
    made = edgepde_export.recompress(bundle, moved, **QUICK)
    assert [line.startswith("x.x: ") for line in made.words] == [True]
    new = reader.read(bundle)
    (region,) = new.certificate.outputs["u"].regions
    assert list(region.box) == ["x"]
    assert -1.0 <= region.box["x"][0] <= -0.9
    assert -0.6 <= region.box["x"][1] <= 0.0
    assert region.device_total is not None
    assert region.device_total <= 1e-2
    assert new.certificate.outputs["u"].sound_total is not None
    assert settings.settings(new).kept == settings.settings(reader.read(made.before)).kept
    assert keeping.came_from(new) == made.before.name.rpartition("-")[2] + reader.read(made.before).id[8:]
    assert files(made.before) == before
    assert {change.what for change in made.changes} >= {"u: error on the device", "bytes of model.onnx"}
    kept = keeping.roll_back(bundle)
    assert files(bundle) == before
    assert reader.read(kept).id == new.id
    assert sorted(p.name for p in bundle.parent.iterdir()) == sorted(["b", "drift.json", kept.name])
    keeping.roll_back(bundle)
    assert reader.read(bundle).id == new.id


def without(tmp_path: Path, domain: Box = BOX) -> Path:
    """The same network exported without its reference."""
    return export(plain(width=6), tmp_path / "bare", domain=domain, naming=NAMES, prove_seconds=1.0, log=quiet)


def test_inputs_outside_the_box_take_a_run_that_holds_them(tmp_path: Path) -> None:
    net = plain(width=6)
    bundle = export(net, tmp_path / "b", domain=BOX, with_reference=True, prove_seconds=1.0, naming=NAMES, log=quiet)
    state = drifted(bundle, rows(200, (1.0, 0.0), (1.5, 1.0)))
    with pytest.raises(InputError, match=r"nothing says that it is right for x in -1 \.\. 1\.49.*give --run RUN"):
        recompress(bundle, state, **QUICK)
    same = written(tmp_path / "same", BOX, net)
    with pytest.raises(InputError, match="the run speaks for the old box"):
        recompress(bundle, state, run=same, **QUICK)
    larger = written(tmp_path / "larger", Box([-1.0, 0.0], [1.5, 1.0], BOX.names, BOX.units), net)
    made = recompress(bundle, state, run=larger, **QUICK)
    assert [(c.before, c.after) for c in made.changes if c.what == "box of x"] == [("-1 .. 1", "-1 .. 1.5")]
    assert reader.read(bundle).reference is not None


def test_with_neither_run_nor_reference_it_says_so(tmp_path: Path) -> None:
    bare = without(tmp_path)
    state = drifted(bare, rows(600, (-0.9, 0.1), (-0.6, 0.9)))
    found = CliRunner().invoke(app, ["recompress", str(bare), "--because", str(state)])
    assert found.exit_code == 2
    assert "has no reference.npz and no --run RUN is given" in found.output


def test_a_state_of_another_bundle_is_refused(moved: Path, tmp_path: Path) -> None:
    bare = without(tmp_path)
    with pytest.raises(StateError, match="bundle expected"):
        recompress(bare, moved, **QUICK)


def test_a_residual_that_grew_takes_a_run_or_a_smaller_error(first: Path) -> None:
    old = reader.read(first)
    how = settings.settings(old)
    asked = Answer(("residual",), run_needed="would raise it again", smaller_helps=True)
    for error in (None, "u=1e-2", "2e-2", "u=1e-1"):
        with pytest.raises(InputError, match="would raise it again; give --run RUN or an --max-error below"):
            rebuilding._without_run(old, how, asked, error)
    rebuilding._without_run(old, how, asked, "u=5e-3")
    with pytest.raises(InputError, match=r"give --run RUN; it was not compressed"):
        rebuilding._without_run(old, replace(how, ledger={}), asked, "u=5e-3")
    with pytest.raises(InputError, match=r"give --run RUN$"):
        rebuilding._without_run(old, how, replace(asked, smaller_helps=False), "u=5e-3")


@pytest.mark.parametrize("missing", ["because", "both"])
def test_options_that_do_not_go_together(missing: str, bundle: Path, moved: Path) -> None:
    words = ["recompress", str(bundle)] + (["--because", str(moved), "--roll-back"] if missing == "both" else [])
    assert CliRunner().invoke(app, words).exit_code == 2


def rebuilt(bundle: Path, monkeypatch: pytest.MonkeyPatch, made: Path) -> Callable[[], Any]:
    """recompress() with a bundle made already in the place of compressing and exporting."""
    monkeypatch.setattr(rebuilding.spending, "spent", lambda *_: (source.Made(None, None), None))

    def copied(_: Any, target: Path, **__: Any) -> Path:
        return Path(shutil.copytree(made, target))

    monkeypatch.setattr(rebuilding, "export", copied)
    return lambda: recompress(bundle, bundle.parent / "drift.json", anyway=True, **QUICK)


@pytest.fixture(scope="module")
def second(first: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another bundle with the same signature, which came from the first."""
    out = tmp_path_factory.mktemp("second") / "b"
    name = reader.read(first).id

    def noted(content: Any) -> Any:
        return replace(content, ledger={keeping.NOTE: {"from": name}})

    return export(plain(width=6), out, domain=BOX, naming=NAMES, prove_seconds=1.0, log=quiet, adding=noted)


def test_a_new_bundle_with_another_signature_does_not_replace(
    bundle: Path, moved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, before = without(tmp_path, replace(BOX, names=["x", "s"])), files(bundle)
    with pytest.raises(InputError, match=r"input x float32 .* \(x m, t s\) expected, got .* \(x m, s s\)"):
        rebuilt(bundle, monkeypatch, other)()
    assert files(bundle) == before
    assert moved.exists()


def test_without_an_alarm_nothing_is_rebuilt_unless_asked(
    bundle: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = drifted(bundle)
    before = files(bundle)
    assert CliRunner().invoke(app, ["recompress", str(bundle), "--because", str(state)]).exit_code == 2
    assert files(bundle) == before
    made = rebuilt(bundle, monkeypatch, second)()
    assert made.words == (f"{state}: rebuilt all the same",)
    assert files(made.before) == before


@pytest.mark.parametrize(("status", "error"), [(FAIL, Rejected), (NOT_VERIFIED, NotVerified)])
def test_a_new_bundle_that_does_not_pass_never_replaces(
    status: str, error: type[Exception], bundle: Path, moved: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(bundle)

    def judged(path: Path, *_: Any) -> VerifyReport:
        checks = (Check("golden u", status, detail="off by 1"),) if path != bundle else ()
        return VerifyReport(path, "field", "", "ort", checks)

    monkeypatch.setattr(rebuilding, "verify", judged)
    with pytest.raises(error, match=r"golden u: off by 1; the bundle that was there is kept"):
        rebuilt(bundle, monkeypatch, second)()
    assert files(bundle) == before
    assert moved.exists()
    assert sorted(p.name for p in bundle.parent.iterdir()) == ["b", "drift.json"]


STEPS: list[tuple[Any, str]] = [
    (rebuilding, "export"),
    (rebuilding, "verify"),
    (rebuilding, "changes"),
    (exchange, "_synchronise"),
    (exchange, "_exchange"),
    (Path, "rename"),
    (Path, "mkdir"),
]
FAILURES: list[Any] = [KeyboardInterrupt, *(OSError(n, os.strerror(n)) for n in (errno.ENOSPC, errno.EROFS))]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("failure", FAILURES, ids=["ctrl-c", "full", "read-only"])
@pytest.mark.parametrize(("where", "name"), STEPS, ids=[name for _, name in STEPS])
def test_whatever_fails_the_old_bundle_is_whole(
    *,
    where: Any,
    name: str,
    failure: Any,
    after: bool,
    bundle: Path,
    moved: Path,
    second: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = files(bundle)
    call = rebuilt(bundle, monkeypatch, second)
    report = VerifyReport(second, "field", "", "ort", ())
    monkeypatch.setattr(rebuilding, "verify", lambda *_: replace(report, checks=(Check("golden", "pass"),)))
    monkeypatch.setattr(rebuilding, "changes", lambda *_: ())
    with monkeypatch.context() as patch:
        came_to_it = fail_at(patch, where, name, turn=0, failure=failure, after=after)
        with pytest.raises((KeyboardInterrupt, TargetError)):
            call()
        assert came_to_it()
    kept = {p.name for p in bundle.parent.iterdir()} - {"b", "drift.json"}
    if files(bundle) == before:
        assert kept == set()
    else:
        assert files(bundle) == files(second)
        (old,) = kept
        assert files(bundle.parent / old) == before
    assert moved.exists()


def test_a_bundle_that_changed_meanwhile_is_left(
    bundle: Path, moved: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = rebuilt(bundle, monkeypatch, second)

    def meddled(*_: Any) -> tuple[()]:
        shutil.rmtree(bundle)
        shutil.copytree(second, bundle)
        return ()

    monkeypatch.setattr(rebuilding, "changes", meddled)
    with pytest.raises(TargetError, match="changed by somebody else"):
        call()
    assert files(bundle) == files(second)
    assert moved.exists()


class TestRollingBack:
    """The bundle that was replaced comes back, and nothing else does."""

    def test_nothing_is_kept(self, bundle: Path) -> None:
        found = CliRunner().invoke(app, ["recompress", str(bundle), "--roll-back"])
        assert found.exit_code == 2
        assert "nothing to roll back to" in found.output

    def test_a_folder_that_is_not_what_its_name_says_is_no_candidate(self, bundle: Path, second: Path) -> None:
        shutil.copytree(second, bundle.parent / "b.before-00000000")
        with pytest.raises(InputError, match="nothing to roll back to"):
            keeping.roll_back(bundle)

    def test_of_several_the_one_it_came_from(self, first: Path, second: Path, tmp_path: Path) -> None:
        target = tmp_path / "b"
        shutil.copytree(second, target)
        ids = [reader.read(path).id for path in (first, second)]
        for path, id_ in zip((first, second), ids, strict=True):
            shutil.copytree(path, keeping.kept_as(target, id_))
        with pytest.raises(TargetError, match="is in the way"):
            keeping.roll_back(target)
        shutil.rmtree(keeping.kept_as(target, ids[1]))
        keeping.roll_back(target)
        assert files(target) == files(first)

    def test_a_damaged_one_is_refused_and_a_damaged_bundle_is_replaced(
        self, first: Path, second: Path, tmp_path: Path
    ) -> None:
        target = tmp_path / "b"
        shutil.copytree(second, target)
        old = Path(shutil.copytree(first, keeping.kept_as(target, reader.read(first).id)))
        whole = (old / "model.onnx").read_bytes()
        (old / "model.onnx").write_bytes(whole[:-1])
        found = CliRunner().invoke(app, ["recompress", str(target), "--roll-back"])
        assert found.exit_code == 1
        assert files(target) == files(second)
        (old / "model.onnx").write_bytes(whole)
        (target / "model.onnx").unlink()
        keeping.roll_back(target)
        assert files(target) == files(first)

    def test_a_bundle_that_is_away_is_put_back(self, first: Path, tmp_path: Path) -> None:
        target = tmp_path / "b"
        shutil.copytree(first, keeping.kept_as(target, reader.read(first).id))
        assert keeping.roll_back(target) == target
        assert files(target) == files(first)


def test_a_kept_folder_of_somebody_else_is_in_the_way(bundle: Path, moved: Path, second: Path) -> None:
    kept = keeping.kept_as(bundle, reader.read(bundle).id)
    kept.mkdir()
    (kept / "mine.txt").write_text("precious")
    new = Path(shutil.copytree(second, bundle.parent / ".b.new-0-00000000"))
    with pytest.raises(TargetError, match="is in the way"):
        keeping.replace(bundle, new, reader.read(bundle).id)
    assert (kept / "mine.txt").exists()
    assert moved.exists()


def test_what_a_swap_that_died_left_is_cleaned(bundle: Path, second: Path) -> None:
    id_ = reader.read(bundle).id
    shutil.copytree(second, keeping.kept_as(bundle, id_))
    new = Path(shutil.copytree(second, bundle.parent / ".b.new-0-00000000"))
    before = files(bundle)
    old = keeping.replace(bundle, new, id_)
    assert files(old) == before
    assert files(bundle) == files(second)
