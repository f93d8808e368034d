"""Outputs that export appends to a network: which of a bundle's are such, and the options that ask for them."""

from __future__ import annotations

from typing import Any

from edgepde_runtime.bundle import Bundle


def extra(bundle: Bundle) -> dict[str, Any]:  # noqa: ARG001
    """The options of export() for derivatives, residual and threshold that the bundle was made with."""
    return {}
