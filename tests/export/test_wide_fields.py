"""Fields of many outputs go through: proved, small enough, searched with bounded effort."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_export.bundle import BundleContent
from edgepde_export.exporting import export
from edgepde_export.limits import check_limits
from edgepde_export.lowering import certified
from edgepde_export.lowering.instead import Instead, covering
from edgepde_export.lowering.module import lower
from edgepde_export.lowering.options import Options
from edgepde_runtime import bundle as reader
from edgepde_runtime.attack import Search
from edgepde_runtime.box import Box
from edgepde_runtime.certificate import Found, OutputCertificate
from edgepde_runtime.errors import NotVerified
from edgepde_runtime.term import TERMS, Term
from edgepde_runtime.verbs.verify import VerifyOptions, verify
from torch import nn

from edgepde.certify.prove import Proof
from edgepde.certify.search import worst_point

from . import nets

BOX = Box([-1.0, 0.0], [1.0, 1.0], ["x", "t"])


def simulator() -> nn.Module:
    """Two numbers -> [16, 16, 16]."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(2, 12), nn.SiLU(), nn.Linear(12, 32), nn.SiLU(), nn.Unflatten(1, (2, 4, 4)),
        nn.Upsample(scale_factor=4, mode="bilinear"), nn.Conv2d(2, 16, 3, padding=1),
    ).eval()  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its bundle with the reference."""
    folder = tmp_path_factory.mktemp("wide") / "field"
    export(simulator(), folder, domain=BOX, with_reference=True, prove_seconds=3.0)
    return folder


def test_a_field_is_exported_with_a_proof(bundle: Path) -> None:
    made = reader.read(bundle)
    entry = made.certificate.outputs["y"]
    assert {entry.terms[n].class_ for n in ("compression", "quantisation", "rounding", "activation")} == {"sound"}
    assert "carried forwards" in entry.terms["rounding"].how
    assert made.size < 2_000_000
    x = torch.from_numpy(BOX.sample(64, np.random.default_rng(1)).astype(np.float32))
    with torch.no_grad():
        off = (simulator()(x).double() - simulator().double()(x.double())).abs().max()
    assert 0.0 < float(off) <= (entry.on("ort").device_total or 0.0)


def test_its_bundle_survives_an_attack(bundle: Path) -> None:
    report = verify(bundle, VerifyOptions(backend="ort", seconds=0.1, attack=0.5))
    assert {check.status for check in report.checks if check.name.startswith("attack")} == {"pass"}


@pytest.mark.parametrize(("width", "most"), [(1, 25_000), (1 << 15, 3_000), (1 << 18, 1_500)])
def test_searches_of_wide_fields_look_at_fewer_places(width: int, most: int) -> None:
    rows = []

    def error(x: np.ndarray) -> np.ndarray:
        rows.append(len(x))
        return np.square(x).sum(axis=1, keepdims=True)

    found = Search(error, 6, width=width).run(rounds=1)
    assert found.tried <= most
    assert found.value[0] > 5.9
    assert max(rows) * width <= max(1 << 22, 512)
    rows.clear()
    points = np.random.default_rng(0).uniform(-1.0, 1.0, (16, 6))
    box = Box([-1.0] * 6, [1.0] * 6)
    worst = worst_point(lambda x: error(x)[:, 0], points, box, points[:1], width=width)
    assert worst.compared <= most
    assert sum(rows) == worst.compared


class TestUselessBounds:
    """A proved bound above the field itself is no statement: the measured one stands, and everything says so."""

    @pytest.fixture
    def lowered(self, monkeypatch: pytest.MonkeyPatch) -> tuple[OutputCertificate, BundleContent, list[str]]:
        """A network's entry and content with a bound on rounding of no use, and what the export said."""
        proved = certified.prove

        def loose(*arguments: object) -> Proof:
            made = proved(*arguments)  # type: ignore[arg-type]
            for one in (made.rounding, made.any_order):
                one.rounding[:] = 1e4
            return made

        monkeypatch.setattr(certified, "prove", loose)
        said: list[str] = []
        content = lower(nets.mlp(), BOX, Options(log=said.append))
        return content.certificate.outputs["y"], content, said

    def test_the_term_is_measured_and_says_what_was_proved(
        self, lowered: tuple[OutputCertificate, BundleContent, list[str]]
    ) -> None:
        entry, content, said = lowered
        rounding = entry.terms["rounding"]
        assert rounding.class_ == "measured"
        assert entry.sound_total is None
        assert "proved: " in rounding.how
        assert "more than the output itself" in rounding.how
        with torch.no_grad():
            x = torch.from_numpy(BOX.sample(64, np.random.default_rng(1)).astype(np.float32))
            y = nets.mlp()(x).double()
            off = float((y - nets.mlp().double()(x.double())).abs().max())
        assert off <= (entry.device_total or 0.0) < 0.1 * float(y.abs().max())
        assert any("measured, not proved: rounding" in line and "more than the output itself" in line for line in said)
        assert "c99" not in content.certificate.backends

    def test_a_limit_is_not_verified_unless_measured_terms_may_pass(
        self, lowered: tuple[OutputCertificate, BundleContent, list[str]]
    ) -> None:
        _, content, _ = lowered
        with pytest.raises(NotVerified, match=r"rounding: proved: .* more than the output.*--min-class measured"):
            check_limits(content.certificate, 1e-3, None)
        check_limits(content.certificate, 1e-3, "measured")

    def test_it_is_a_bound_s_size_and_not_its_class_that_decides(self) -> None:
        terms = {name: Term(1.0 if name == "compression" else 1e-7, "measured", "seen") for name in TERMS}
        instead = Instead(terms, 0.5, "um", lambda: Term(2e-7, "measured", "searched"), lambda _: None)
        assert instead.useless("rounding", 0.4) == ""
        assert instead.useless("rounding", 0.6).startswith(
            "proved: 0.6 um, more than the output itself, at most 0.5 um"
        )
        assert instead.useless("rounding", np.inf) == "proved: no finite bound"
        assert instead.useless("compression", 3.0) == ""
        assert instead.useless("compression", 30.0)
        assert replace(instead, largest=0.0).useless("rounding", 1.0) == ""
        kept = instead.of("quantisation", "why")
        assert (kept.value, kept.class_, kept.how) == (1e-7, "measured", "seen; why")
        sound = replace(instead, terms={**terms, "quantisation": Term(0.0, "sound", "as is")})
        assert sound.of("quantisation", "why").value == 2e-7

    def test_a_later_search_that_finds_more_raises_what_was_measured(self) -> None:
        terms = {name: Term(0.0, "sound", "none") for name in TERMS}
        terms["rounding"] = Term(1e-3, "measured", "seen")
        assert covering(terms, Found(1e-3, {})) == terms
        more = covering(terms, Found(4e-3, {}))["rounding"]
        assert (more.class_, more.value) == ("measured", pytest.approx(8e-3))
        assert "raised" in more.how
        proved = {**terms, "rounding": Term(1e-3, "sound", "proved")}
        assert covering(proved, Found(4e-3, {})) == proved
