"""Where a window that slides over a grid lies: kernel, strides, pads and dilations of convolutions, checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, final

from .errors import ModelFileError

MOST = 1 << 28
MOST_AXES = 3


@final
@dataclass(frozen=True)
class Window:
    """A window of `kernel` points that are `dilations` apart, moved by `strides` over a grid with zeros around it.

    before, after: how many zeros on either side of every axis.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    dilations: tuple[int, ...]

    @property
    def reaches(self) -> tuple[int, ...]:
        """Points from the first to the last of the window, per axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    @property
    def points(self) -> int:
        """Points of the window."""
        return math.prod(self.kernel)

    def places(self, op: str, grid: Sequence[int]) -> tuple[int, ...]:
        """How often it fits along every axis. ModelFileError where it fits nowhere."""
        found = []
        for axis, (n, reach) in enumerate(zip(grid, self.reaches, strict=True)):
            wide = n + self.before[axis] + self.after[axis]
            if not reach <= wide <= MOST:
                raise ModelFileError(
                    f"{op}: axis {axis + 2}: expected {reach} to {MOST} points with padding, got {wide} for {n}"
                )
            found.append((wide - reach) // self.strides[axis] + 1)
        return tuple(found)

    def lifted(self) -> Window:
        """The same over three axes, the new ones in front, of one point."""
        more = MOST_AXES - len(self.kernel)
        ones, zeros = (1,) * more, (0,) * more
        return Window(
            ones + self.kernel, ones + self.strides, zeros + self.before, zeros + self.after, ones + self.dilations
        )


def window(op: str, axes: int, attributes: Mapping[str, Any], kernel: Sequence[int] | None = None) -> Window:
    """The window of a node's attributes kernel_shape (or `kernel`), strides, pads, dilations, over one to three axes.

    Raises ModelFileError naming the attribute where a count is another, or a number is none that it may be.
    """
    if not 1 <= axes <= MOST_AXES:
        raise ModelFileError(f"{op}: expected 1 to {MOST_AXES} axes besides batch and channels, got {axes}")
    shape = _numbers(op, "kernel_shape", attributes.get("kernel_shape") or kernel, axes, 1)
    strides = _numbers(op, "strides", attributes.get("strides") or (1,) * axes, axes, 1)
    dilations = _numbers(op, "dilations", attributes.get("dilations") or (1,) * axes, axes, 1)
    pads = _numbers(op, "pads", attributes.get("pads") or (0,) * (2 * axes), 2 * axes, 0)
    made = Window(shape, strides, pads[:axes], pads[axes:], dilations)
    if math.prod(shape) > MOST or max(made.reaches) > MOST:
        raise ModelFileError(f"{op}: kernel_shape, dilations: expected at most {MOST} points, got {shape}, {dilations}")
    return made


def same(made: Window, grid: Sequence[int], upper: bool) -> Window:
    """The window with pads so that it fits ceil(n / stride) times; an odd zero goes to the end where `upper`."""
    before, after = [], []
    for n, stride, reach in zip(grid, made.strides, made.reaches, strict=True):
        total = max((-(-n // stride) - 1) * stride + reach - n, 0)
        less = total // 2
        before.append(less if upper else total - less)
        after.append(total - before[-1])
    return Window(made.kernel, made.strides, tuple(before), tuple(after), made.dilations)


def padded(op: str, made: Window, grid: Sequence[int], auto_pad: str, pads: Any) -> Window:
    """The window after auto_pad: SAME_UPPER, SAME_LOWER, VALID, or NOTSET for pads as they are."""
    kinds: tuple[Literal["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"], ...]
    kinds = ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID")
    if auto_pad not in kinds:
        raise ModelFileError(f"{op}: auto_pad: expected one of {list(kinds)}, got {auto_pad!r}")
    if auto_pad == "NOTSET":
        return made
    if pads and any(pads):
        raise ModelFileError(f"{op}: pads: expected none with auto_pad {auto_pad}, got {list(pads)}")
    return made if auto_pad == "VALID" else same(made, grid, auto_pad == "SAME_UPPER")


def _numbers(op: str, name: str, given: Sequence[int] | None, count: int, least: int) -> tuple[int, ...]:
    numbers = tuple(int(n) for n in given or ())
    if len(numbers) != count or not all(least <= n <= MOST for n in numbers):
        raise ModelFileError(f"{op}: {name}: expected {count} numbers from {least} to {MOST}, got {list(numbers)}")
    return numbers
