"""Generators: one description, every form; grids, bases and scales; what they refuse; exported with a free batch."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.standing_waves import standing

from edgepde.errors import RunError, SettingError
from edgepde.factorconv import description as descriptions
from edgepde.factorconv.convolving import Finer, Splined, spline
from edgepde.factorconv.description import Description, Generator, UNet, from_json, kinds
from edgepde.factorconv.forms import names
from edgepde.factorconv.generator import GeneratorModule
from edgepde.factorconv.store import parameters_of

FLAT = Generator(parameters=2, times=8, rows=8, columns=8, hidden=(6,), coarse=(4, 4), channels=(6, 4))
SOLID = dataclasses.replace(FLAT, dimension=3, coarse=(2, 2, 2), channels=(6, 5), finish="linear")
X = torch.linspace(0.2, 1.4, 6).reshape(3, 2)


@pytest.mark.parametrize("form", names())
@pytest.mark.parametrize("how", [FLAT, dataclasses.replace(FLAT, modes=3), SOLID], ids=["2d", "modes", "3d"])
def test_one_description_in_every_form(how: Generator, form: str) -> None:
    made = dataclasses.replace(how, form=form).seeded(0)
    out = made(X)
    assert out.shape == (3, 8, 8, 8)
    out.square().sum().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in made.parameters())
    assert parameters_of(made) == sum(p.numel() for p in made.parameters())


def test_a_factorised_twin_is_smaller_and_shares_everything_else() -> None:
    dense, twin = (dataclasses.replace(SOLID, kernel=5, form=form).seeded(0) for form in ("dense", "shared"))
    assert parameters_of(twin) < parameters_of(dense)
    shapes = [{n: p.shape for n, p in m.named_parameters() if "convolution" not in n} for m in (dense, twin)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("padding", "norm"), [("zeros", "none"), ("reflect", "batch"), ("replicate", "instance")])
def test_it_exports_with_a_free_batch(padding: Any, norm: Any) -> None:
    how = dataclasses.replace(FLAT, padding=padding, norm=norm, form="shared", modes=3)
    made = how.seeded(0).eval()
    exported = torch.export.export(made, (X,), dynamic_shapes=({0: torch.export.Dim("M")},)).module()
    for rows in (X, X[:1], X.repeat(5, 1)):
        torch.testing.assert_close(exported(rows), made(rows), rtol=1e-5, atol=1e-6)


def test_rows_do_not_depend_on_each_other() -> None:
    made = dataclasses.replace(SOLID, norm="instance", padding="reflect").seeded(1).eval()
    torch.testing.assert_close(made(X)[1:2], made(X[1:2]), rtol=1e-5, atol=1e-6)


def test_the_seed_is_all_there_is_to_the_start() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first, again, other = (FLAT.seeded(seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_scales_take_the_box_to_one_and_the_field_to_its_unit() -> None:
    data = standing(12, amplitude=7.0)
    made = FLAT.seeded(0)
    assert isinstance(made, GeneratorModule)
    made.fit_scales(data.low, data.high, data.field)
    corners = torch.from_numpy(np.stack([data.low, data.high])).float()
    torch.testing.assert_close(made.scaled(corners), torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    values = made.field(torch.randn(20000, generator=torch.Generator().manual_seed(0)))
    assert float(values.std()) == pytest.approx(data.field.std(), rel=0.05)
    constant = np.array([1.0, 1.0])
    made.fit_scales(constant, constant, data.field)
    assert made.scaled(torch.ones(1, 2)).tolist() == [[0.0, 0.0]]
    made.fit_scales(data.low, data.high, np.full_like(data.field, 3.0))
    assert torch.isfinite(made(X)).all()


def test_the_time_basis_spans_the_fields() -> None:
    data = standing(30)
    made = dataclasses.replace(FLAT, modes=8).seeded(0)
    assert isinstance(made, GeneratorModule)
    made.fit_scales(data.low, data.high, data.field)
    made.fit_basis(data.field)
    basis = made.get_buffer("basis").double()
    flat = torch.from_numpy(np.moveaxis(data.field, 1, -1).reshape(-1, 8)).double() - float(made.get_buffer("offset"))
    flat = flat / float(made.get_buffer("scale"))
    gram = basis @ basis.T
    torch.testing.assert_close(gram, torch.diag(gram.diagonal()), atol=1e-5, rtol=0)
    coordinates = flat @ basis.T / gram.diagonal().clamp(min=1e-12)
    large = gram.diagonal() > 1e-6
    torch.testing.assert_close(
        coordinates.square().mean(0)[large], torch.ones(int(large.sum())).double(), rtol=1e-2, atol=0
    )
    torch.testing.assert_close((coordinates * large) @ basis, flat, atol=2e-3, rtol=0)


@given(n=st.integers(4, 12), size=st.integers(2, 40), at=st.lists(st.floats(-2, 2), min_size=4, max_size=4))
@settings(max_examples=40, deadline=None)
def test_the_spline_is_exact_for_cubics(n: int, size: int, at: list[float]) -> None:
    def cubic(s: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.polyval(at, s)

    found = cubic(np.linspace(0, 1, n)) @ spline(n, size)
    np.testing.assert_allclose(found, cubic(np.linspace(0, 1, size)), atol=1e-9)


def test_splines_act_on_their_own_axis() -> None:
    x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    made = Splined((4, 5), (8, 10))(x)
    rows, columns = (torch.from_numpy(spline(n, m)).float() for n, m in ((4, 8), (5, 10)))
    torch.testing.assert_close(made, torch.einsum("bcij,iy,jx->bcyx", x, rows, columns))
    assert Splined((4, 5), (4, 5))(x) is x
    assert Finer((1, 1), "linear")(x) is x


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kernel": 4}, "kernel: expected an odd number"),
        ({"kernel": 33}, "kernel: expected an odd number"),
        ({"padding": "circular"}, "padding: expected one of zeros"),
        ({"activation": "sin"}, "activation: expected one of"),
        ({"norm": "layer"}, "norm: expected one of"),
        ({"form": "wavelet"}, "form: expected one of cp, dense"),
        ({"rank": 0}, "rank: expected a number above 0"),
        ({"rank": float("nan")}, "rank: expected a number above 0"),
        ({"dimension": 4}, "dimension: expected 2 or 3"),
        ({"coarse": (4, 4, 4)}, "coarse: expected 2 sizes"),
        ({"coarse": (3, 4)}, r"coarse: 2 stages from \(3, 4\) end at \(6, 8\)"),
        ({"channels": ()}, "channels: expected 1 to"),
        ({"hidden": (0,)}, "hidden: expected 1 to"),
        ({"modes": 9}, "modes: expected 0 to 8"),
        ({"finish": "cubic"}, "finish: expected"),
        ({"padding": "reflect", "kernel": 9}, "coarse: expected more than 4 cells for reflection"),
        ({"rows": 1 << 20}, "rows: expected 1 to"),
    ],
)
def test_descriptions_that_make_no_sense_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingError, match=said):
        dataclasses.replace(FLAT, **changes)


def test_modes_are_for_two_dimensions() -> None:
    with pytest.raises(SettingError, match="modes: time is an axis"):
        dataclasses.replace(SOLID, modes=2)


SHOWN = [FLAT, SOLID, UNet(), dataclasses.replace(FLAT, form="tucker2", rank=0.5, ranks=((2, 3), (1, 1)))]


@pytest.mark.parametrize("how", SHOWN)
def test_descriptions_come_back_from_json(how: Description) -> None:
    assert from_json(json.loads(json.dumps(how.to_json())), "here") == how


def test_every_kind_is_known_and_can_be_built() -> None:
    assert {"generator", "unet", "decoder"} <= set(kinds())
    assert Description not in kinds().values()
    assert descriptions.Convolutional not in kinds().values()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "transformer"}, r"here.kind: expected one of decoder, generator, .*got 'transformer'"),
        ({"kernel": True}, "here.kernel: expected int, got True"),
        ({"kernel": 2.0}, "here.kernel: expected int, got 2.0"),
        ({"kernel": 4}, "here.kernel: expected an odd number"),
        ({"coarse": [4, "4"]}, r"here.coarse\[1\]: expected int, got '4'"),
        ({"coarse": 4}, "here.coarse: expected"),
        ({"coarse": [1] * 1000}, "here.coarse: expected"),
        ({"form": 3}, "here.form: expected str, got 3"),
        ({"padding": "round"}, "here.padding: expected 'zeros' or"),
        ({"rank": [2, 0]}, "here.rank: expected"),
        ({"rank": "many"}, "here.rank: expected"),
        ({"ranks": [2]}, r"here.ranks\[0\]: expected"),
        ({"times": 1 << 60}, "here.times: expected 1 to"),
        ({"secret": 1}, r"here: missing \[\], unknown \['secret'\]"),
    ],
)
def test_json_that_states_no_description_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(RunError, match=said):
        from_json({**FLAT.to_json(), **changes}, "here")


def test_json_that_lacks_a_field_is_named() -> None:
    stated = FLAT.to_json()
    del stated["rows"]
    with pytest.raises(RunError, match=r"here: missing \['rows'\]"):
        from_json(stated, "here")
    with pytest.raises(RunError, match="here: expected an object, got list"):
        from_json([], "here")
