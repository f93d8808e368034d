"""The command `edgepde`: what it lists, forwards and says, and the exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import edgepde_runtime.__main__
import numpy as np
import pytest
from edgepde_export import bundle, exporting, lowering
from edgepde_export.cli import main as cli
from edgepde_export.lowering.module import lower as lower_module
from edgepde_export.lowering.options import Options
from edgepde_runtime import bundle as reader
from edgepde_runtime.box import Box
from edgepde_runtime.errors import NotConverged
from edgepde_runtime.term import upward
from typer.testing import CliRunner

from edgepde.train import finished_run

from . import nets

EDGEPDE = [sys.executable, "-m", "edgepde_export.cli"]


def run(*words: object) -> Any:
    return CliRunner().invoke(cli.app, [str(word) for word in words])


def process(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EDGEPDE, *map(str, words)], capture_output=True, text=True, check=False, timeout=300, **options
    )


def export(source: Path, name: str, out: Path, *more: object) -> Any:
    return run("export", f"{source}:{name}", "--out", out, "--domain", "x=-1:1,t=0:1", *more)


class TestListing:
    """Verbs are found in the folder and imported when asked for."""

    def test_every_verb_of_the_folder_is_listed_with_its_docstring(self) -> None:
        listed = run("--help").stdout
        for path in Path(cli.__file__).parent.glob("[!_]*.py"):
            if "\ndef command(" in path.read_text():
                assert f"\n  {path.stem} " in listed

    def test_the_path_comes_first_in_its_order(self) -> None:
        assert cli.verbs()[:5] == ("train", "compress", "export", "verify", "run")

    def test_listing_imports_neither_torch_nor_onnx_and_is_quick(self) -> None:
        script = (
            "import sys, time; began = time.perf_counter()\n"
            "from typer.testing import CliRunner; from edgepde_export.cli.main import app\n"
            "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
            "print(time.perf_counter() - began, sorted({'torch', 'onnx', 'onnxruntime', 'scipy'} & set(sys.modules)))"
        )
        runs = [
            subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True) for _ in "123"
        ]
        seconds, loaded = zip(*(r.stdout.split(" ", 1) for r in runs), strict=True)
        assert set(loaded) == {"[]\n"}
        assert min(map(float, seconds)) < 0.5

    @pytest.mark.parametrize("verb", cli.verbs())
    def test_every_verb_has_help(self, verb: str) -> None:
        found = process(verb, "--help")
        assert found.returncode == 0
        assert verb in found.stdout

    def test_an_unknown_verb_is_a_usage_error(self) -> None:
        assert run("exprot").exit_code == 2

    def test_no_verb_shows_the_list(self) -> None:
        assert "Commands" in run().output


class TestForwarding:
    """Verbs of the runtime get what was typed, and their exit code is the command's."""

    @pytest.mark.parametrize("verb", ["verify", "run", "bench", "inspect", "doctor", "drift"])
    def test_words_and_exit_code_pass_unchanged(self, verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[list[str], str]] = []

        def main(argv: Sequence[str], prog: str) -> int:
            seen.append((list(argv), prog))
            return 4

        monkeypatch.setattr(edgepde_runtime.__main__, "main", main)
        words = ["a bundle", "--json", "-", "--max-error=u=1", "-x", "--help", "--", "--odd"]
        assert run(verb, *words).exit_code == 4
        assert seen == [([verb, *words], "edgepde")]

    def test_a_bundle_is_verified_and_run(self, source: Path, tmp_path: Path) -> None:
        assert export(source, "net", tmp_path / "b").exit_code == 0
        verdict = process("verify", tmp_path / "b")
        assert verdict.returncode == 4
        assert "not verified" in verdict.stdout
        np.savez(tmp_path / "in.npz", x=np.zeros((3, 2), np.float32))
        assert (
            process("run", tmp_path / "b", "--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz").returncode
            == 0
        )
        assert np.load(tmp_path / "out.npz")["y"].shape == (3, 1)


class TestExport:
    """edgepde export."""

    def test_it_says_what_was_written_and_what_comes_next(self, source: Path, tmp_path: Path) -> None:
        found = export(source, "net", tmp_path / "b")
        assert found.exit_code == 0
        written = reader.read(tmp_path / "b")
        assert written.id[:12] in found.stdout
        assert f"next: edgepde verify {tmp_path / 'b'}" in found.stdout
        assert "simplified: " in found.stderr
        assert "simplified" not in found.stdout

    def test_name_is_the_bundles(self, source: Path, tmp_path: Path) -> None:
        assert export(source, "net", tmp_path / "b", "--name", "heat-2d").exit_code == 0
        assert reader.read(tmp_path / "b").manifest.name == "heat-2d"

    def test_data_gives_a_total(self, source: Path, tmp_path: Path) -> None:
        x = Box([-1, 0], [1, 1]).sample(120, np.random.default_rng(0))
        np.savez(tmp_path / "d.npz", x=x, y=np.zeros((120, 1)))
        found = export(source, "net", tmp_path / "b", "--data", tmp_path / "d.npz")
        assert found.exit_code == 0
        total = reader.read(tmp_path / "b").certificate.outputs["y"].total
        assert total is not None
        assert f"total {upward(total)} (measured)" in found.stdout

    @pytest.mark.parametrize(
        ("name", "more", "code", "said"),
        [
            ("fourier", (), 3, "module 1 (Fourier): node"),
            ("poisoned", (), 3, "parameter 2.bias: expected finite numbers"),
            ("net", ("--target", "tflite"), 2, "--target expected onnx, c99, got 'tflite'"),
            ("net", ("--cc", "aarch64-linux-gnu"), 2, "--cc is about the C99 code: add --target c99"),
            ("net", ("--max-ram-kb", "1"), 2, "--max-ram-kb is about the C99 code: add --target c99"),
            (
                "net",
                ("--target", "c99", "--max-flash-kb", "0"),
                2,
                "--max-flash-kb: expected a number above 0, got '0'",
            ),
            ("net", ("--target", "c99", "--cc", "../etc"), 2, "--cc: expected a triple such as"),
            ("net", ("--name", "a name"), 2, "--name expected letters, digits, ., _ and -, got 'a name'"),
            ("net", ("--name", ""), 2, "--name expected letters"),
            ("net", ("--max-error", "1e-30"), 1, "output y: an error of"),
            ("net", ("--max-error", "2e-7"), 4, "output y: the proved bound"),
            ("net", ("--max-error", "y[t=0:2]=1"), 2, "column t"),
            ("net", ("--max-error", "u=1"), 2, "'u' is no certified output"),
            ("net", ("--precision", "i4w"), 2, "--precision"),
            ("net", ("--input-accuracy", "nu=1%"), 2, "no column nu"),
            ("net", ("--prove-seconds", "0"), 2, "--prove-seconds: expected a number above 0"),
            ("net", ("--family", "none.npz"), 2, "none.npz: cannot be read"),
            ("net", ("--min-class", "sure"), 2, "--min-class"),
            ("net", ("--data", "none.npz"), 2, "none.npz: cannot be read"),
            ("net", ("--domain", "0:1"), 2, "the box has 1 columns"),
            ("net", ("--domain", "0:1,1"), 2, "column 1"),
            ("nope", (), 2, "mine.py: expected a callable nope"),
            ("fails", (), 2, "ZeroDivisionError"),
            ("five", (), 2, "got int"),
        ],
    )
    def test_a_refusal_is_one_message_a_code_and_nothing_written(
        self, *, name: str, more: tuple[str, ...], code: int, said: str, source: Path, tmp_path: Path
    ) -> None:
        found = export(source, name, tmp_path / "b", *more)
        assert found.exit_code == code, found.output
        assert said in found.stderr
        assert "Traceback" not in found.output
        assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.py"]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("nowhere", "--out", "b"), "nowhere: expected a run folder"),
            (("mine.py", "--out", "b", "--domain", "0:1"), "expected FILE.py:callable"),
            (("mine.py:net", "--out", "b"), "--domain"),
            (("none.onnx", "--out", "b", "--domain", "0:1"), "none.onnx: cannot be read"),
            (("mine.py:net",), "--out"),
        ],
    )
    def test_usage(self, words: tuple[str, ...], said: str, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(source.parent)
        found = run("export", *words)
        assert found.exit_code == 2
        assert said in found.stderr

    def test_a_folder_that_is_no_run_is_told(self, tmp_path: Path) -> None:
        found = run("export", tmp_path, "--out", tmp_path / "b")
        assert found.exit_code == 2
        assert "expected a run folder" in found.stderr

    def test_a_target_in_use_is_refused_before_any_work(self, source: Path, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "thesis.tex").write_text("years")
        found = export(source, "nope", tmp_path / "b")
        assert found.exit_code == 2
        assert "thesis.tex" in found.stderr


class TestFamilies:
    """A run goes through the lowering of its family."""

    def test_the_family_s_lowering_makes_the_bundle(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: dict[str, Any] = {}

        def lower(path: Path, domain: Box | None, _: float | None, options: Options) -> bundle.BundleContent:
            seen.update(path=path, domain=domain, data=options.data)
            return lower_module(nets.mlp(), Box([-1, 0], [1, 1]), options)

        family = ModuleType(f"{lowering.__name__}.toy")
        family.lower = lower  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, family.__name__, family)
        monkeypatch.setattr(finished_run, "open_run", lambda _: SimpleNamespace(spec={"family": "toy"}))
        monkeypatch.setattr(exporting, "families", lambda: ["toy"])
        (tmp_path / "run").mkdir()
        found = run("export", tmp_path / "run", "--out", tmp_path / "b")
        assert found.exit_code == 0, found.output
        assert (seen["path"], seen["domain"], seen["data"]) == (tmp_path / "run", None, None)
        reader.read(tmp_path / "b")

    def test_an_unknown_family_is_unsupported(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(finished_run, "open_run", lambda _: SimpleNamespace(spec={"family": "../module"}))
        (tmp_path / "run").mkdir()
        found = run("export", tmp_path / "run", "--out", tmp_path / "b")
        assert found.exit_code == 3
        assert "family '../module' has no lowering" in found.stderr

    def test_helpers_of_the_folder_are_no_families(self) -> None:
        assert not {"graph", "module", "support", "onnx_model"} & set(exporting.families())


class TestInterrupted:
    """Ctrl-C leaves the old bundle and nothing beside it."""

    @pytest.mark.parametrize("where", ["_content", "check_limits", "write"])
    def test_in_any_part_of_the_export(
        self, where: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert export(source, "net", tmp_path / "b").exit_code == 0
        before = reader.read(tmp_path / "b").id

        def interrupted(*_: Any) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(exporting, where, interrupted)
        found = export(source, "ready", tmp_path / "b")
        assert found.exit_code == 130
        assert "interrupted" in found.stderr
        assert reader.read(tmp_path / "b").id == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "mine.py"]

    def test_in_the_middle_of_writing(self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        assert export(source, "net", tmp_path / "b").exit_code == 0
        before = reader.read(tmp_path / "b").id

        def interrupted(path: Path, data: bytes) -> None:
            path.write_bytes(data[: len(data) // 2])
            raise KeyboardInterrupt

        monkeypatch.setattr(bundle, "_write_file", interrupted)
        assert export(source, "net", tmp_path / "b", "--seed", 1).exit_code == 130
        assert reader.read(tmp_path / "b").id == before
        assert sorted(p.name for p in tmp_path.iterdir()) == ["b", "mine.py"]

    def test_a_real_signal(self, tmp_path: Path) -> None:
        slow = tmp_path / "slow.py"
        slow.write_text("import time\ndef net():\n    print('waiting', flush=True)\n    time.sleep(60)\n")
        words = [*EDGEPDE, "export", f"{slow}:net", "--out", str(tmp_path / "b"), "--domain", "0:1"]
        child = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "waiting\n"
        os.kill(child.pid, signal.SIGINT)
        began = time.monotonic()
        _, said = child.communicate(timeout=60)
        assert time.monotonic() - began < 30
        assert child.returncode == 130
        assert "Traceback" not in said
        assert [p.name for p in tmp_path.iterdir()] == ["slow.py"]


class TestCompress:
    """edgepde compress, before it starts."""

    def test_a_module_of_one_s_own_needs_its_box(self, source: Path, tmp_path: Path) -> None:
        found = run("compress", f"{source}:net", "--out", tmp_path / "r", "--max-error", "1e-3")
        assert found.exit_code == 2
        assert "--domain" in found.stderr

    @pytest.mark.parametrize("words", [(), ("--max-error", "1e-3", "--sweep", "1e-4:1e-2")])
    def test_either_an_error_or_a_sweep(self, words: tuple[str, ...], tmp_path: Path) -> None:
        found = run("compress", tmp_path, "--out", tmp_path / "r", *words)
        assert found.exit_code == 2
        assert "--max-error" in found.stderr


def test_errors_of_the_runtime_keep_their_exit_codes(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise NotConverged("rows 1, 2")

    monkeypatch.setattr(exporting, "_content", fails)
    expected = edgepde_runtime.__main__.EXIT_CODES[NotConverged]
    assert export(source, "net", tmp_path / "b").exit_code == expected


def test_a_bug_keeps_its_traceback(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def bug(*_: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(exporting, "_content", bug)
    assert isinstance(export(source, "net", tmp_path / "b").exception, ZeroDivisionError)


def test_the_installed_command_is_this_one() -> None:
    command = Path(sys.executable).with_name("edgepde")
    found = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert found.stdout == process("--help").stdout.replace("python -m edgepde_export.cli", "edgepde")
