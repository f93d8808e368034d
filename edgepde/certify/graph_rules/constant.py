"""Constant: folded, it has no input."""

from __future__ import annotations

from ._refused import Refused

rule = Refused("expected constant inputs")
