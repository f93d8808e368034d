"""Constant: folded, it has no input."""

from __future__ import annotations

from ._refused import refused

rule = refused("expected constant inputs")
