"""What a simulator is, in numbers and words: frozen descriptions that are checked, kept as JSON and built from."""

from __future__ import annotations

import dataclasses
import importlib
import math
import types
import typing
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, final

import torch
from torch import nn

from edgepde.errors import RunError, SettingError

Padding = Literal["zeros", "reflect", "replicate"]
Activation = Literal["silu", "gelu", "tanh", "relu", "leaky_relu"]
Norm = Literal["none", "batch", "instance"]
Upsampling = Literal["linear", "nearest"]
Finish = Literal["linear", "nearest", "spline"]
Ranks = tuple[int, ...]
Rank = int | float | Ranks | None
LARGEST, LONGEST, MOST_LAYERS, MOST_NUMBERS = 1 << 16, 1 << 10, 64, 1 << 28
LONGEST_KERNEL = 31


@dataclass(frozen=True)
class Description(ABC):
    """A simulator of the family; `build()` makes its module. Raises SettingError naming a field that makes no sense."""

    @property
    @abstractmethod
    def inputs(self) -> int:
        """Columns of an input row."""

    @property
    @abstractmethod
    def output(self) -> tuple[int, ...]:
        """The shape of an output row."""

    def build(self) -> nn.Module:
        """The module x [M, inputs] -> [M, *output], drawn from torch's generator."""
        made: nn.Module = importlib.import_module(f"{__package__}.{kind_of(type(self))}").build(self)
        return made

    def seeded(self, seed: int) -> nn.Module:
        """The module whose start is fixed by a seed; torch's own generator stays as it was."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return self.build()

    def to_json(self) -> dict[str, Any]:
        """kind and fields."""
        held = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"kind": kind_of(type(self)), **{k: _plain(v) for k, v in held.items()}}


class OfZone(Description, ABC):
    """Parameters [M, P] -> the field of a zone [M, T, Y, X]."""

    parameters: int
    times: int
    rows: int
    columns: int

    @property
    def inputs(self) -> int:
        """P."""
        return self.parameters

    @property
    def output(self) -> tuple[int, ...]:
        """(T, Y, X)."""
        return self.times, self.rows, self.columns


@dataclass(frozen=True)
class Convolutional(Description, ABC):
    """What every convolutional simulator says of its convolutions.

    kernel: odd, of every axis. form, rank: how kernels are factorised, as the layers of edgepde.factorconv take them:
    a number, a fraction of the full rank, a number for each of the form's ranks, or what is usual (None). ranks: of
    each convolution in order, where they differ. padding: reflect suits a free edge.
    """

    kernel: int = 3
    padding: Padding = "replicate"
    activation: Activation = "silu"
    norm: Norm = "none"
    form: str = "dense"
    rank: Rank = None
    ranks: tuple[Ranks, ...] = ()

    def _check_convolutions(self) -> None:
        if not (0 < self.kernel <= LONGEST_KERNEL and self.kernel % 2):
            raise SettingError(f"kernel: expected an odd number of at most {LONGEST_KERNEL}, got {self.kernel}")
        from .forms import names

        for name, values in (("padding", Padding), ("activation", Activation), ("norm", Norm)):
            known = typing.get_args(values)
            if getattr(self, name) not in known:
                raise SettingError(f"{name}: expected one of {', '.join(known)}, got {getattr(self, name)!r}")
        known = names()
        if self.form not in known:
            raise SettingError(f"form: expected one of {', '.join(known)}, got {self.form!r}")
        for rank in (self.rank, *self.ranks):
            if isinstance(rank, tuple):
                several("rank", rank)
            elif rank is not None and not (math.isfinite(rank) and rank > 0):
                raise SettingError(f"rank: expected a number above 0, got {rank}")

    def _check_reach(self, name: str, grid: tuple[int, ...], kernel: int) -> None:
        """Reflection needs more cells than it pads."""
        if self.padding == "reflect" and min(grid) <= kernel // 2:
            raise SettingError(f"{name}: expected more than {kernel // 2} cells for reflection, got {grid}")


@final
@dataclass(frozen=True)
class Generator(Convolutional, OfZone):
    """Parameters -> field: an MLP writes channels[0] maps on a coarse grid, every further stage doubles it.

    dimension 3: convolutions over (t, y, x), one map at the end. 2: over (y, x), time in channels; modes > 0: the
    channels are coordinates in a fixed time basis [modes, times]. finish: how the last grid becomes the zone, by whole
    factors. hidden: widths of the MLP. repeats: convolutions on each grid after the first.
    """

    parameters: int = 6
    times: int = 32
    rows: int = 32
    columns: int = 32
    dimension: int = 2
    hidden: tuple[int, ...] = (64, 32)
    coarse: tuple[int, ...] = (8, 8)
    channels: tuple[int, ...] = (32, 32)
    repeats: int = 1
    modes: int = 0
    upsampling: Upsampling = "linear"
    finish: Finish = "spline"

    def __post_init__(self) -> None:
        self._check_convolutions()
        whole("parameters", self.parameters)
        for name in ("times", "rows", "columns"):
            whole(name, getattr(self, name), most=LONGEST)
        if self.dimension not in (2, 3):
            raise SettingError(f"dimension: expected 2 or 3, got {self.dimension}")
        for name, values in (("hidden", self.hidden), ("channels", self.channels), ("coarse", self.coarse)):
            several(name, values)
        if len(self.coarse) != self.dimension:
            raise SettingError(f"coarse: expected {self.dimension} sizes, got {self.coarse}")
        whole("repeats", self.repeats, least=0, most=8)
        whole("modes", self.modes, least=0, most=self.times)
        if self.modes and self.dimension == 3:
            raise SettingError("modes: time is an axis of a generator of dimension 3; expected 0")
        for name, words in (("upsampling", Upsampling), ("finish", Finish)):
            if getattr(self, name) not in typing.get_args(words):
                raise SettingError(f"{name}: expected {typing.get_args(words)}, got {getattr(self, name)!r}")
        self._check_reach("coarse", self.coarse, self.kernel)
        for size, last in zip(self.zone, self.grids[-1], strict=True):
            if size % last:
                raise SettingError(
                    f"coarse: {len(self.grids)} stages from {self.coarse} end at {self.grids[-1]}, "
                    f"expected divisors of the zone's {self.zone}"
                )

    @property
    def zone(self) -> tuple[int, ...]:
        """The zone's grid in the axes of the convolutions."""
        return self.output[3 - self.dimension :]

    @property
    def grids(self) -> tuple[tuple[int, ...], ...]:
        """The grid of every stage."""
        return tuple(tuple(n << stage for n in self.coarse) for stage in range(len(self.channels)))


@final
@dataclass(frozen=True)
class UNet(Convolutional):
    """k past frames -> j next ones: down by average pooling, up by interpolation, skips; channels of every level.

    The network adds to the last frame (order 0) or to its linear continuation 2 u_n - u_(n-1) (order 1). direct: size
    of a linear convolution of the frames that is added too, as a difference scheme is one; 0 for none. places: whether
    a field of the network's own is added to each frame it sees, so that it can tell places apart.
    """

    past: int = 2
    future: int = 1
    rows: int = 32
    columns: int = 32
    channels: tuple[int, ...] = (16, 32, 48)
    repeats: int = 1
    order: int = 0
    direct: int = 7
    places: bool = True
    upsampling: Upsampling = "linear"

    def __post_init__(self) -> None:
        self._check_convolutions()
        for name in ("past", "future", "rows", "columns"):
            whole(name, getattr(self, name), most=LONGEST)
        several("channels", self.channels)
        whole("repeats", self.repeats, least=0, most=8)
        if not (0 <= self.direct <= LONGEST_KERNEL and (self.direct % 2 or not self.direct)):
            raise SettingError(f"direct: expected 0 or an odd number of at most {LONGEST_KERNEL}, got {self.direct}")
        if self.order not in range(min(2, self.past)):
            raise SettingError(f"order: expected 0{' or 1' if self.past > 1 else ''}, got {self.order}")
        if self.upsampling not in typing.get_args(Upsampling):
            raise SettingError(f"upsampling: expected {typing.get_args(Upsampling)}, got {self.upsampling!r}")
        factor = 1 << (len(self.channels) - 1)
        if self.rows % factor or self.columns % factor:
            raise SettingError(f"channels: {len(self.channels)} levels need rows and columns divisible by {factor}")
        self._check_reach("channels", (self.rows // factor, self.columns // factor), self.kernel)
        self._check_reach("direct", (self.rows, self.columns), self.direct)

    @property
    def inputs(self) -> int:
        """k Y X, the oldest frame first."""
        return self.past * self.rows * self.columns

    @property
    def output(self) -> tuple[int, ...]:
        """(j, Y, X)."""
        return self.future, self.rows, self.columns


def kind_of(description: type[Description]) -> str:
    """What a description is called in files, which is the module that builds it."""
    return description.__name__.lower()


def kinds() -> dict[str, type[Description]]:
    """Every description there is, by its kind: those of the modules here that have a function `build`."""
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        if "\ndef build(" in path.read_text(encoding="utf-8"):
            importlib.import_module(f"{__package__}.{path.stem}")
    found: dict[str, type[Description]] = {}
    waiting: list[Any] = [Description]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if not getattr(kind, "__abstractmethods__", None):
                found[kind_of(kind)] = kind
    return dict(sorted(found.items()))


def from_json(stated: Any, where: str) -> Description:
    """The description that a JSON object states; raises RunError naming the field."""
    if not isinstance(stated, dict):
        raise RunError(f"{where}: expected an object, got {type(stated).__name__}")
    known = kinds()
    kind = known.get(str(stated.get("kind")))
    if kind is None:
        raise RunError(f"{where}.kind: expected one of {', '.join(known)}, got {stated.get('kind')!r}")
    hints = typing.get_type_hints(kind)
    fields = {f.name for f in dataclasses.fields(kind)}
    given = set(stated) - {"kind"}
    if given != fields:
        raise RunError(f"{where}: missing {sorted(fields - given)}, unknown {sorted(given - fields)}")
    values = {name: _read(hints[name], stated[name], f"{where}.{name}") for name in sorted(fields)}
    try:
        return kind(**values)
    except SettingError as error:
        raise RunError(f"{where}.{error}") from None


def whole(name: str, value: int, least: int = 1, most: int = LARGEST) -> None:
    """Raises SettingError unless least <= value <= most."""
    if not least <= value <= most:
        raise SettingError(f"{name}: expected {least} to {most}, got {value}")


def several(name: str, values: tuple[int, ...], least: int = 1) -> None:
    """Raises SettingError unless `values` are a few sizes."""
    if not least <= len(values) <= MOST_LAYERS or not all(1 <= n <= LARGEST for n in values):
        raise SettingError(f"{name}: expected {least} to {MOST_LAYERS} sizes from 1 to {LARGEST}, got {values}")


def _plain(value: Any) -> Any:
    return [_plain(entry) for entry in value] if isinstance(value, tuple) else value


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (Union, types.UnionType) and isinstance(value, list):
        kind = next((k for k in arguments if typing.get_origin(k) is tuple), kind)
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple and isinstance(value, list) and len(value) <= MOST_LAYERS:
        return tuple(_read(arguments[0], entry, f"{where}[{i}]") for i, entry in enumerate(value))
    if origin is Literal and isinstance(value, str) and value in arguments:
        return value
    kinds_ = arguments if origin in (Union, types.UnionType) else (kind,)
    if type(value) in kinds_ and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    wanted = " or ".join(map(repr, arguments)) if origin is Literal else str(getattr(kind, "__name__", kind))
    raise RunError(f"{where}: expected {wanted}, got {value!r}")
