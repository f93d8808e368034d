"""Decoders: what they compute, how they are fitted, that judged errors are the built modules' errors."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.standing_waves import standing

from edgepde.errors import SettingError, TrainingError
from edgepde.factorconv.coefficients import Regression, features, fit_layers, solved
from edgepde.factorconv.decoder import Decoder, DecoderModule
from edgepde.factorconv.decoding import Search, fit_decoders
from edgepde.factorconv.description import from_json
from edgepde.factorconv.members import test_error as error_of
from edgepde.factorconv.tucker import cores, tucker

HOW = Decoder(parameters=2, times=5, rows=6, columns=7, hidden=(8, 9), rank=4, positions=11, axes=(3, 2, 4))
SEARCH = Search(((12, 10),), (0, 2, 6), (4, 10, 30), 20, Regression(iterations=60))
TRAIN, VALIDATION, TEST = standing(60).split(0, 10, 10)
FOUND = fit_decoders(TRAIN, VALIDATION, 0, SEARCH)


def random_decoder(how: Decoder, seed: int = 0) -> DecoderModule:
    made = how.seeded(seed).double()
    assert isinstance(made, DecoderModule)
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for held in made.parameters():
            held.copy_(torch.randn(held.shape, generator=draw, dtype=torch.float64))
        order = torch.randperm(torch.Size(how.axes).numel(), generator=draw)
        made.get_buffer("place").copy_(order.clamp(max=how.positions))
    return made


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 3),
    st.integers(1, 24),
    st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 5)),
    st.integers(0, 9),
)
def test_a_decoder_is_the_sum_it_says(rank: int, positions: int, axes: tuple[int, int, int], seed: int) -> None:
    positions = min(positions, int(np.prod(axes)))
    how = dataclasses.replace(HOW, rank=min(rank, positions), positions=positions, axes=axes)
    made = random_decoder(how, seed)
    x = torch.rand(3, 2, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    h = made.scaled(x)
    for layer in made.waves:
        h = torch.sin(h @ layer.weight.T + layer.bias)
    numbers = made.core(made.mix(h))
    core = torch.zeros(3, int(np.prod(axes)), dtype=torch.float64)
    for flat, place in enumerate(made.get_buffer("place").tolist()):
        if place < positions:
            core[:, flat] = numbers[:, place]
    wanted = torch.einsum("ncba,at,by,cx->ntyx", core.reshape(3, *axes[::-1]), made.time, made.row, made.column)
    torch.testing.assert_close(made(x), wanted)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("axes", (6, 2, 4)),
        ("axes", (3, 2)),
        ("positions", 25),
        ("positions", 0),
        ("rank", 10),
        ("rank", -1),
        ("hidden", ()),
        ("times", 0),
    ],
)
def test_a_description_that_makes_no_sense_names_its_field(field: str, value: Any) -> None:
    with pytest.raises(SettingError, match=field):
        dataclasses.replace(HOW, **{field: value})


def test_a_description_is_kept_as_json() -> None:
    assert from_json(HOW.to_json(), "here") == HOW


def test_bases_are_orthonormal_and_positions_ordered_by_energy() -> None:
    found = tucker(TRAIN.field, 1e-3)
    for basis in found.bases:
        np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-12)
    norm = np.sqrt(np.square(TRAIN.field, dtype=np.float64).sum((1, 2, 3)))
    energy = np.square(found.project(TRAIN.field) / norm[:, None]).sum(0)
    assert (np.diff(energy) <= 1e-12).all()
    left = 1.0 - energy.sum() / len(TRAIN)
    assert 0.0 <= left < 3 * 1e-3**2 + 1e-12


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 40))
def test_the_first_positions_are_the_same_numbers_on_fewer_modes(count: int) -> None:
    whole = tucker(TRAIN.field, 1e-3)
    count = min(count, len(whole.kept))
    part = whole.first(count)
    np.testing.assert_allclose(part.project(TRAIN.field), whole.project(TRAIN.field)[:, :count], atol=1e-12)
    place = part.place
    assert sorted(place[place < count].tolist()) == list(range(count))
    np.testing.assert_allclose(cores(TRAIN.field, part.bases)[:, part.kept], part.project(TRAIN.field))


def test_a_field_of_nothing_does_not_divide_by_zero() -> None:
    silent = TRAIN.field.copy()
    silent[3] = 0.0
    assert np.isfinite(tucker(silent, 1e-3).project(silent)).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 6))
def test_residuals_over_one_less_leverage_are_those_of_leaving_a_case_out(seed: int, columns: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    rows, wanted = (torch.randn(12, n, generator=draw, dtype=torch.float64) for n in (columns, 2))
    weight = torch.rand(12, generator=draw, dtype=torch.float64) + 0.5
    c, leverage = solved(rows, wanted, weight, 1e-2)
    quick = ((rows @ c - wanted) * weight[:, None])[0] / (1.0 - leverage[0])
    # the ridge counts cases: eleven of them have 12 / 11 of it
    without, _ = solved(rows[1:], wanted[1:], weight[1:], 1e-2 * 12 / 11)
    torch.testing.assert_close(quick, (rows[:1] @ without - wanted[:1])[0] * weight[0])


def test_layers_learn_and_the_same_seed_gives_the_same() -> None:
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2.0 - 1.0
    wanted = torch.stack([torch.sin(2.0 * x[:, 0] + x[:, 1]), x[:, 0] * x[:, 1]], dim=1)
    few, _ = fit_layers(x, wanted, torch.ones(50, dtype=torch.float64), (10,), Regression(iterations=10), 0)
    layers, error = fit_layers(x, wanted, torch.ones(50, dtype=torch.float64), (10,), Regression(iterations=200), 0)
    again, same = fit_layers(x, wanted, torch.ones(50, dtype=torch.float64), (10,), Regression(iterations=200), 0)
    assert error == same < 0.02
    assert all(torch.equal(a, b) for one, two in zip(layers, again, strict=True) for a, b in zip(one, two, strict=True))
    assert not torch.equal(features(few, x), features(layers, x))


def test_targets_that_are_not_finite_are_told() -> None:
    x, wanted = torch.zeros(8, 1, dtype=torch.float64), torch.full((8, 1), torch.nan, dtype=torch.float64)
    with pytest.raises(TrainingError, match="leave-one-out"):
        fit_layers(x, wanted, torch.ones(8, dtype=torch.float64), (2,), Regression(iterations=10), 0)


def test_judged_errors_are_those_of_the_modules_built() -> None:
    for candidate in FOUND.candidates:
        module = FOUND.build(candidate)
        assert module.description == candidate.description
        assert sum(p.numel() for p in module.parameters()) == candidate.parameters
        assert error_of(module, VALIDATION).mean == pytest.approx(candidate.validation, rel=1e-3, abs=1e-6)


def test_decoders_learn_standing_waves_and_larger_ones_are_better() -> None:
    front = list(FOUND.frontier())
    assert all(a.parameters < b.parameters and a.validation > b.validation for a, b in pairwise(front))
    best = FOUND.smallest(0.0)
    assert best.validation == min(c.validation for c in FOUND.candidates)
    assert error_of(FOUND.build(best), TEST).mean < 0.1 < front[0].validation
    enough = FOUND.smallest(2.0 * best.validation)
    assert enough.validation <= 2.0 * best.validation
    assert all(c.parameters >= enough.parameters for c in FOUND.candidates if c.validation <= 2.0 * best.validation)


def test_few_cases_make_narrow_decoders_and_too_few_none() -> None:
    found = fit_decoders(TRAIN.take(slice(0, 9)), VALIDATION, 0, SEARCH)
    assert {c.description.hidden for c in found.candidates} == {(3, 3)}
    with pytest.raises(SettingError, match="at least 3 training cases"):
        fit_decoders(TRAIN.take(slice(0, 2)), VALIDATION, 0, SEARCH)


@pytest.mark.parametrize("field", ["hidden", "ranks", "positions"])
def test_a_search_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(SettingError, match=field):
        dataclasses.replace(SEARCH, **{field: ()})
