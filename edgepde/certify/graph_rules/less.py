"""Less."""

from __future__ import annotations

from ._refused import refused

rule = refused("what it decides is a step of the point")
