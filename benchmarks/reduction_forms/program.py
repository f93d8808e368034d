"""The C file of one instruction set: layer_<id> and network_<id> for every form in every shape."""

from __future__ import annotations

from collections.abc import Sequence

from reduction_forms.forms import Form
from reduction_forms.source import Single, Tile, dot, single, tile

TANH = "ep_tanh_f32"


def program(forms: Sequence[Form], tiles: Sequence[Tile], singles: Sequence[Single]) -> str:
    """The whole text."""
    text = ['#include "network.h"']
    for form in forms:
        text.append(dot(form, f"dot_{form.key}"))
        text += [_tiles(form, shape) for shape in tiles]
        text += [_singles(form, shape) for shape in singles if fits(form, shape)]
    return "\n".join(text)


def fits(form: Form, shape: Tile | Single) -> bool:
    """Whether the form has so many partial sums to go side by side."""
    if isinstance(shape, Tile) or shape.I == 1 or form.chunk:
        return True
    return form.chains is not None and form.chains % shape.I == 0


def identity(form: Form, shape: Tile | Single) -> str:
    """What a kernel is called."""
    return f"{form.key}_{type(shape).__name__.lower()}_{'_'.join(map(str, vars(shape).values()))}"


def _tiles(form: Form, shape: Tile) -> str:
    at = identity(form, shape)
    kernels = [
        tile(form, shape, f"plain_{at}"),
        tile(form, shape, f"smooth_{at}", TANH),
        tile(form, Tile(1, shape.H), f"last_{at}"),
    ]
    sizes = f"{shape.R}, {shape.H}, a"
    return "\n".join(kernels) + _entries(
        at, f"layer_of_tiles(plain_{at}, {sizes})", f"network_of_tiles(smooth_{at}, last_{at}, {sizes})"
    )


def _singles(form: Form, shape: Single) -> str:
    at = identity(form, shape)
    kernels = [single(form, shape, f"plain_{at}"), single(form, shape, f"smooth_{at}", TANH)]
    sizes = f"{shape.V}, a"
    return "\n".join(kernels) + _entries(
        at, f"layer_of_rows(plain_{at}, {sizes})", f"network_of_rows(smooth_{at}, dot_{form.key}, {sizes})"
    )


def _entries(at: str, layer: str, network: str) -> str:
    return (
        f"\nint layer_{at}(const struct work *a) {{ return {layer}; }}"
        f"\nint network_{at}(const struct work *a) {{ return {network}; }}\n"
    )
