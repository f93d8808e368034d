"""What one operator adds to the shared model, as plain numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

Numbers = NDArray[Any]
SLOTS = ("frame", "reads", "multiplier", "mixing", "basis", "scale", "left", "right")
"""In the order in which a model takes them; left and right only where it has room for a delta."""


class Sizes(NamedTuple):
    """inputs: I = 2 m_in + 1; features: K'; rank: R; terms: q; modes: m of outputs; delta: r; linear_terms: q_l."""

    inputs: int
    features: int
    rank: int
    terms: int
    modes: int
    delta: int
    linear_terms: int

    @property
    def width(self) -> int:
        """2 m + 1."""
        return 2 * self.modes + 1

    @property
    def linear(self) -> int:
        """l, modes that the linear part multiplies."""
        return min(self.inputs // 2, self.modes)


@final
@dataclass(frozen=True, eq=False)
class Cassette:
    """u = R^-1 [multiplier . R s + features(R s) @ mixing @ basis] * scale, as coefficients in time and space.

    frame: whether R is the canonical frame's rotation (else none); multiplier [2, q_l, l+1]: real and imaginary part of
    the factor of modes 0 .. l, for every degree in time; reads [m_in+1]: 1 for modes that the operator's training
    inputs have, 0 for those that features shall not see, None for all; mixing [K', R]; basis [R, q, 2m+1], or
    [R, q_l (2m+1)] which becomes that, float32, float64 or float16; left [I, r] and right [r, I] or None: the branch
    then reads c + c @ left @ right; horizon: where the fractions of time in which degrees are polynomials reach 1; low,
    high [S]: box of the sensors. InputError naming the field whose shape disagrees.
    """

    name: str
    frame: bool
    multiplier: Numbers
    mixing: Numbers
    basis: Numbers
    scale: float
    horizon: float
    low: Numbers
    high: Numbers
    left: Numbers | None = None
    right: Numbers | None = None
    reads: Numbers | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.multiplier.ndim != 3 or len(self.multiplier) != 2:
            raise self._wrong("multiplier", "[2, q, l+1]", self.multiplier)
        if self.mixing.ndim != 2:
            raise self._wrong("mixing", "[K', R]", self.mixing)
        if self.basis.ndim == 2 and self.basis.shape[1] % self.linear_terms == 0:
            size = self.basis.shape[1] // self.linear_terms
            object.__setattr__(self, "basis", self.basis.reshape(-1, self.linear_terms, size))
        if self.basis.ndim != 3 or len(self.basis) != self.rank or not self.width % 2:
            raise self._wrong("basis", f"[{self.rank}, q, 2m+1]", self.basis)
        if (self.left is None) != (self.right is None):
            raise InputError(f"cassette {self.name}: expected left and right, or neither")
        if self.left is not None and self.right is not None and self.left.shape != self.right.T.shape:
            raise self._wrong("right", f"{list(self.left.T.shape)}", self.right)

    def _wrong(self, name: str, wanted: str, got: Numbers) -> InputError:
        return InputError(f"cassette {self.name}: {name}: expected {wanted}, got {list(got.shape)}")

    @property
    def linear_terms(self) -> int:
        """q_l."""
        return int(self.multiplier.shape[1])

    @property
    def terms(self) -> int:
        """q."""
        return int(self.basis.shape[1])

    @property
    def width(self) -> int:
        """2 m + 1."""
        return int(self.basis.shape[2])

    @property
    def modes(self) -> int:
        """Of the outputs: m, or l where the linear part reaches further."""
        return max(self.width // 2, int(self.multiplier.shape[2]) - 1)

    @property
    def rank(self) -> int:
        """R."""
        return int(self.mixing.shape[1])

    @property
    def delta(self) -> int:
        """r."""
        return 0 if self.left is None else int(self.left.shape[1])

    @property
    def numbers(self) -> int:
        """How many are stored, the scale's with them."""
        return 1 + sum(values.size for values in self._stored())

    @property
    def bytes(self) -> int:
        """Of these numbers, in their own types."""
        return 4 + sum(values.nbytes for values in self._stored())

    def _stored(self) -> Iterator[Numbers]:
        for values in (self.multiplier, self.mixing, self.basis, self.left, self.right, self.reads):
            if values is not None:
                yield values

    def arrays(self, sizes: Sizes, dtype: Any = np.float32) -> dict[str, Numbers]:
        """A model's slots, with zeros where this cassette is smaller; InputError where it is larger.

        basis [R, q (2m+1)] stays float16 where it is.
        """
        parts = np.split(self.basis, [1, 1 + self.width // 2], axis=-1)
        columns = (1, sizes.modes, sizes.modes)
        stacks = [
            self._padded("basis", part, (sizes.rank, sizes.terms, n)) for part, n in zip(parts, columns, strict=True)
        ]
        basis = np.concatenate(stacks, axis=-1).reshape(sizes.rank, sizes.terms * sizes.width)
        shapes = {
            "multiplier": (2, sizes.linear_terms, sizes.linear + 1),
            "mixing": (sizes.features, sizes.rank),
            **({"left": (sizes.inputs, sizes.delta), "right": (sizes.delta, sizes.inputs)} if sizes.delta else {}),
        }
        if self.delta > sizes.delta:
            raise InputError(f"cassette {self.name}: left: expected at most rank {sizes.delta}, got {self.delta}")
        filled = {name: self._slot(name, shape).astype(dtype) for name, shape in shapes.items()}
        filled["reads"] = self._read(sizes).astype(dtype)
        filled |= {"frame": np.array([float(self.frame)], dtype), "scale": np.array([self.scale], dtype)}
        filled["basis"] = basis if basis.dtype == np.float16 else basis.astype(dtype)
        return {name: filled[name] for name in SLOTS if name in filled}

    def _read(self, sizes: Sizes) -> Numbers:
        """[I]: of the mean, of cosines, of sines."""
        modes = sizes.inputs // 2 + 1
        if self.reads is None:
            return np.ones(sizes.inputs)
        if self.reads.shape != (modes,):
            raise self._wrong("reads", f"[{modes}]", self.reads)
        return np.concatenate([self.reads, self.reads[1:]])

    def _slot(self, name: str, shape: tuple[int, ...]) -> Numbers:
        values: Numbers | None = getattr(self, name)
        return np.zeros(shape) if values is None else self._padded(name, values, shape)

    def _padded(self, name: str, values: Numbers, shape: tuple[int, ...]) -> Numbers:
        if values.ndim != len(shape) or any(own > room for own, room in zip(values.shape, shape, strict=True)):
            raise self._wrong(name, f"at most {list(shape)}", values)
        return np.pad(values, [(0, room - own) for own, room in zip(values.shape, shape, strict=True)])

    def halved(self) -> Cassette:
        """Its basis in float16, every row first divided by a power of two that mixing takes over.

        An element is then off by at most 2^-11 of itself, or 2^-25 of the largest power of two above its row.
        """
        top = np.abs(self.basis).max(axis=(1, 2), initial=0.0)
        power = np.exp2(np.ceil(np.log2(np.where(top > 0, top, 1.0))))
        half = (self.basis / power[:, None, None]).astype(np.float16)
        return replace(self, basis=half, mixing=(self.mixing * power).astype(self.mixing.dtype))
