"""torch's op block_low_rank_apply: gradients of every order, both precisions, halves, torch.export and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from edgepde_runtime.errors import InputError
from edgepde_runtime.rooms import Room
from support.packed_blocks import Packed, dense_alone, ladder, low_rank_alone, packed

from edgepde.hmatrix.block_low_rank_apply import block_low_rank_apply, blocks_product

ROOM = Room("block_low_rank_apply")
OVERLAPPING = packed("overlapping", 9, 8, [[0, 5, 2], [3, 5, 3]], [[0, 4, 3], [2, 5, 6], [2, 4, 2]], seed=5, twice=True)
EVERY = [ladder(n=17, leaf=5, rank=1), low_rank_alone(), dense_alone(), OVERLAPPING]


def tensors(blocks: Packed, batch: int = 2, dtype: torch.dtype = torch.float64) -> list[torch.Tensor]:
    x = torch.randn(batch, blocks.columns, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return [
        x,
        *(torch.from_numpy(np.array(v)).to(dtype if v.dtype.kind == "f" else torch.int64) for v in blocks.arrays()),
    ]


def of_floats(blocks: Packed, function: Any = block_low_rank_apply) -> tuple[Any, tuple[torch.Tensor, ...]]:
    """The op as a function of x, right and left, and where to take its derivatives."""
    x, column_groups, right, row_groups, index, left = tensors(blocks)

    def apply(x: torch.Tensor, right: torch.Tensor, left: torch.Tensor) -> torch.Tensor:
        return function(x, column_groups, right, row_groups, index, left, blocks.rows)

    return apply, tuple(v.requires_grad_() for v in (x, right, left) if v.numel())


@pytest.mark.parametrize("blocks", [b for b in EVERY if b.right.size], ids=lambda b: b.name)
def test_first_and_second_derivatives_are_those_of_differences(blocks: Packed) -> None:
    apply, where = of_floats(blocks)
    assert torch.autograd.gradcheck(apply, where)
    assert torch.autograd.gradgradcheck(apply, where)


def test_dense_blocks_alone_have_gradients() -> None:
    x, column_groups, right, row_groups, index, left = tensors(dense_alone())
    assert torch.autograd.gradcheck(
        lambda x, left: block_low_rank_apply(x, column_groups, right, row_groups, index, left, 19),
        (x.requires_grad_(), left.requires_grad_()),
    )


@pytest.mark.parametrize("blocks", EVERY, ids=lambda b: b.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_rooms_definition(blocks: Packed, dtype: torch.dtype) -> None:
    given = tensors(blocks, 5, dtype)
    (wanted,) = ROOM.run([v.numpy() for v in given], {"rows": blocks.rows})
    for function in (block_low_rank_apply, blocks_product):
        y = function(*given, blocks.rows)
        assert y.dtype == dtype
        np.testing.assert_allclose(y.numpy(), wanted, rtol=0, atol=1e-4 if dtype == torch.float32 else 1e-12)


def test_halves_get_gradients_as_halves() -> None:
    blocks = ladder()
    x, column_groups, right, row_groups, index, left = tensors(blocks, 3, torch.float32)
    halves = [v.half().requires_grad_() for v in (right, left)]
    whole = [v.detach().float().requires_grad_() for v in halves]
    for one, two in (halves, whole):
        block_low_rank_apply(x, column_groups, one, row_groups, index, two, blocks.rows).square().sum().backward()
    for half, full in zip(halves, whole, strict=True):
        assert half.grad is not None
        assert half.grad.dtype == torch.float16
        torch.testing.assert_close(half.grad.float(), full.grad, rtol=2e-3, atol=2e-2)


def test_torch_export_keeps_one_node_for_any_number_of_rows() -> None:
    blocks = ladder()

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for i, v in enumerate(tensors(blocks)[1:]):
                self.register_buffer(f"v{i}", v)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tanh(block_low_rank_apply(x, self.v0, self.v1, self.v2, self.v3, self.v4, blocks.rows))

    made = torch.export.export(
        Layer(), (tensors(blocks, 4)[0],), dynamic_shapes=({0: torch.export.Dim("B", min=1, max=64)},)
    )
    assert [n.target for n in made.graph.nodes].count(torch.ops.edgepde.block_low_rank_apply.default) == 1
    torch.testing.assert_close(made.module()(tensors(blocks, 7)[0]), Layer()(tensors(blocks, 7)[0]))


@pytest.mark.parametrize(
    ("number", "value", "said"),
    [(1, 99, "column_groups"), (3, -1, "row_groups"), (4, 10**6, "index"), (4, -1, "index")],
)
def test_groups_that_do_not_fit_are_errors(number: int, value: int, said: str) -> None:
    given = tensors(ladder())
    given[number].view(-1)[0] = value
    with pytest.raises(InputError, match=said):
        block_low_rank_apply(*given, 41)
