"""Any module of supported layers: exported, run on every backend, and held to its certificate."""

from __future__ import annotations

import logging
from pathlib import Path

import edgepde_export
import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export.errors import BoundExceeded
from edgepde_export.exporting import export
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Naming, Options
from edgepde_runtime import bundle as reader
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, NotVerified, UnsupportedModel
from torch import Tensor, nn

from edgepde.errors import DataError

from . import nets


def quiet(_: str) -> None:
    """A log nobody reads."""


def exact(module: nn.Module, x: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return np.asarray(module.double().eval()(torch.from_numpy(x.astype(np.float64))).numpy())


@pytest.mark.parametrize("activation", sorted(nets.ACTIVATIONS))
def test_every_activation_stays_within_its_certificate(activation: str, box: Box, tmp_path: Path) -> None:
    module = nets.mlp(activation)
    made = export(module, tmp_path / "b", domain=box, log=quiet)
    x = box.sample(500, np.random.default_rng(99)).astype(np.float32)
    for backend in ("ort", "reference"):
        model = edgepde_runtime.load(made, backend=backend)
        bound = model.certificate.outputs["y"].device_total
        assert bound is not None
        assert 0.0 < bound < 1e-5
        assert np.abs(model(x) - exact(module, x)).max() <= bound


@pytest.mark.parametrize("activation", ["tanh", "gelu", "softplus"])
def test_float64_stays_float64(activation: str, box: Box, tmp_path: Path) -> None:
    module = nets.mlp(activation, dtype=torch.float64)
    made = export(module, tmp_path / "b", domain=box, log=quiet)
    certificate = reader.read(made).certificate
    x = box.sample(100, np.random.default_rng(99))
    assert {"c99", "reference"} <= set(certificate.backends)
    for backend in set(certificate.backends) - {"c99"}:
        bound = certificate.on(backend).outputs["y"].device_total
        assert bound is not None
        assert bound < 1e-13
        y = edgepde_runtime.load(made, backend=backend)(x)
        assert y.dtype == np.float64
        assert np.abs(y - exact(module, x)).max() <= bound


def test_nothing_of_the_module_is_changed(box: Box) -> None:
    module = nets.mlp()
    module.train()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    lower(module, box, Options(log=quiet))
    assert module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    assert all(p.dtype == torch.float32 for p in module.parameters())


def test_a_custom_module_with_skips_and_several_columns(tmp_path: Path) -> None:
    class Skip(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.last = nn.Linear(3, 8), nn.Linear(11, 4)

        def forward(self, anything: Tensor) -> Tensor:
            hidden = torch.tanh(self.first(anything))
            return self.last(torch.cat([hidden, anything], dim=1))

    box = Box([0.0] * 3, [1.0] * 3)
    module = Skip()
    made = export(module, tmp_path / "b", domain=box, naming=Naming("skip", "p", "field", "m/s"), log=quiet)
    manifest = reader.read(made).manifest
    assert (manifest.name, manifest.inputs[0].name, manifest.inputs[0].shape) == ("skip", "p", ("M", 3))
    assert (manifest.outputs[0].name, manifest.outputs[0].shape, manifest.outputs[0].unit) == ("field", ("M", 4), "m/s")
    x = box.sample(7, np.random.default_rng(1)).astype(np.float32)
    np.testing.assert_allclose(edgepde_runtime.load(made)(x), exact(module, x), atol=1e-6)


def test_golden_data_has_the_corners_and_lies_in_the_box(box: Box, tmp_path: Path) -> None:
    made = export(nets.mlp(), tmp_path / "b", domain=box, log=quiet)
    golden = reader.read(made).golden
    x = golden.inputs["x"]
    corners = {(np.float32(a), np.float32(b)) for a in (-1.0, 1.0) for b in (0.0, 0.3)}
    assert corners <= {(a, b) for a, b in x}
    np.testing.assert_allclose(golden.outputs["y"], exact(nets.mlp(), x), rtol=1e-12)


def test_two_exports_are_the_same_bytes(box: Box, tmp_path: Path) -> None:
    first, second = (export(nets.mlp(), tmp_path / place / "b", domain=box, log=quiet) for place in ("one", "two"))
    names = sorted(p.name for p in first.iterdir())
    assert names == ["card.md", "certificate.json", "golden.npz", "manifest.json", "model.onnx"]
    assert [(first / n).read_bytes() for n in names] == [(second / n).read_bytes() for n in names]


def test_the_metadata_of_the_model_file_says_box_totals_and_hash(box: Box, tmp_path: Path) -> None:
    from edgepde_runtime.onnxfile import parse

    bundle = reader.read(export(nets.mlp(), tmp_path / "b", domain=box, log=quiet))
    metadata = parse(bundle.model).metadata
    assert sorted(metadata) == ["edgepde.box", "edgepde.classes", "edgepde.model_hash", "edgepde.totals"]
    assert metadata["edgepde.model_hash"] == bundle.manifest.model_hash


class TestModelTerm:
    """The model's own error, with and without data."""

    def test_without_data_it_is_not_verified(self, box: Box) -> None:
        entry = lower(nets.mlp(), box, Options(log=quiet)).certificate.outputs["y"]
        assert (entry.terms["model"].value, entry.terms["model"].class_) == (None, "not verified")
        assert "--data" in entry.terms["model"].how
        assert entry.total is None

    def test_with_data_it_is_what_the_data_shows(self, box: Box, tmp_path: Path) -> None:
        module = nets.mlp()
        x = box.sample(150, np.random.default_rng(5)).astype(np.float32).astype(np.float64)
        y = exact(module, x)
        y[17] += 0.25
        np.savez(tmp_path / "d.npz", x=x, y=y)
        entry = lower(nets.mlp(), box, Options(data=tmp_path / "d.npz", log=quiet)).certificate.outputs["y"]
        assert entry.terms["model"].class_ == "measured"
        assert entry.terms["model"].value == pytest.approx(1.25 * 0.25, rel=1e-9)
        assert entry.total is not None
        assert "on the 150 points of d.npz" in entry.terms["model"].how

    def test_a_few_rows_cannot_speak_for_the_box(self, box: Box, tmp_path: Path) -> None:
        x = box.sample(99, np.random.default_rng(5))
        np.savez(tmp_path / "d.npz", x=x, y=exact(nets.mlp(), x))
        entry = lower(nets.mlp(), box, Options(data=tmp_path / "d.npz", log=quiet)).certificate.outputs["y"]
        assert entry.terms["model"].value is None
        assert "99 held-out rows" in entry.terms["model"].how
        assert entry.total is None

    @pytest.mark.parametrize(
        ("members", "said"),
        [
            ({"x": np.zeros((3, 2))}, "expected members x, y"),
            ({"x": np.zeros((3, 3)), "y": np.zeros((3, 1))}, r"x: expected \[n, 2\]"),
            ({"x": np.zeros((3, 2)), "y": np.zeros((4, 1))}, r"y: expected \[3, 1\]"),
            ({"x": np.zeros((3, 2)), "y": np.full((3, 1), np.nan)}, "y: expected finite"),
            (
                {"x": np.full((3, 2), 9.0), "y": np.zeros((3, 1))},
                r"x: row 0: x expected in \[-1.0, 1.0\], got 9.0 \(3 rows outside\)",
            ),
            ({"x": np.zeros((3, 2), int), "y": np.zeros((3, 1))}, "expected float32 or float64"),
            ({"x": np.array([None]), "y": np.zeros((3, 1))}, "expected"),
        ],
    )
    def test_bad_data_names_file_and_member(
        self, members: dict[str, np.ndarray], said: str, box: Box, tmp_path: Path
    ) -> None:
        np.savez(tmp_path / "d.npz", **members)  # type: ignore[arg-type]
        with pytest.raises(DataError, match=f"d.npz.*{said}"):
            lower(nets.mlp(), box, Options(data=tmp_path / "d.npz", log=quiet))

    def test_missing_or_foreign_data_is_named(self, box: Box, tmp_path: Path) -> None:
        with pytest.raises(DataError, match=r"none.npz: cannot be read"):
            lower(nets.mlp(), box, Options(data=tmp_path / "none.npz", log=quiet))
        (tmp_path / "text.npz").write_text("no zip")
        with pytest.raises(DataError, match=r"text.npz: expected an npz"):
            lower(nets.mlp(), box, Options(data=tmp_path / "text.npz", log=quiet))


@pytest.mark.parametrize(
    ("middle", "said"),
    [
        (nets.Fourier(), r"module 1 \(Fourier\): node \S+ \(DFT\): op DFT has no implementation"),
        (nets.Recurrent(), r"module 1.memory \(LSTM\)"),
        (nets.Branching(), r"module 1 \(Branching\)"),
    ],
)
def test_unsupported_modules_are_named_and_nothing_is_written(
    middle: nn.Module, said: str, box: Box, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        export(nets.around(middle), tmp_path / "b", domain=box, log=quiet)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_name_the_parameter(bad: float, box: Box) -> None:
    module = nets.mlp()
    with torch.no_grad():
        module[2].weight[3, 1] = bad  # type: ignore[index]
    with pytest.raises(UnsupportedModel, match=r"parameter 2.weight: .*1 NaN or infinite"):
        lower(module, box, Options(log=quiet))


def test_a_network_that_overflows_in_the_box_is_refused(box: Box) -> None:
    class Overflows(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.exp(1e4 * x * x)[:, :1]

    with pytest.raises(UnsupportedModel, match="expected finite values everywhere in the box"):
        lower(Overflows(), box, Options(log=quiet))


@pytest.mark.parametrize(("dtype", "name"), [(torch.float16, "float16"), (torch.bfloat16, "bfloat16")])
def test_other_dtypes_name_the_parameter(dtype: torch.dtype, name: str, box: Box) -> None:
    with pytest.raises(UnsupportedModel, match=f"parameter 0.weight: expected float32 or float64, got {name}"):
        lower(nets.mlp(dtype=dtype), box, Options(log=quiet))


def test_mixed_dtypes_name_both(box: Box) -> None:
    module = nn.Sequential(nn.Linear(2, 4), nn.Linear(4, 1).double())
    with pytest.raises(UnsupportedModel, match=r"0.weight float32 and 1.weight float64"):
        lower(module, box, Options(log=quiet))


def test_a_box_of_the_wrong_dimension_is_told_in_columns() -> None:
    with pytest.raises(InputError, match=r"the box has 3 columns \(a, b, c\); the module does not take x \[M, 3\]"):
        lower(nets.mlp(), Box([0] * 3, [1] * 3, ["a", "b", "c"]), Options(log=quiet))


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (lambda x: x.sum(), r"expected y \[M, k\]"),
        (lambda x: {"y": x}, "expected one tensor as output or a tuple, got dict"),
    ],
)
def test_an_output_that_is_not_rows_is_refused(result: object, said: str, box: Box) -> None:
    class Odd(nn.Module):
        def forward(self, x: Tensor) -> object:
            return result(x)  # type: ignore[operator]

    with pytest.raises(UnsupportedModel, match=said):
        lower(Odd(), box, Options(log=quiet))


class TestExport:
    """The function edgepde_export.export."""

    def test_it_is_the_package_s_one_name(self) -> None:
        assert edgepde_export.__all__ == ["export", "recompress"]
        assert edgepde_export.export is export
        with pytest.raises(AttributeError, match="no attribute 'exprot'"):
            _ = edgepde_export.exprot

    def test_a_domain_is_needed(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="--domain"):
            export(nets.mlp(), tmp_path / "b", log=quiet)

    def test_the_domain_may_be_text(self, tmp_path: Path) -> None:
        made = export(nets.mlp(), tmp_path / "b", domain="x=-1:1,t=0:1", log=quiet)
        assert [c.name for c in reader.read(made).manifest.inputs[0].columns] == ["x", "t"]

    def test_a_limit_exceeded_writes_nothing_and_keeps_the_old(self, box: Box, tmp_path: Path) -> None:
        made = export(nets.mlp(), tmp_path / "b", domain=box, max_error=1e-5, log=quiet)
        before = reader.read(made).id
        with pytest.raises(BoundExceeded, match="output y"):
            export(nets.mlp("silu"), made, domain=box, max_error={"y": 1e-30}, log=quiet)
        with pytest.raises(NotVerified, match="output y"):
            export(nets.mlp("silu"), made, domain=box, max_error=6e-8, log=quiet)
        assert reader.read(made).id == before
        assert list(tmp_path.iterdir()) == [made]

    def test_unknown_targets_are_refused(self, box: Box, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="--target"):
            export(nets.mlp(), tmp_path / "b", domain=box, targets=("fortran",), log=quiet)

    def test_a_compress_result_has_a_proved_compression_term(self, box: Box, tmp_path: Path) -> None:
        class Compressed:
            module = nets.mlp()
            reference = nets.mlp()
            ledger = {"parts": []}  # noqa: RUF012

        with torch.no_grad():
            Compressed.module[4].bias += 0.125  # type: ignore[index]
        bundle = reader.read(export(Compressed(), tmp_path / "b", domain=box, log=quiet))
        term = bundle.certificate.outputs["y"].terms["compression"]
        assert (term.class_, term.value) == ("sound", pytest.approx(0.125))
        assert "ledger.json" in bundle.manifest.files

    def test_anything_else_is_an_input_error(self, box: Box, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="got int"):
            export(5, tmp_path / "b", domain=box, log=quiet)


def test_the_library_s_loggers_are_left_as_they_were(box: Box) -> None:
    before = logging.root.manager.disable
    lower(nets.mlp(), box, Options(log=quiet))
    assert logging.root.manager.disable == before
