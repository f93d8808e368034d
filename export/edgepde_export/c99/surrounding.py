"""Pads that a convolution reads through: what surrounds a map is never written down."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgepde_runtime.ops.pad.places import MODES

from .building import Builder, Call
from .dims import Shape
from .value import Value


@dataclass(frozen=True)
class Surrounding:
    """A padded map of this shape: what it is made of, elements before and after every axis, and Pad's mode."""

    shape: Shape
    inner: Value
    before: tuple[int, ...]
    after: tuple[int, ...]
    mode: str


def inside(call: Call, builder: Builder) -> tuple[Call, int]:
    """A convolution that reads the inner map where its input is a padded one, and what stands beyond its ends.

    The second number is the place of the mode among Pad's modes; a constant is 0.
    """
    x = call.value(0)
    found = builder.surrounded.get(x.store)
    whole = found is not None and x.shape == found.shape and not x.offset and x.apart is None
    if found is None or not whole or call.attributes["auto_pad"] != "NOTSET":
        return call, 0
    axes = len(x.shape) - 2
    own = call.attributes.get("pads") or (0,) * (2 * axes)
    apart = (*found.before[:2], *found.after[:2])
    if any(apart) or (found.mode != "constant" and any(own)) or len(own) != 2 * axes:
        return call, 0
    pads = tuple(p + q for p, q in zip(own, (*found.before[2:], *found.after[2:]), strict=True))
    given = replace(call, inputs=(found.inner, *call.inputs[1:]), attributes={**call.attributes, "pads": pads})
    return given, MODES.index(found.mode)
