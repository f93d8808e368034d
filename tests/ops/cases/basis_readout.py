"""Cases of basis_readout: whole and half bases, one scale and many, columns that fill no vector, ends of the halves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from support.op_cases import Case

DTYPES = ((np.float32, np.float32), (np.float32, np.float16), (np.float64, np.float64), (np.float64, np.float16))
# Rows, terms, columns, scales.
SIZES = ((1, 1, 1, 1), (1, 16, 5, 5), (3, 17, 40, 1), (5, 33, 67, 67), (1, 100, 300, 300), (18, 20, 33, 1))


def cases() -> Iterator[Case]:
    for x_type, basis_type in DTYPES:
        name = f"{np.dtype(x_type)}-{np.dtype(basis_type)}"
        for sizes in SIZES:
            yield made(f"{name}-{'-'.join(map(str, sizes))}", sizes, x_type, basis_type)
        yield made(f"{name}-no-rows", (0, 3, 4, 1), x_type, basis_type)
        yield _extreme(f"{name}-extreme", x_type, basis_type)
    for x_type, value in ((np.float32, np.nan), (np.float64, np.inf)):
        label, inputs, attributes = made(f"{np.dtype(x_type)}-{value}", (3, 5, 20, 20), x_type, np.float16)
        inputs[0][1, 2] = value
        yield label, inputs, attributes


def made(name: str, sizes: tuple[int, int, int, int], x_type: type, basis_type: type, seed: int = 0) -> Case:
    """Normal numbers in these sizes."""
    rows, terms, columns, scales = sizes
    rng = np.random.default_rng(seed + sum(sizes))
    x, basis = rng.standard_normal((rows, terms)), rng.standard_normal((terms, columns))
    return name, [x.astype(x_type), basis.astype(basis_type), rng.standard_normal(scales).astype(x_type)], {}


def _extreme(name: str, x_type: type, basis_type: type) -> Case:
    """A basis near the ends of the halves: below 2^-14, above 2^15, signed zeros."""
    label, (x, basis, scale), attributes = made(name, (2, 18, 37, 37), x_type, basis_type)
    basis.flat[::7], basis.flat[1::7], basis.flat[2::7], basis.flat[3::7] = 2.0**-24, -65504.0, -0.0, 3.1e-6
    return label, [x, basis, scale], attributes
