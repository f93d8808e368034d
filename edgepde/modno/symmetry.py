"""Which symmetries an operator has, tested on its data: shifts, the other sign, the mirror image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .encoding import Frame, frame, rotate

Floats = NDArray[np.float64]
Pair = tuple[Floats, Floats]
HELD, FEWEST = 0.25, 8
"""Share of the cases that are predicted, and how many there must be of them."""
HOLDS, EXACT = 1.6, 1e-4
"""A symmetry holds where transformed cases are predicted HOLDS times as badly at most, or as well as EXACT."""
TESTABLE = round(FEWEST / HELD)
"""Cases that the test needs."""
TRIES = 32
AFFINE, RIDGES, WIDTHS = (1e-8, 1e-4, 1e-2), (1e-8, 1e-4), (0.7, 2.0)


def symmetries(inputs: Floats, outputs: Floats, seed: int = 0) -> tuple[str, ...]:
    """Names of TRANSFORMS that hold, see errors: the shift first, and where it holds the others in the frame.

    None of fewer cases than TESTABLE: no symmetry is used that was not tested.
    """
    if len(inputs) < TESTABLE:
        return ()
    found = errors(inputs, outputs, seed)
    if not _holds("shift", found):
        return tuple(name for name in TRANSFORMS if _holds(name, found))
    found = errors(*_turned(inputs, outputs), seed, turned=True)
    return tuple(name for name in TRANSFORMS if name == "shift" or _holds(name, found))


def _holds(name: str, found: Mapping[str, float]) -> bool:
    return found[name] <= max(HOLDS * found[""], EXACT)


def errors(inputs: Floats, outputs: Floats, seed: int = 0, turned: bool = False) -> dict[str, float]:
    """Middle L2 error of held cases over their middle norm, of a fit to the other cases, by transform; "" for none.

    inputs [N, 2m_in+1], outputs [N, q, 2m+1]. If u = G(s) has the symmetry and inputs are as likely transformed, both
    errors are the same but for chance. The fit is affine, with Gaussian kernels on what that leaves. turned: cases are
    in the canonical frame, into which transformed ones are turned as well. InputError for fewer than FEWEST held cases.
    """
    held = round(HELD * len(inputs))
    if len(inputs) < TESTABLE:
        raise InputError(f"symmetry: expected at least {TESTABLE} cases, got {len(inputs)}")
    predict = _fitted(inputs[held:], outputs[held:].reshape(len(inputs) - held, -1))
    rng = np.random.default_rng(seed)
    found = {}
    for name in ("", *TRANSFORMS):
        s, u = TRANSFORMS[name](inputs[:held], outputs[:held], rng) if name else (inputs[:held], outputs[:held])
        if turned:
            s, u = _turned(s, u)
        wanted = u.reshape(held, -1)
        size = max(float(np.median(np.linalg.norm(wanted, axis=1))), 1e-300)
        found[name] = float(np.median(np.linalg.norm(predict(s) - wanted, axis=1))) / size
    return found


def _turned(inputs: Floats, outputs: Floats) -> Pair:
    turn = frame(inputs, max(inputs.shape[-1], outputs.shape[-1]) // 2)
    return rotate(inputs, turn), rotate(outputs, turn)


def shifted(inputs: Floats, outputs: Floats, rng: np.random.Generator) -> Pair:
    """Every case by a distance of its own, of TRIES drawn one that leaves the input in the range of all, if any does.

    Coefficients that are uniform in a square would otherwise turn out of it, where no fit knows anything.
    """
    modes = max(inputs.shape[-1], outputs.shape[-1]) // 2
    angle = rng.uniform(0.0, 2.0 * np.pi, (TRIES, len(inputs), 1)) * np.arange(1, modes + 1)
    turned = np.stack([rotate(inputs, Frame(np.cos(own), np.sin(own))) for own in angle])
    inside = ((turned >= inputs.min(0)) & (turned <= inputs.max(0))).all(-1)
    angle = angle[inside.argmax(0), np.arange(len(inputs))]
    turn = Frame(np.cos(angle), np.sin(angle))
    return rotate(inputs, turn), rotate(outputs, turn)


def _signs(mean_and_cos: float, sin: float) -> Callable[[Floats, Floats, np.random.Generator], Pair]:
    def changed(values: Floats) -> Floats:
        m = values.shape[-1] // 2
        return values * np.r_[np.full(m + 1, mean_and_cos), np.full(m, sin)]

    return lambda inputs, outputs, rng: (changed(inputs), changed(outputs))


TRANSFORMS: Mapping[str, Callable[[Floats, Floats, np.random.Generator], Pair]] = {
    "shift": shifted,
    "odd": _signs(-1.0, -1.0),
    "mirror": _signs(1.0, -1.0),
    "mirror_odd": _signs(-1.0, 1.0),
}
"""u(x) -> u(x + d), -u(x), u(-x), -u(-x), of inputs and outputs alike."""


def _fitted(x: Floats, y: Floats) -> Callable[[Floats], Floats]:
    """Affine, then Gaussian kernel ridge regression; ridges and width as they serve the last quarter best."""
    most = len(x) - round(HELD * len(x))

    def missed(key: tuple[float, float, float]) -> float:
        return float(np.linalg.norm(_ridge(x[:most], y[:most], *key)(x[most:]) - y[most:]))

    return _ridge(x, y, *min(product(AFFINE, RIDGES, WIDTHS), key=missed))


def _ridge(x: Floats, y: Floats, affine: float, ridge: float, width: float) -> Callable[[Floats], Floats]:
    """affine: relative to the largest singular value, inputs by their largest spread; width: of the median distance."""
    middle, spread = x.mean(0), max(float(x.std(0).max()), 1e-300)

    def columns(x: Floats) -> Floats:
        return np.concatenate([(x - middle) / spread, np.ones((len(x), 1))], axis=1)

    base = columns(x)
    u, size, v = np.linalg.svd(base, full_matrices=False)
    linear = (v.T * (size / (size**2 + (affine * size[0]) ** 2))) @ (u.T @ y)
    apart = _squares(base, base)
    wide = 2.0 * width**2 * (float(np.median(apart[~np.eye(len(x), dtype=bool)])) or 1.0)
    weights = np.linalg.solve(np.exp(-apart / wide) + ridge * np.eye(len(x)), y - base @ linear)

    def predict(x: Floats) -> Floats:
        own = columns(x)
        return np.asarray(own @ linear + np.exp(-_squares(own, base) / wide) @ weights)

    return predict


def _squares(a: Floats, b: Floats) -> Floats:
    """Squared distances [M, N]."""
    return np.asarray(np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1) - 2.0 * a @ b.T, 0.0))
