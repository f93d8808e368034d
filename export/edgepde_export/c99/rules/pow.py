"""Pow with a whole, constant exponent: products in a fixed order."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call, viewed
from ..value import Value

LARGEST = 64


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """x^n for 0 <= n <= 64, its reciprocal for negative n."""
    x, exponent = call.value(0), call.known(1)
    if exponent is None or exponent.size != 1 or not float(exponent.item()).is_integer():
        raise UnsupportedModel("expected one whole number as exponent for the C99 target")
    n = int(exponent.item())
    if abs(n) > LARGEST:
        raise UnsupportedModel(f"expected an exponent of at most {LARGEST}, got {n}")
    power = f"ep_powi_{x.code}({{0}}, {abs(n)})"
    template = power if n >= 0 else f"ep_powi_{x.code}(ep_set_{x.code}(1) / {{0}}, {abs(n)})"
    y = builder.lanes(call, template, [x], ("pow.h",))
    return (viewed(y, ((),) * (exponent.ndim - len(y.shape)) + y.shape),)
