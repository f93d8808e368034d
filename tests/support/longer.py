"""Networks in extended precision, numpy's long double: what a bound of float64 arithmetic is judged by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edgepde.certify import network as nw

Long = NDArray[np.longdouble]
TERMS = 240
STEEPEST = 1.2
EPS = np.finfo(np.longdouble).eps


def evaluate(net: nw.Network, x: NDArray[np.float64]) -> tuple[Long, Long]:
    """The network at points [n, d], and how far that may be off; slopes of pointwise functions up to STEEPEST."""
    values: list[Long] = [x.astype(np.longdouble)]
    errors: list[Long] = [np.zeros_like(values[0])]
    for node in net.nodes[1:]:
        given, off = [values[s] for s in node.sources], [errors[s] for s in node.sources]
        values.append(_value(node, given))
        errors.append(_error(node, given, off) + 16.0 * EPS * np.abs(values[-1]))
    return values[-1], errors[-1]


def values(net: nw.Network, x: NDArray[np.float64]) -> Long:
    """The network at points [n, d], any nodes, without a bound on the error."""
    found: list[Long] = [x.astype(np.longdouble)]
    for node in net.nodes[1:]:
        found.append(_value(node, [found[s] for s in node.sources]))
    return found[-1]


def _error(node: nw.Node, given: list[Long], off: list[Long]) -> Long:
    if isinstance(node, nw.Affine):
        weight, bias = np.abs(node.weight.numpy()), np.abs(node.bias.numpy())
        return np.asarray(off[0] @ weight.T + 2 * len(weight.T) * EPS * (np.abs(given[0]) @ weight.T + bias))
    if isinstance(node, nw.Pointwise):
        return STEEPEST * off[0]
    raise AssertionError(type(node).__name__)


def _value(node: nw.Node, given: list[Long]) -> Long:  # noqa: PLR0911
    if isinstance(node, nw.Affine):
        weight, bias = node.weight.numpy().astype(np.longdouble), node.bias.numpy().astype(np.longdouble)
        return np.asarray(given[0] @ weight.T + bias)
    if isinstance(node, nw.Scale):
        return np.asarray(given[0] * node.weight.numpy().astype(np.longdouble) + node.bias.numpy())
    if isinstance(node, nw.Gather):
        return given[0][:, node.index.numpy()]
    if isinstance(node, nw.Concat):
        return np.concatenate(given, axis=1)
    if isinstance(node, nw.Product):
        return np.asarray(given[0] * given[1])
    if isinstance(node, nw.Sum):
        return np.asarray(sum(given))
    assert isinstance(node, nw.Pointwise)
    return function(node.function, given[0], node.exponent)


def function(name: str, x: Long, exponent: int = 0) -> Long:  # noqa: PLR0911
    """A pointwise function to a few units of long double."""
    one = np.longdouble(1.0)
    if name in ("tanh", "sin", "cos", "exp", "log", "sqrt", "sinh", "cosh"):
        return np.asarray(getattr(np, name)(x))
    if name == "asinh":
        return np.asarray(np.arcsinh(x))
    if name == "elu":
        return np.where(x > 0.0, x, np.expm1(np.minimum(x, 0.0)))
    if name == "gelu_tanh":
        pi = np.longdouble("3.14159265358979323851")
        inner = np.sqrt(2.0 / pi) * (x + np.longdouble("0.044715") * x**3)
        return np.asarray(x / (one + np.exp(-2.0 * inner)))
    if name == "relu":
        return np.maximum(x, 0.0)
    if name == "power":
        return np.asarray(x**exponent)
    if name == "reciprocal":
        return np.asarray(one / x)
    if name == "softplus":
        return np.asarray(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))))
    if name in ("sigmoid", "silu"):
        s = one / (one + np.exp(-x))
        return np.asarray(s if name == "sigmoid" else x * s)
    if name == "erf":
        return erf(x)
    if name == "gelu":
        return np.asarray(0.5 * x * (one + erf(x / np.sqrt(np.longdouble(2.0)))))
    raise AssertionError(name)


def erf(x: Long) -> Long:
    """2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 5 .. (2n+1)), all terms of one sign; 1 from 6.5 on."""
    near = np.clip(x, -6.5, 6.5)
    term, total = near.copy(), near.copy()
    for n in range(1, TERMS):
        term = term * (2.0 * near * near / (2 * n + 1))
        total = total + term
    pi = np.longdouble(3.14159265358979323851)
    value = 2.0 / np.sqrt(pi) * np.exp(-near * near) * total
    return np.asarray(np.where(np.abs(x) > 6.5, np.sign(x), value))
