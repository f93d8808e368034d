"""Bundles whose weights are stored in fewer bits: proved, verified, smaller, the same in C."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_export import export
from edgepde_export.cli import main as cli
from edgepde_export.lowering import plain
from edgepde_export.passes.precision import PRECISIONS
from edgepde_runtime import bundle, load
from edgepde_runtime.__main__ import main
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.errors import InputError, UnsupportedModel
from edgepde_runtime.onnxfile import parse
from edgepde_runtime.verbs.inspect import inspect
from support.kernel_libraries import needs_cc
from torch import nn
from typer.testing import CliRunner

STORED = PRECISIONS[1:]
BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"], ["m", "s"])
X = np.random.default_rng(0).uniform(BOX.low, BOX.high, (500, 2)).astype(np.float32)


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(2, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))


@dataclass(frozen=True)
class Made:
    """A bundle and what its export said."""

    path: Path
    log: list[str]

    @property
    def entry(self) -> OutputCertificate:
        (entry,) = bundle.read(self.path).certificate.outputs.values()
        return entry


def exported(folder: Path, module: nn.Module, precision: str, *, c99: bool = False) -> Made:
    log: list[str] = []
    targets = ["onnx", "c99"] if c99 else ["onnx"]
    path = export(module, folder / precision, domain=BOX, targets=targets, precision=precision, log=log.append)
    return Made(path, log)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("stored")
    return {name: exported(folder, network(), name, c99=True) for name in PRECISIONS}


def reference(x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        y: np.ndarray = network().double()(torch.from_numpy(x).double()).numpy()
    return y


@needs_cc
@pytest.mark.parametrize("precision", STORED)
def test_what_storing_costs_is_proved_and_tight(precision: str, bundles: dict[str, Made]) -> None:
    entry, usual = bundles[precision].entry, bundles["f32"].entry
    term = entry.terms["quantisation"]
    assert term.class_ == "sound"
    assert term.value is not None
    assert entry.sound_total is not None
    assert usual.sound_total is not None
    assert entry.sound_total > 10 * usual.sound_total
    assert entry.found is not None
    assert 0.5 * entry.sound_total < entry.found.value <= entry.sound_total


@needs_cc
@pytest.mark.parametrize("backend", ["c99", "ort", "reference"])
@pytest.mark.parametrize("precision", STORED)
def test_no_backend_is_off_by_more_than_was_proved(precision: str, backend: str, bundles: dict[str, Made]) -> None:
    made = bundles[precision]
    worst = np.abs(load(made.path, backend=backend)(X).astype(np.float64) - reference(X)).max()
    total = made.entry.sound_total
    assert total is not None
    assert worst <= total
    assert worst > 5 * np.abs(load(bundles["f32"].path, backend=backend)(X) - reference(X)).max()


@needs_cc
@pytest.mark.parametrize("backend", ["c99", "ort", "reference"])
@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_golden_data_replays(
    precision: str, backend: str, bundles: dict[str, Made], capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["verify", str(bundles[precision].path), "--backend", backend, "--max-error", "1"])
    assert code in (0, 4), capsys.readouterr().out  # 4: there is no data for the model's own error


@needs_cc
def test_files_and_flash_are_smaller(bundles: dict[str, Made]) -> None:
    plans = {name: bundle.read(made.path).plan for name, made in bundles.items()}
    weights = {name: plan.weights_bytes for name, plan in plans.items() if plan is not None}
    matrices, rows, others = 2 * 24 + 24 * 24 + 24, 24 + 24 + 1, 4 * (24 + 24 + 1) + 16
    slack = 64  # between arrays
    assert weights["f32"] >= 4 * matrices + others
    assert weights["f16w"] <= 2 * matrices + others + slack
    assert weights["i8w"] <= matrices + 4 * rows + others + slack
    sizes = {name: (made.path / "model.onnx").stat().st_size for name, made in bundles.items()}
    assert sizes["f16w"] < sizes["f32"] - matrices
    assert sizes["i8w"] < sizes["f16w"]


@pytest.mark.parametrize(("precision", "dtype"), [("f32", "float32"), ("f16w", "float16"), ("i8w", "int8")])
def test_inspect_says_how_weights_are_stored(precision: str, dtype: str, bundles: dict[str, Made]) -> None:
    rows = inspect(bundles[precision].path).sections["weights"]
    kinds = {kind for name, kind, shape in rows if shape.count(",") and "scale" not in name}
    assert kinds == {dtype}


@needs_cc
def test_equal_bytes_for_equal_exports(bundles: dict[str, Made], tmp_path: Path) -> None:
    again = exported(tmp_path, network(), "i8w", c99=True)
    for name in ("model.onnx", "c99/i8w.c", "c99/i8w.h"):
        assert (again.path / name).read_bytes() == (bundles["i8w"].path / name).read_bytes()


@pytest.mark.parametrize("precision", STORED)
def test_where_nothing_is_proved_it_is_measured(
    precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bundles: dict[str, Made]
) -> None:
    def refuses(*_: object, **__: object) -> None:
        raise UnsupportedModel("no rule")

    monkeypatch.setattr(plain, "from_graph", refuses)
    made, before = (exported(tmp_path, network(), name).entry.terms for name in (precision, "f32"))
    found, usual = made["quantisation"], before["quantisation"]
    proved = bundles[precision].entry.terms["quantisation"].value
    assert (found.class_, usual.class_, usual.value) == ("measured", "sound", 0.0)
    assert found.value is not None
    assert proved is not None
    assert proved < 2 * found.value < 4 * proved
    rounding, other = made["rounding"].value, before["rounding"].value
    assert rounding is not None
    assert other is not None
    assert rounding < 3 * other < found.value


def test_an_onnx_file_is_stored_too(tmp_path: Path, bundles: dict[str, Made]) -> None:
    given = bundles["f32"].path / "model.onnx"
    made = export(given, tmp_path / "again", domain=BOX, precision="f16w", log=lambda _: None)
    kinds = {w.dtype for w in parse((made / "model.onnx").read_bytes()).graph.initializers.values()}
    assert kinds == {np.dtype(np.float16), np.dtype(np.float32)}


def test_an_unknown_precision_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--precision expected f32, f16w, i8w, got 'int4'"):
        export(tmp_path / "nothing.onnx", tmp_path / "out", domain=BOX, precision="int4")
    assert not (tmp_path / "out").exists()


def test_the_command_takes_it(tmp_path: Path, bundles: dict[str, Made]) -> None:
    words = ["export", bundles["f32"].path / "model.onnx", "--domain", "x=-1:1,t=0:1", "--out", tmp_path / "out"]
    done = CliRunner().invoke(cli.app, [str(word) for word in [*words, "--precision", "i8w"]])
    assert done.exit_code == 0, done.output
    assert "precision i8w: 3 matrices" in done.stderr
    written = json.loads((tmp_path / "out" / "certificate.json").read_text())
    assert written["outputs"][0]["terms"]["quantisation"]["value"] > 1e-5
    wrong = CliRunner().invoke(cli.app, [str(word) for word in [*words, "--precision", "f8"]])
    assert wrong.exit_code == 2
