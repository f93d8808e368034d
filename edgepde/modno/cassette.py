"""What one operator adds to the shared model, as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

Numbers = NDArray[Any]
SLOTS = ("frame", "multiplier", "mixing", "basis", "scale", "left", "right")
"""In the order in which a model takes them; left and right only where it has room for a delta."""


class Sizes(NamedTuple):
    """inputs: I = 2 m_in + 1; features: K'; rank: R; terms: q; modes: m of outputs; delta: r."""

    inputs: int
    features: int
    rank: int
    terms: int
    modes: int
    delta: int = 0

    @property
    def linear(self) -> int:
        """Modes that the linear part multiplies."""
        return min(self.inputs // 2, self.modes)


@final
@dataclass(frozen=True, eq=False)
class Cassette:
    """u = R^-1 [multiplier . R s + features(R s) @ mixing @ basis] * scale, coefficients [q, 2m+1].

    frame: whether R is the canonical frame's rotation (else none); multiplier [2, q, l+1]: real and imaginary part of
    the factor of modes 0 .. l, for every degree in time; mixing [K', R]; basis [R, q (2m+1)] float32, float64 or
    float16; left [I, r] and right [r, I] or None: the branch then reads c + c @ left @ right, which changes its first
    layer by rank r; horizon: of the Chebyshev polynomials; low, high [S]: box of the sensors. InputError naming the
    field whose shape disagrees.
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
    notes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.multiplier.ndim != 3 or self.multiplier.shape[0] != 2:
            raise self._wrong("multiplier", "[2, q, l+1]", self.multiplier)
        if self.mixing.ndim != 2:
            raise self._wrong("mixing", "[K', R]", self.mixing)
        q, rank = self.terms, self.mixing.shape[1]
        if self.basis.ndim != 2 or len(self.basis) != rank or self.basis.shape[1] % q or not self.width % 2:
            raise self._wrong("basis", f"[{rank}, {q} (2m+1)]", self.basis)
        if (self.left is None) != (self.right is None):
            raise InputError(f"cassette {self.name}: expected left and right, or neither")

    def _wrong(self, name: str, wanted: str, got: Numbers) -> InputError:
        return InputError(f"cassette {self.name}: {name}: expected {wanted}, got {list(got.shape)}")

    @property
    def terms(self) -> int:
        """q."""
        return int(self.multiplier.shape[1])

    @property
    def width(self) -> int:
        """2 m + 1."""
        return int(self.basis.shape[1]) // self.terms

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
        """Numbers that are stored."""
        stored = (self.multiplier, self.mixing, self.basis, self.left, self.right)
        return 1 + sum(a.size for a in stored if a is not None)

    @property
    def bytes(self) -> int:
        """Of these numbers, in their own types."""
        stored = (self.multiplier, self.mixing, self.basis, self.left, self.right)
        return 4 + sum(a.nbytes for a in stored if a is not None)

    def arrays(self, sizes: Sizes, dtype: Any = np.float32) -> dict[str, Numbers]:
        """The model's slots, zeros where this cassette is smaller; InputError where it is larger."""
        m, own = sizes.modes, (self.width - 1) // 2
        multiplier = self._fitted("multiplier", self.multiplier, (2, sizes.terms, sizes.linear + 1))
        mixing = self._fitted("mixing", self.mixing, (sizes.features, sizes.rank))
        basis = self.basis.reshape(-1, self.terms, self.width)
        parts = basis[..., :1], basis[..., 1 : own + 1], basis[..., own + 1 :]
        columns = (1, m, m)
        stacks = [self._fitted("basis", p, (sizes.rank, sizes.terms, n)) for p, n in zip(parts, columns, strict=True)]
        flat = np.concatenate(stacks, -1).reshape(sizes.rank, -1)
        found = {
            "frame": np.array([float(self.frame)], dtype),
            "multiplier": multiplier.astype(dtype),
            "mixing": mixing.astype(dtype),
            "basis": flat if flat.dtype == np.float16 else flat.astype(dtype),
            "scale": np.array([self.scale], dtype),
        }
        if sizes.delta:
            left = np.zeros((sizes.inputs, 0)) if self.left is None else self.left
            right = np.zeros((0, sizes.inputs)) if self.right is None else self.right
            found["left"] = self._fitted("left", left, (sizes.inputs, sizes.delta)).astype(dtype)
            found["right"] = self._fitted("right", right, (sizes.delta, sizes.inputs)).astype(dtype)
        elif self.left is not None:
            raise InputError(f"cassette {self.name}: left: the model has no room for a delta")
        return found

    def _fitted(self, name: str, values: Numbers, shape: tuple[int, ...]) -> Numbers:
        if any(have > room for have, room in zip(values.shape, shape, strict=True)):
            raise self._wrong(name, f"at most {list(shape)}", values)
        rest = [(0, room - have) for have, room in zip(values.shape, shape, strict=True)]
        return np.pad(values, rest)

    def halved(self) -> Cassette:
        """Its basis in float16, every row first divided by a power of two that mixing takes over."""
        top = np.abs(self.basis).max(1)
        power = np.exp2(np.ceil(np.log2(np.where(top > 0, top, 1.0))))
        half = (self.basis / power[:, None]).astype(np.float16)
        return replace(self, basis=half, mixing=(self.mixing * power).astype(self.mixing.dtype))
