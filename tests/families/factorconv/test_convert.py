"""Dense convolutions as factors: the error stated is the true one and bounds what outputs do; ledgers of whole nets."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from edgepde_runtime.errors import InputError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from edgepde.errors import CompressionError
from edgepde.factorconv import FactorConv2d, convert, factorise
from edgepde.factorconv import residual as residual_module
from edgepde.factorconv.fitting._als import Dense, Sums, best
from edgepde.factorconv.forms import names
from edgepde.factorconv.geometry import geometry
from edgepde.factorconv.layers import FactorConv

FORMS = names()
TORCH = ((nn.Conv1d, nn.Conv2d, nn.Conv3d), (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d))


@settings(max_examples=50)
@given(data=st.data())
def test_no_output_errs_by_more_than_is_stated(data: st.DataObject) -> None:
    axes, back = data.draw(st.integers(1, 3)), data.draw(st.booleans())
    kernel = tuple(data.draw(st.lists(st.integers(1, 3), min_size=axes, max_size=axes)))
    how: dict[str, Any] = {"stride": data.draw(st.integers(1, 2)), "dilation": data.draw(st.integers(1, 2))}
    if not back:
        how |= {"padding": 1, "padding_mode": data.draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"]))}
    torch.manual_seed(data.draw(st.integers(0, 999)))
    conv = TORCH[back][axes - 1](3, 4, kernel, **how).double()
    layer, error = convert(conv, data.draw(st.sampled_from(FORMS)), data.draw(st.sampled_from([1, 0.4])))
    left = conv.weight - layer.kernel()
    assert error.absolute == pytest.approx(float(left.detach().norm()), rel=1e-9, abs=1e-12)
    assert error.relative == pytest.approx(float((left.norm() / conv.weight.norm()).detach()), rel=1e-9, abs=1e-12)
    worst = torch.randn(1, 3, *(7,) * axes, dtype=torch.float64)
    for _ in range(6):  # towards the input that errs most: powers of D* D, and signs for the largest value
        x = worst.clone().requires_grad_()
        y = conv(x) - layer(x)
        assert float(y.detach().norm()) <= error.spectral * float(x.detach().norm()) * (1 + 1e-9) + 1e-12
        (worst,) = torch.autograd.grad(y.square().sum() / 2, x)
        worst = worst / worst.norm().clamp_min(1e-300)
        place = y.detach().abs().argmax()
        (slope,) = torch.autograd.grad((conv(x) - layer(x)).flatten()[place], x)
        sharp = (conv(slope.sign()) - layer(slope.sign())).abs().max()
        assert float(sharp.detach()) <= error.sup * (1 + 1e-9) + 1e-12


def test_bounds_are_reached() -> None:
    """Circular convolution on a grid of the period of the worst frequency errs by almost the spectral bound."""
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 4, 3, padding=1, padding_mode="zeros").double()
    layer, error = convert(conv, "tucker2", 1)
    x = torch.randn(1, 3, 40, 40, dtype=torch.float64)
    for _ in range(60):
        x = x.detach().requires_grad_()
        y = conv(x) - layer(x)
        (x,) = torch.autograd.grad(y.square().sum() / 2, x)
        x = x / x.norm()
    reached = float((conv(x) - layer(x)).detach().norm())
    assert 0.8 * error.spectral < reached <= error.spectral
    assert error.spectral < 0.8 * error.sup


@settings(max_examples=40)
@given(kernel=st.lists(st.integers(1, 4), min_size=1, max_size=2), seed=st.integers(0, 999))
def test_symbols_between_the_grid_are_below_the_bound(kernel: list[int], seed: int) -> None:
    """A coarse grid misses the largest norm by up to a third; the bound does not."""
    torch.manual_seed(seed)
    where = geometry(len(kernel), 2, 3, tuple(kernel), 1, 0, 1, "zeros")
    left = torch.randn(where.dense_shape, dtype=torch.float64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual_module, "GRIDS", (3,))
        error = residual_module.residual(where, lambda a, b: left[a:b], lambda a, b: 0 * left[a:b])
    field = torch.fft.fftn(left, s=(120,) * len(kernel), dim=tuple(range(2, left.dim()))).flatten(2).movedim(2, 0)
    largest = float(torch.linalg.matrix_norm(field, 2).max())
    assert largest <= error.spectral <= 2.0 ** len(kernel) * largest


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_finds_the_factors_a_kernel_was_made_of(axes: int, form: str) -> None:
    torch.manual_seed(0)
    conv = TORCH[0][axes - 1](5, 4, 3).double()
    made = convert(conv, form, 1)[0]
    made.reset_parameters()
    with torch.no_grad():
        conv.weight.copy_(made.kernel())
    layer, error = convert(conv, form, made.ranks)
    assert error.relative < 1e-4
    assert layer.ranks == made.ranks
    x = torch.randn(2, 5, *(6,) * axes, dtype=torch.float64)
    torch.testing.assert_close(layer(x), conv(x), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_more_rank_is_less_error_and_the_same_seed_the_same_layer(form: str) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(5, 6, 3)
    errors = [convert(conv, form, share)[1].relative for share in (0.1, 0.5, 1.0)]
    assert errors[0] >= errors[1]
    assert errors[2] < (0.05 if form == "shared" else 1e-6)
    once, again = (convert(conv, form, 0.4)[0] for _ in range(2))
    for one, other in zip(once.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("form", ["svd", "cp", "separable"])
def test_forms_of_singular_vectors_are_the_best_there_is(form: str) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(4, 5, 3).double()
    weight = conv.weight.detach()
    spectra = torch.linalg.svdvals(weight if form != "separable" else weight.flatten(2).transpose(0, 1))
    for rank in (1, 2):
        _, error = convert(conv, form, rank)
        assert error.absolute == pytest.approx(float(spectra[..., rank:].norm()), rel=1e-9)


def smooth(axes: int = 2, inputs: int = 8, outputs: int = 6) -> nn.Module:
    """A convolution whose kernel has few terms and a little of all others."""
    torch.manual_seed(1)
    conv = TORCH[0][axes - 1](inputs, outputs, 5)
    with torch.no_grad():
        conv.weight.mul_(1e-3)
        for _ in range(2):
            made = torch.einsum("t,s->ts", torch.randn(outputs), torch.randn(inputs))
            for _axis in range(axes):
                made = made[..., None] * torch.randn(5)
            conv.weight.add_(made)
    return conv


@pytest.mark.parametrize("form", [name for name in FORMS if name != "dense"])
def test_a_tolerance_is_kept_by_few_numbers(form: str) -> None:
    layer, error = convert(smooth(), form, tolerance=0.02)
    assert error.relative <= 0.02
    assert layer.numbers < layer.dense_numbers
    with pytest.raises(CompressionError, match="more numbers than the kernel has"):
        convert(nn.Conv2d(8, 6, 3), form, tolerance=1e-6)


def test_terms_of_a_sum_that_would_cancel_stay_bounded() -> None:
    """A tensor of rank 3 that sums of two terms approach as these grow: the terms taken do not."""
    a, b = torch.eye(2, dtype=torch.float64)
    parts = [(a, a, b), (a, b, a), (b, a, a)]
    tensor = sum(torch.einsum("i,j,k->ijk", *p) for p in parts)
    for target in (Dense(tensor[None]), Sums([torch.stack([p[m] for p in parts], dim=1)[None] for m in range(3)])):
        factors = best(target, 2, 0)
        found = torch.einsum("nir,njr,nkr->nijk", *factors)[0]
        terms = torch.stack([f.norm(dim=1) for f in factors]).prod(dim=0)
        assert float(terms.norm()) <= 10.0 * float(found.norm())
        assert float((found - tensor).norm()) < 0.5 * float(tensor.norm())


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(8, 8, 5, padding=2),
        nn.Sequential(nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, groups=2), nn.Conv2d(8, 8, 3)),
        nn.ConvTranspose2d(8, 2, 4, stride=2),
    )


def test_a_net_is_converted_with_a_ledger() -> None:
    given = net()
    before = copy.deepcopy(given.state_dict())
    made, ledger = factorise(given, "shared", 8, skip=["1.2"])
    assert [(e.part, e.form, e.why.split(";")[0]) for e in ledger.entries] == [
        ("0", "shared [8]", "ranks [8]"),
        ("1.0", "dense", "a kernel of one point"),
        ("1.1", "dense", "2 groups"),
        ("1.2", "dense", "to be left as it is"),
        ("2", "shared [8]", "ranks [8]"),
    ]
    assert ledger.bytes_after == 4 * sum(p.numel() for p in made.parameters())
    assert ledger.bytes_before == 4 * sum(p.numel() for p in given.parameters())
    for name, value in given.state_dict().items():
        assert torch.equal(value, before[name])
    assert made(torch.randn(1, 8, 12, 12)).shape == given(torch.randn(1, 8, 12, 12)).shape
    assert ledger.entries[0].error == pytest.approx(convert(given[0], "shared", 8)[1].relative)  # type: ignore[index]


def test_layers_that_gain_nothing_stay_dense() -> None:
    made, ledger = factorise(net(), "shared", 40)
    assert isinstance(made[0], FactorConv2d)  # type: ignore[index]
    assert ledger.entries[3].form == "dense"
    assert "holds 880 numbers, K 576" in ledger.entries[3].why
    assert "rank 40 is above 32" in ledger.entries[4].why
    _, tight = factorise(net(), "tt", tolerance=1e-6)
    assert all(e.form == "dense" for e in tight.entries)
    assert "more numbers than the kernel has" in tight.entries[0].why


def test_a_layer_used_twice_is_converted_once() -> None:
    conv = nn.Conv2d(4, 4, 5, padding=2)
    made, ledger = factorise(nn.Sequential(conv, nn.ReLU(), conv), "separable")
    assert len(ledger.entries) == 1
    assert made[0] is made[2]  # type: ignore[index]
    single, _ = factorise(conv, "separable")
    assert isinstance(single, FactorConv)


def test_refuses_what_it_cannot_convert() -> None:
    conv = nn.Conv2d(2, 3, 3)
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (nn.Linear(2, 2), {}, "got Linear"),
        (nn.Conv2d(2, 2, 3, groups=2), {}, "groups"),
        (conv, {"rank": 1, "tolerance": 0.1}, "a rank or a tolerance"),
        (conv, {"tolerance": 1.0}, "below 1"),
        (conv, {"tolerance": float("nan")}, "below 1"),
        (conv, {"rank": 100}, "1 to 18"),
        (conv, {"form": "parafac"}, "expected one of"),
    ]
    for module, how, told in cases:
        with pytest.raises(InputError, match=told):
            convert(module, **how)
    with torch.no_grad():
        conv.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="NaN"):
        convert(conv)
    with pytest.raises(InputError, match="without"):
        factorise(nn.Linear(2, 2))


@pytest.mark.parametrize("form", FORMS)
def test_a_kernel_of_zeros_has_factors(form: str) -> None:
    conv = nn.Conv2d(2, 3, 3)
    nn.init.zeros_(conv.weight)
    layer, error = convert(conv, form, 1)
    assert error.absolute == error.relative == 0.0
    assert all(p.isfinite().all() for p in layer.parameters())
