"""block_low_rank_apply: groups, index and factors are constants; rows of a tile side by side."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.blocks import check_sizes
from edgepde_runtime.errors import UnsupportedModel
from numpy.typing import NDArray

from ..block_product import BlockProduct, scratch_numbers
from ..building import FLOATS, Builder, Call, refuse_sizes
from ..dims import dim, features, symbols
from ..value import Value, constant

LARGEST = 2**31 - 1


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """x [.., n] -> [.., rows]."""
    x, rows = builder.running(call, call.value(0)), int(call.attributes["rows"])
    known = [call.known(i) for i in range(1, 6)]
    column_groups, right, row_groups, index, left = (v for v in known if v is not None)
    refuse_sizes(x)
    if x.code not in FLOATS or symbols(x.shape[-1:]):
        raise UnsupportedModel(f"expected rows of float32 or float64, got {x.code}")
    for name, factor in (("right", right), ("left", left)):
        if factor.dtype.name not in ("float16", {"f32": "float32", "f64": "float64"}[x.code]):
            raise UnsupportedModel(f"{name}: expected float16 or {x.code}, got {factor.dtype}")
    columns = features(x.shape[-1:])
    check_sizes(rows, columns, column_groups, right, row_groups, index, left)
    if max(rows, columns, right.size, left.size, index.size) > LARGEST:
        raise UnsupportedModel("expected sizes below 2^31 for the C99 target")
    places = [constant(_whole(v)) for v in (column_groups, row_groups, index)]
    factors = [constant(right), constant(left)]
    shape = (*x.shape[:-1], dim(rows))
    output = builder.new(x.code, shape, varying=x.varying)
    most = [int(row_groups[:, i].max(initial=0)) for i in (2, 1)]
    ranks = int(column_groups[:, 2].sum())
    sizes = (len(column_groups), len(row_groups), columns, rows, ranks, *most)
    scratch = builder.new(x.code, (dim(scratch_numbers(ranks, columns, most[0], most[1])),), varying=x.varying)
    inputs = (x, places[0], factors[0], places[1], places[2], factors[1])
    product = BlockProduct(inputs, output, call.label, features(x.shape[:-1]), scratch, sizes)
    return (builder.add(product),)


def _whole(v: NDArray[np.int64]) -> NDArray[np.int32]:
    return v.astype(np.int32)
