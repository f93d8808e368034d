"""Range: folded, its limits are never a function of the point."""

from __future__ import annotations

from ._refused import Refused

rule = Refused("expected constant inputs")
