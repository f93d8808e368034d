"""Writing a bundle: whole or not at all, whatever happens."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edgepde_export import bundle, exchange
from edgepde_export.bundle import BundleContent, write
from edgepde_export.errors import TargetError
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Options
from edgepde_runtime import bundle as reader
from edgepde_runtime.box import Box
from edgepde_runtime.errors import BundleError

from . import nets

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"])


def made(activation: str) -> BundleContent:
    content = lower(nets.mlp(activation), BOX, Options(log=lambda _: None))
    return replace(content, name=activation)


@pytest.fixture(scope="module")
def old() -> BundleContent:
    return made("tanh")


@pytest.fixture(scope="module")
def new() -> BundleContent:
    return made("silu")


STEPS: list[tuple[Any, str]] = [
    (Path, "mkdir"),
    (Path, "rename"),
    (bundle, "_write_file"),
    (bundle, "_read_back"),
    (exchange, "_sync"),
    (exchange, "_synchronise"),
    (exchange, "_replace"),
    (exchange, "_exchange"),
    (exchange.shutil, "rmtree"),
]
FAILURES: list[type[BaseException] | OSError] = [
    KeyboardInterrupt,
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    OSError(errno.EROFS, os.strerror(errno.EROFS)),
    RuntimeError,
]


def fail_at(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, *, turn: int, failure: Any, after: bool
) -> Callable[[], bool]:
    """Make the turn-th call of `where.name` fail, before or after doing its work; says whether it came to that."""
    original = getattr(where, name)
    calls = [0]

    def step(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] - 1 != turn:
            return original(*args, **kwargs)
        if after:
            original(*args, **kwargs)
        raise failure

    monkeypatch.setattr(where, name, step)
    return lambda: calls[0] > turn


@pytest.mark.parametrize("one_step", [True, False], ids=["exchange", "aside"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("failure", FAILURES, ids=["ctrl-c", "full", "read-only", "bug"])
@pytest.mark.parametrize(("where", "name"), STEPS, ids=[name for _, name in STEPS])
def test_a_failure_at_any_step_leaves_the_old_bundle_or_the_new_one(
    *,
    where: Any,
    name: str,
    failure: Any,
    after: bool,
    one_step: bool,
    old: BundleContent,
    new: BundleContent,
    tmp_path: Path,
) -> None:
    target = tmp_path / "b"
    reached = True
    turn = 0
    while reached:
        write(target, old)
        with pytest.MonkeyPatch.context() as patch:
            if not one_step:
                patch.setattr(exchange, "_exchange", lambda *_: False)
            came_to_it = fail_at(patch, where, name, turn=turn, failure=failure, after=after)
            try:
                write(target, new)
            except (TargetError, KeyboardInterrupt, RuntimeError):
                assert came_to_it()
            reached = came_to_it()
        assert reader.read(target).manifest.name in {"tanh", "silu"}
        if name != "rmtree":
            assert [p.name for p in tmp_path.iterdir()] == ["b"]
        turn += 1
    write(target, new)
    assert reader.read(target).manifest.name == "silu"
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


@pytest.mark.parametrize(("where", "name"), STEPS[:-2], ids=[name for _, name in STEPS[:-2]])
def test_a_failure_at_the_first_writing_leaves_nothing_or_the_bundle(
    where: Any, name: str, new: BundleContent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "b"
    with monkeypatch.context() as patch:
        came_to_it = fail_at(
            patch, where, name, turn=0, failure=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), after=False
        )
        with pytest.raises(TargetError, match=r"b: cannot be written: No space left on device; nothing was left"):
            write(target, new)
        assert came_to_it()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_the_old_bundle_and_the_next_one_cleans_up(
    old: BundleContent, new: BundleContent, tmp_path: Path
) -> None:
    target = tmp_path / "b"
    write(target, old)
    script = (
        "import os, pathlib, sys\n"
        "from edgepde_export.exchange import building\n"
        "with building(pathlib.Path(sys.argv[1])) as folder:\n"
        "    (folder / 'half').write_text('of a file')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(target)], check=False).returncode == 9
    assert len(list(tmp_path.iterdir())) == 2
    assert reader.read(target).manifest.name == "tanh"
    write(target, new)
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_an_old_bundle_moved_aside_by_a_killed_process_is_put_back(old: BundleContent, tmp_path: Path) -> None:
    target = tmp_path / "b"
    write(target, old)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    target.rename(tmp_path / f".b.old-{gone.pid}-00000000")
    with pytest.raises(RuntimeError, match="stop"), exchange.building(target):
        raise RuntimeError("stop")
    assert reader.read(target).manifest.name == "tanh"
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_what_another_running_process_builds_is_left_alone(new: BundleContent, tmp_path: Path) -> None:
    other = tmp_path / f".b.new-{os.getppid()}-00000000"
    other.mkdir()
    similar = tmp_path / ".b.newest"
    similar.mkdir()
    write(tmp_path / "b", new)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([other.name, similar.name, "b"])


class TestTargets:
    """What a bundle may replace."""

    def test_parents_are_made_and_an_empty_folder_is_taken(self, new: BundleContent, tmp_path: Path) -> None:
        assert write(tmp_path / "a" / "b", new) == tmp_path / "a" / "b"
        (tmp_path / "empty").mkdir()
        write(tmp_path / "empty", new)

    def test_a_file_is_refused(self, new: BundleContent, tmp_path: Path) -> None:
        (tmp_path / "b").write_text("mine")
        with pytest.raises(TargetError, match="b: expected a folder for the bundle, got a file"):
            write(tmp_path / "b", new)
        assert (tmp_path / "b").read_text() == "mine"

    def test_a_folder_that_is_no_bundle_is_refused(self, new: BundleContent, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "thesis.tex").write_text("years")
        with pytest.raises(TargetError, match=r"got a folder with thesis.tex; choose another --out"):
            write(tmp_path / "b", new)
        assert (tmp_path / "b" / "thesis.tex").read_text() == "years"

    def test_a_bundle_with_a_file_of_the_user_s_is_refused(self, new: BundleContent, tmp_path: Path) -> None:
        write(tmp_path / "b", new)
        (tmp_path / "b" / "notes.txt").write_text("mine")
        with pytest.raises(TargetError, match=r"notes.txt"):
            write(tmp_path / "b", new)

    @pytest.mark.parametrize(
        "text", ["{}", "no json", '{"files": {"thesis.tex": 1}}', '{"format_version": 1, "files": 3}']
    )
    def test_some_manifest_does_not_make_a_bundle(self, text: str, new: BundleContent, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "manifest.json").write_text(text)
        with pytest.raises(TargetError, match=r"manifest.json"):
            write(tmp_path / "b", new)

    def test_a_broken_bundle_may_be_replaced(self, new: BundleContent, tmp_path: Path) -> None:
        write(tmp_path / "b", new)
        (tmp_path / "b" / "model.onnx").write_bytes(b"")
        write(tmp_path / "b", new)
        reader.read(tmp_path / "b")

    def test_a_link_is_refused(self, new: BundleContent, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "b").symlink_to("real")
        with pytest.raises(TargetError, match="symbolic link"):
            write(tmp_path / "b", new)

    def test_a_parent_that_is_a_file_is_told(self, new: BundleContent, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("mine")
        with pytest.raises(TargetError, match=r"expected a folder for the bundle, .*a is a file"):
            write(tmp_path / "a" / "b", new)

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
    def test_a_read_only_parent_is_told(self, new: BundleContent, tmp_path: Path) -> None:
        tmp_path.chmod(0o500)
        try:
            with pytest.raises(TargetError, match="cannot be written: Permission denied"):
                write(tmp_path / "b", new)
        finally:
            tmp_path.chmod(0o700)

    def test_a_file_system_that_takes_no_folders_is_told(self, new: BundleContent) -> None:
        with pytest.raises(TargetError, match=r"^/proc/b: cannot be written: .*; nothing was left behind$"):
            write(Path("/proc/b"), new)


def test_content_that_breaks_a_rule_is_never_put_in_place(
    old: BundleContent, new: BundleContent, tmp_path: Path
) -> None:
    target = write(tmp_path / "b", old)
    golden = {**new.golden, "output/y": np.full_like(new.golden["output/y"], np.nan)}
    with pytest.raises(BundleError, match=rf"^{target}/golden.npz: output/y expected finite"):
        write(target, replace(new, golden=golden))
    assert reader.read(target).manifest.name == "tanh"
    assert list(tmp_path.iterdir()) == [target]


def test_optional_files_are_listed_and_deterministic(new: BundleContent, tmp_path: Path) -> None:
    full = replace(new, ledger={"b": 1, "a": [2.5]}, report={"axis0": np.arange(3, dtype=np.float32)})
    first, second = write(tmp_path / "1", full), write(tmp_path / "2", full)
    read = reader.read(first)
    assert {"ledger.json", "report.npz"} <= set(read.manifest.files)
    np.testing.assert_array_equal(read.report["axis0"], [0, 1, 2])
    assert read.id == reader.read(second).id
    write(first, new)
    assert "ledger.json" not in reader.read(first).manifest.files


def test_a_report_above_its_limit_is_refused(new: BundleContent, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((60_000,)).astype(np.float32)
    with pytest.raises(BundleError, match=r"report.npz: expected at most 204800 bytes"):
        write(tmp_path / "b", replace(new, report={"axis0": noise}))
    assert list(tmp_path.iterdir()) == []


def test_the_card_states_bounds_never_below_the_certificate_s(new: BundleContent, tmp_path: Path) -> None:
    read = reader.read(write(tmp_path / "b", new))
    rounding = read.certificate.outputs["y"].terms["rounding"].value
    line = next(line for line in read.card.splitlines() if line.startswith("| rounding"))
    assert rounding is not None
    assert rounding <= float(line.split("|")[2]) <= 1.01 * rounding
    assert "not verified" in next(line for line in read.card.splitlines() if line.startswith("| model"))
    assert "silu" in read.card
