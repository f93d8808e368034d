"""torch's face of the op block_low_rank_apply: its product in torch's own operations, and the op with gradients."""

from __future__ import annotations

from typing import Any

import torch
from edgepde_runtime.blocks import check_sizes
from torch import Tensor


def thin_product(x: Tensor, column_groups: Tensor, right: Tensor) -> Tensor:
    """t = concat_g x[:, columns of g] R_g: [B, n] -> [B, T]."""
    parts, at = [], 0
    for start, size, rank in column_groups.tolist():
        parts.append(x[:, start : start + size] @ right[at : at + size * rank].view(size, rank))
        at += size * rank
    return torch.cat(parts, dim=1) if parts else x.new_zeros(len(x), 0)


def wide_product(s: Tensor, row_groups: Tensor, index: Tensor, left: Tensor, rows: int) -> Tensor:
    """y[:, rows of h] += s[:, index of h] L_h: [B, T + n] -> [B, rows]."""
    gathered = s[:, index]
    parts, places, at, read = [], [], 0, 0
    for start, size, count in row_groups.tolist():
        parts.append(gathered[:, read : read + count] @ left[at : at + size * count].view(count, size))
        places.append(torch.arange(start, start + size, device=s.device))
        at, read = at + size * count, read + count
    y = s.new_zeros(len(s), rows)
    return y.index_add(1, torch.cat(places), torch.cat(parts, dim=1)) if parts else y


def blocks_product(
    x: Tensor, column_groups: Tensor, right: Tensor, row_groups: Tensor, index: Tensor, left: Tensor, rows: int
) -> Tensor:
    """The op in differentiable torch operations, to any order and under torch.func; sizes are not checked."""
    right, left = right.to(x.dtype), left.to(x.dtype)
    s = torch.cat([thin_product(x, column_groups, right), x], dim=1)
    return wide_product(s, row_groups, index, left, rows)


@torch.library.custom_op("edgepde::block_low_rank_apply", mutates_args=())
def block_low_rank_apply(
    x: Tensor, column_groups: Tensor, right: Tensor, row_groups: Tensor, index: Tensor, left: Tensor, rows: int
) -> Tensor:
    """y [B, rows] = x A^T for x [B, n]; shapes and meaning as in the op's schema. InputError where sizes disagree."""
    arrays = (v.detach().cpu().numpy() for v in (column_groups, right, row_groups, index, left))
    check_sizes(rows, x.shape[1], *arrays)
    return blocks_product(x, column_groups, right, row_groups, index, left, rows)


@block_low_rank_apply.register_fake
def _(
    x: Tensor, column_groups: Tensor, right: Tensor, row_groups: Tensor, index: Tensor, left: Tensor, rows: int
) -> Tensor:
    return x.new_empty((x.shape[0], rows))


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    del output
    ctx.save_for_backward(*inputs[:6])
    ctx.rows = inputs[6]


def _backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
    """Slopes by x, right and left; differentiable once more, as it is made of torch's own operations."""
    x, column_groups, right, row_groups, index, left = ctx.saved_tensors
    r, l = right.to(x.dtype), left.to(x.dtype)  # noqa: E741
    s = torch.cat([thin_product(x, column_groups, r), x], dim=1)
    gathered = s[:, index]
    into_s, into_left, at, read = [], [], 0, 0
    for start, size, count in row_groups.tolist():
        part = slope[:, start : start + size]
        into_s.append(part @ l[at : at + size * count].view(count, size).t())
        into_left.append((gathered[:, read : read + count].t() @ part).reshape(-1))
        at, read = at + size * count, read + count
    s_slope = torch.zeros_like(s)
    if into_s:
        s_slope = s_slope.index_add(1, index, torch.cat(into_s, dim=1))
    ranks = s.shape[1] - x.shape[1]
    x_slope, into_right, at, first = s_slope[:, ranks:], [], 0, 0
    places, into_x = [], []
    for start, size, rank in column_groups.tolist():
        part = s_slope[:, first : first + rank]
        into_x.append(part @ r[at : at + size * rank].view(size, rank).t())
        places.append(torch.arange(start, start + size, device=x.device))
        into_right.append((x[:, start : start + size].t() @ part).reshape(-1))
        at, first = at + size * rank, first + rank
    if into_x:
        x_slope = x_slope.index_add(1, torch.cat(places), torch.cat(into_x, dim=1))
    right_slope = torch.cat(into_right) if into_right else torch.zeros_like(r)
    left_slope = torch.cat(into_left) if into_left else torch.zeros_like(l)
    return x_slope, None, right_slope.to(right.dtype), None, None, left_slope.to(left.dtype), None


block_low_rank_apply.register_autograd(_backward, setup_context=_remember)
