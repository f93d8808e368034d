"""What the reductions over axes declare alike."""

from __future__ import annotations

from .schema import Argument, Attribute, Element, Op


def reduction(
    name: str, since: int, element: Element = "N", noop: tuple[int, ...] = (0, 1), invariants: str = ""
) -> Op:
    """A reduction of `data` over `axes` (all where absent); noop: the values allowed for noop_with_empty_axes."""
    return Op(
        domain="",
        name=name,
        since=since,
        inputs=(Argument("data", element), Argument("axes", "int64", shape=("A",), optional=True)),
        outputs=(Argument("reduced", element),),
        attributes=(
            Attribute("keepdims", "int", default=1, choices=(0, 1)),
            Attribute("noop_with_empty_axes", "int", default=0, choices=noop),
        ),
        invariants=invariants,
    )
