"""The proved certificate of a plain network: sound terms on the C code, honest ones elsewhere, the worst found."""

from __future__ import annotations

from pathlib import Path

import edgepde_runtime
import numpy as np
import pytest
import torch
from edgepde_export import native
from edgepde_export.bundle import BundleContent
from edgepde_export.exporting import export
from edgepde_export.lowering import certified
from edgepde_export.lowering.measured import load_backends
from edgepde_export.lowering.module import Compression, lower
from edgepde_export.lowering.options import Options
from edgepde_export.passes.clean import serialize
from edgepde_runtime import bundle as reader
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import OutputCertificate
from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.errors import BackendError, BudgetError, InputError
from torch import nn

from edgepde.errors import DataError

from . import nets

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"])


def quiet(_: str) -> None:
    """Says nothing."""


def entry_of(content: BundleContent) -> OutputCertificate:
    return content.certificate.outputs["y"]


def exact(module: nn.Module, x: np.ndarray) -> np.ndarray:
    """The module in float64."""
    with torch.no_grad():
        y: np.ndarray = module.double()(torch.from_numpy(x.astype(np.float64))).numpy()
    return y


def moved(activation: str = "tanh", by: float = 0.125) -> tuple[nn.Module, nn.Module]:
    """A network and the same with its last bias moved."""
    original, shipped = nets.mlp(activation), nets.mlp(activation)
    with torch.no_grad():
        shipped[4].bias += by  # type: ignore[index,operator]
    return original, shipped


@pytest.mark.parametrize("activation", sorted(nets.ACTIVATIONS))
def test_every_term_after_model_is_sound_and_holds_on_every_backend(activation: str) -> None:
    module = nets.mlp(activation)
    content = lower(module, BOX, Options(log=quiet, c99=True))
    x = BOX.sample(20_000, np.random.default_rng(7)).astype(np.float32)
    truth = exact(module, x)
    entry = entry_of(content)
    assert entry.device_class == "sound"
    assert set(content.certificate.backends) == {"c99", "ort", "reference"}
    outputs = edgepde_outputs(content, x)
    for name, y in outputs.items():
        bound = entry.on(name).device_total
        assert bound is not None
        assert 0.0 < np.abs(y - truth).max() <= bound, name
    assert entry.on("ort").device_class == "measured"
    assert entry.on("reference").device_class == ("sound" if activation == "relu" else "measured")


def edgepde_outputs(content: BundleContent, x: np.ndarray) -> dict[str, np.ndarray]:
    """y of every backend, the C code included."""
    signature = (content.inputs, content.outputs)
    backends = load_backends(serialize(content.model), quiet, signature)
    assert sorted(backends) == ["c99", "ort", "reference"]
    return {name: np.asarray(b.run({"x": x})["y"], dtype=np.float64) for name, b in backends.items()}


def test_without_c_code_the_terms_are_those_of_the_c_code_all_the_same() -> None:
    plain, with_c = (entry_of(lower(nets.mlp(), BOX, Options(log=quiet, c99=c99))) for c99 in (False, True))
    assert plain.sound_total == with_c.sound_total
    assert plain.sound_total is not None


def test_what_compression_changed_is_proved_and_nearly_reached() -> None:
    original, shipped = moved()
    entry = entry_of(lower(shipped, BOX, Options(log=quiet), Compression(original, {})))
    term = entry.terms["compression"]
    assert term.class_ == "sound"
    assert term.value is not None
    assert 0.125 - 1e-6 <= term.value <= 0.125 * 1.1 + 1e-6
    assert entry.found is not None
    assert entry.found.against == "reference"
    assert 0.12 <= entry.found.value <= (entry.sound_total or 0.0)
    assert entry.tightness_compression == pytest.approx(term.value / 0.125, rel=1e-2)
    assert entry.tightness_total == pytest.approx((entry.bound_on(entry.found) or 0.0) / entry.found.value)
    assert 1.0 <= entry.tightness_total <= 1.11


def test_constants_the_graph_rounds_are_a_quantisation_term() -> None:
    class Waves(nn.Module):
        """sin(2 pi x): 2 pi is no float32 number."""

        def __init__(self) -> None:
            super().__init__()
            self.last = nn.Linear(2, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.last(torch.sin(6.283185307179586 * x))
            return made

    entry = entry_of(lower(Waves(), BOX, Options(log=quiet)))
    value = entry.terms["quantisation"].value
    assert value is not None
    assert 1e-9 < value < 1e-6
    assert entry.terms["compression"].value == 0.0


class Stairs(nn.Module):
    """Has no sound rule."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.last(torch.floor(4.0 * x))
        return made


def test_an_operation_without_a_rule_is_measured_and_named() -> None:
    said: list[str] = []
    entry = entry_of(lower(Stairs(), BOX, Options(log=said.append)))
    assert entry.device_class == "measured"
    assert entry.sound_total is None
    assert any("measured, not proved" in line and "floor" in line.lower() for line in said)


def test_an_error_beyond_the_proof_stops_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    proved = certified.prove

    def shrunk(*arguments: object) -> object:
        made = proved(*arguments)  # type: ignore[arg-type]
        made.rounding.rounding[:] = 1e-12
        made.rounding.activation[:] = 0.0
        return made

    monkeypatch.setattr(certified, "prove", shrunk)
    with pytest.raises(BackendError, match="beyond the"):
        lower(nets.mlp(), BOX, Options(log=quiet, c99=True))


def test_a_part_of_the_box_has_terms_of_its_own(tmp_path: Path) -> None:
    original, _ = moved()
    shipped = nets.mlp()
    with torch.no_grad():
        shipped[0].weight[:, 0] += 0.05  # type: ignore[index,operator]
    parted = type("Compressed", (), {"module": shipped, "reference": original, "ledger": {}})()
    made = export(parted, tmp_path / "b", domain=BOX, max_error="y=1,y[x=0:0.01]=0.5", log=quiet)
    entry = reader.read(made).certificate.outputs["y"]
    (region,) = entry.regions
    assert dict(region.box) == {"x": (0.0, 0.01)}
    assert region.sound_total is not None
    assert region.sound_total < 0.1 * (entry.sound_total or 0.0)


def test_the_certificate_in_python(tmp_path: Path) -> None:
    made = export(nets.mlp(), tmp_path / "b", domain=BOX, targets=("onnx", "c99"), log=quiet)
    model = edgepde_runtime.load(made, backend="c99")
    assert 0.0 < model.certificate.sound_total < 1e-5


class TestFamily:
    """A network of many columns whose inputs move along few directions."""

    def family(self, columns: int = 24) -> dict[str, np.ndarray]:
        at = np.linspace(0.0, 1.0, columns)
        modes = np.stack([np.sin(np.pi * at), np.cos(np.pi * at)])
        return {"mean": 0.1 * at, "modes": modes, "low": np.array([-1.0, 0.0]), "high": np.array([1.0, 0.5])}

    def test_the_terms_hold_for_its_inputs_and_are_smaller_than_those_of_the_box(self, tmp_path: Path) -> None:
        torch.manual_seed(3)
        original = nn.Sequential(nn.Linear(24, 16), nn.Tanh(), nn.Linear(16, 1))
        shipped = nn.Sequential(nn.Linear(24, 16), nn.Tanh(), nn.Linear(16, 1))
        shipped.load_state_dict(original.state_dict())
        with torch.no_grad():
            shipped[0].weight += 0.01 * torch.randn(16, 24)
        compressed = type("Compressed", (), {"module": shipped, "reference": original, "ledger": {}})()
        np.savez(tmp_path / "family.npz", **self.family())  # type: ignore[arg-type]
        made = export(compressed, tmp_path / "b", family=tmp_path / "family.npz", log=quiet)
        certificate = reader.read(made).certificate
        assert certificate.family is not None
        bound = certificate.sound_total
        a = np.random.default_rng(0).uniform([-1.0, 0.0], [1.0, 0.5], (5000, 2))
        x = (self.family()["mean"] + a @ self.family()["modes"]).astype(np.float32)
        assert certificate.family.contains(x).all()
        seen = np.abs(edgepde_runtime.load(made, backend="reference")(x) - exact(original, x)).max()
        assert 0.3 * bound < seen <= bound
        hull = Box([c.low for c in certificate.box], [c.high for c in certificate.box])
        whole = lower(shipped, hull, Options(log=quiet, seconds=2.0), Compression(original.float(), {}))
        assert (entry_of(whole).sound_total or np.inf) > 1.5 * bound

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"mean": np.zeros(3)}, "modes expected shape"),
            ({"low": np.array([2.0, 0.0])}, "low <= high"),
            ({"modes": np.full((2, 24), np.nan)}, "modes"),
            ({"colour": np.zeros(1)}, "expected mean, modes, low, high"),
        ],
    )
    def test_a_bad_family_is_named(self, change: dict[str, np.ndarray], said: str, tmp_path: Path) -> None:
        np.savez(tmp_path / "family.npz", **{**self.family(), **change})  # type: ignore[arg-type]
        with pytest.raises(DataError, match=f"family.npz.*{said}"):
            export(nets.mlp(), tmp_path / "b", family=tmp_path / "family.npz", log=quiet)


def test_the_accuracy_of_inputs_is_part_of_the_total_only(tmp_path: Path) -> None:
    made = export(nets.mlp(), tmp_path / "b", domain=BOX, input_accuracy="x=1%,t=0.001", log=quiet)
    entry = reader.read(made).certificate.outputs["y"]
    assert entry.terms["sensor"].class_ == "sound"
    assert (entry.terms["sensor"].value or 0.0) > 100.0 * (entry.sound_total or np.inf)
    with pytest.raises(InputError, match="nu"):
        export(nets.mlp(), tmp_path / "c", domain=BOX, input_accuracy="nu=1%", log=quiet)


def test_a_part_of_the_box_has_its_own_sensor_term(tmp_path: Path) -> None:
    limits = "1,[x=0:0.1]=0.5"
    made = export(nets.mlp(), tmp_path / "b", domain=BOX, input_accuracy="x=1%", max_error=limits, log=quiet)
    entry = reader.read(made).certificate.outputs["y"]
    (region,) = entry.regions
    assert 0.0 < (region.terms["sensor"].value or 0.0) < (entry.terms["sensor"].value or 0.0)


def test_limits_and_accuracies_that_mean_nothing_are_refused_before_the_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def proving(*_: object) -> None:
        raise AssertionError("proved")

    monkeypatch.setattr(certified, "prove", proving)
    for options in ({"accuracy": "nu=1%"}, {"limits": ErrorLimits({"z": 1.0})}):
        with pytest.raises((InputError, BudgetError)):
            lower(nets.mlp(), BOX, Options(log=quiet, **options))  # type: ignore[arg-type]


def test_what_was_found_names_its_backend_and_is_never_above_that_backend_s_bound() -> None:
    plain, with_c = (entry_of(lower(nets.mlp(), BOX, Options(log=quiet, c99=c99))) for c99 in (False, True))
    assert plain.found is not None
    assert with_c.found is not None
    assert (plain.found.backend, with_c.found.backend) == ("ort", "")
    for entry in (plain, with_c):
        assert entry.found is not None
        assert entry.found.value <= (entry.bound_on(entry.found) or 0.0)
        assert (entry.tightness_total or 0.0) >= 1.0
    assert plain.on("c99").found is None


def test_a_graph_that_cannot_be_written_as_c_has_the_terms_of_the_backends_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(native, "writable", lambda *_: "node tanh: no C")
    said: list[str] = []
    content = lower(nets.mlp(), BOX, Options(log=said.append))
    assert content.certificate.backends == ("ort", "reference")
    assert entry_of(content).terms["rounding"].class_ == "sound"
    assert entry_of(content).device_class == "measured"
    assert any("node tanh: no C" in line for line in said)


def test_a_bound_goes_nearer_to_the_worst_found_where_the_limit_asks_for_it(tmp_path: Path) -> None:
    """1.1 times the worst found would be above the limit; the worst found and the rounding are not."""
    torch.manual_seed(5)
    original = nets.mlp()
    shipped = nets.mlp()
    with torch.no_grad():
        shipped[0].weight += 0.01 * torch.randn_like(shipped[0].weight)  # type: ignore[index,operator,arg-type]
    compressed = type("Compressed", (), {"module": shipped, "reference": original, "ledger": {}})()
    loose = entry_of(lower(shipped, BOX, Options(log=quiet), Compression(original, {})))
    assert loose.found is not None
    assert loose.sound_total is not None
    limit = 0.3 * loose.sound_total + 0.7 * loose.found.value
    made = export(compressed, tmp_path / "b", domain=BOX, max_error=limit, log=quiet)
    bound = reader.read(made).certificate.sound_total
    assert loose.found.value <= bound <= limit
