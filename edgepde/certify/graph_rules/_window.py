"""Attributes of a window that slides over a grid, with what ONNX takes where they are not given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from ._call import Call


@final
@dataclass(frozen=True)
class Sliding:
    """Per axis: strides, dilations; pads before all axes, then after all."""

    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]

    @staticmethod
    def of(call: Call, axes: int) -> Sliding:
        """What the node says."""
        if call.attributes.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID", None):
            raise call.refuse(f"expected pads as numbers, got auto_pad {call.attributes['auto_pad']!r}")
        given = {name: tuple(call.attributes.get(name) or ()) for name in ("strides", "pads", "dilations")}
        ones = (1,) * axes
        return Sliding(given["strides"] or ones, given["pads"] or (0,) * (2 * axes), given["dilations"] or ones)
