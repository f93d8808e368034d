"""Norms of an exported graph: one entry of NORMS per operation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import composing, convolving
from .aten_views import Rule
from .building import Builder, Value
from .composing import Array, array


def _batch_norm(
    b: Builder, x: Value, weight: Any, bias: Any, mean: Any, variance: Any, *rest: Any, **named: Any
) -> Value:
    flags = [v for v in rest if isinstance(v, bool)]
    if (flags and flags[0]) or mean is None:
        raise b.refuse("expected a batch norm in evaluation mode, with running statistics")
    numbers = [v for v in rest if isinstance(v, float)]
    epsilon = named.get("eps", numbers[-1] if numbers else 1e-5)
    slope = 1.0 / np.sqrt(array(variance) + epsilon)
    slope = slope if weight is None else slope * array(weight)
    shift = np.zeros_like(slope) if bias is None else array(bias)
    return convolving.shifted_and_scaled(b, x, array(mean), slope, shift)


def _instance_norm(
    b: Builder,
    x: Value,
    weight: Any,
    bias: Any,
    mean: Any,
    variance: Any,
    own: bool,
    momentum: float,
    eps: float,
    *_: Any,
) -> Value:
    if not own:
        return _batch_norm(b, x, weight, bias, mean, variance, False, momentum, eps)
    made = convolving.normalised(b, x, range(2, len(x.shape)), eps)
    return _weighted(b, made, weight, bias, lambda v: convolving.per_channel(x, v))


def _group_norm(
    b: Builder, x: Value, groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Value:
    apart = Value(x.node, x.index.reshape(x.shape[0], groups, -1))
    made = convolving.normalised(b, apart, (2,), eps)
    whole = Value(made.node, made.index.reshape(x.shape))
    return _weighted(b, whole, weight, bias, lambda v: convolving.per_channel(x, v))


def _layer_norm(
    b: Builder, x: Value, shape: Sequence[int], weight: Any = None, bias: Any = None, eps: float = 1e-5, *_: Any
) -> Value:
    made = convolving.normalised(b, x, range(-len(shape), 0), eps)
    return _weighted(b, made, weight, bias, lambda v: v)


def _weighted(b: Builder, x: Value, weight: Any, bias: Any, shaped: Callable[[Array], Array]) -> Value:
    made = x if weight is None else composing.scaled(b, x, shaped(array(weight)))
    return made if bias is None else composing.scaled(b, made, 1.0, shaped(array(bias)))


NORMS: dict[str, Rule] = {
    "batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": lambda b, *rest: [_batch_norm(b, *rest)],
    "instance_norm": _instance_norm,
    "group_norm": _group_norm,
    "layer_norm": _layer_norm,
}
