"""Fields of many outputs go through: proved, small enough, searched with bounded effort."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from edgepde_export.exporting import export
from edgepde_runtime import bundle as reader
from edgepde_runtime.attack import Search
from edgepde_runtime.box import Box
from edgepde_runtime.verbs.verify import VerifyOptions, verify
from torch import nn

from edgepde.certify.search import worst_point

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
