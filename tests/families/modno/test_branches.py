"""Shared branches: what each computes, deltas, groups, what they are built from."""

import pytest
import torch
from edgepde_runtime.errors import InputError
from families.modno.training_cases import DESCRIPTIONS, INPUTS, branch, inputs
from hypothesis import given
from hypothesis import strategies as st

from edgepde.modno import branches
from edgepde.modno.branches.gaussian import Gaussian
from edgepde.modno.branches.grouped import Grouped
from edgepde.modno.branches.mlp import Mlp


def test_every_kind_has_a_description_here() -> None:
    assert set(branches.names()) == set(DESCRIPTIONS)


@pytest.mark.parametrize("kind", sorted(DESCRIPTIONS))
def test_a_branch_is_rebuilt_from_its_description(kind: str) -> None:
    made = branch(kind)
    again = branches.build(made.description()).double()
    again.load_state_dict(made.state_dict())
    x = inputs(5, 3)
    assert torch.equal(made(x), again(x))
    assert made(x).shape == (5, made.width)
    assert made.numbers == sum(t.numel() for t in made.state_dict().values())


@given(st.integers(0, 10**6), st.floats(0.3, 3.0))
def test_gaussian_is_a_sum_of_bumps(seed: int, width: float) -> None:
    draw = torch.Generator().manual_seed(seed)
    centres, output = (torch.randn(4, n, generator=draw, dtype=torch.float64) for n in (INPUTS, 2))
    x = inputs(5, seed)
    away = (x[:, None] - centres).square().sum(-1) / width**2
    assert torch.allclose(Gaussian.of(centres, width, output)(x), torch.exp(-away / 2) @ output, rtol=0, atol=1e-12)


def test_gaussian_takes_a_width_for_every_input() -> None:
    centres, output = torch.zeros(1, INPUTS, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    made = Gaussian.of(centres, torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64), output)
    x = torch.diag(torch.tensor([1.0, 2.0, 4.0], dtype=torch.float64))
    assert torch.allclose(made(x), torch.full((3, 1), -0.5, dtype=torch.float64).exp())


@pytest.mark.parametrize(
    ("centres", "width", "output", "word"),
    [((2, 3), 0.0, (2, 1), "width"), ((2, 3), float("nan"), (2, 1), "width"), ((2, 3), 1.0, (3, 1), "centres")],
)
def test_gaussian_refuses(centres: tuple[int, int], width: float, output: tuple[int, int], word: str) -> None:
    with pytest.raises(InputError, match=word):
        Gaussian.of(torch.zeros(centres), width, torch.zeros(output))


@given(st.integers(0, 10**6))
def test_a_delta_is_a_low_rank_change_of_the_first_layer(seed: int) -> None:
    made, x = branch("mlp", seed % 7), inputs(5, seed)
    left, right = inputs(INPUTS, seed)[:, :2], inputs(2, seed + 1)
    found = made(x, left, right)
    first = made.get_parameter("layers.0.weight")
    with torch.no_grad():
        first.add_(first @ (left @ right).T)
    assert torch.allclose(found, made(x), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", sorted(DESCRIPTIONS))
def test_a_delta_of_zeros_changes_no_bit(kind: str) -> None:
    made, x = branch(kind), inputs(5, 1)
    zero = torch.zeros(INPUTS, 2, dtype=torch.float64), torch.zeros(2, made.hidden, dtype=torch.float64)
    assert torch.equal(made(x), made(x, *zero))


def test_a_group_reads_its_own_columns() -> None:
    made = branch("grouped")
    assert isinstance(made, Grouped)
    x = inputs(5, 1)
    for place in range(2):
        assert torch.equal(made(x)[:, made.columns(place)], made.part(place)(x))
    assert made.columns(1).stop == made.width


def test_groups_must_take_the_same_inputs() -> None:
    with pytest.raises(InputError, match=r"\[3, 4\]"):
        Grouped([DESCRIPTIONS["mlp"], {**DESCRIPTIONS["mlp"], "inputs": 4}])


@pytest.mark.parametrize(
    ("description", "word"),
    [
        ({"kind": "fourier"}, "gaussian"),
        ({}, "kind"),
        ({**DESCRIPTIONS["mlp"], "inputs": 0}, "inputs"),
        ({**DESCRIPTIONS["mlp"], "inputs": True}, "inputs"),
        ({**DESCRIPTIONS["mlp"], "widths": [4, -1]}, r"widths\[1\]"),
        ({**DESCRIPTIONS["mlp"], "activation": "step"}, "activation"),
        ({**DESCRIPTIONS["mlp"], "colour": 1}, "colour"),
        ({**DESCRIPTIONS["gaussian"], "units": 10**9}, "units"),
    ],
)
def test_a_wrong_description_is_refused(description: dict[str, object], word: str) -> None:
    with pytest.raises(InputError, match=word):
        branches.build(description)


def test_an_mlp_divides_by_the_spread() -> None:
    made = Mlp(INPUTS, 2, (3,)).double()
    x = inputs(4, 0)
    wanted = made(2.0 * x)
    made.scale.fill_(2.0)
    assert torch.equal(made(x), wanted)
