"""Ceil."""

from __future__ import annotations

from ._refused import refused

rule = refused("a step has no bound where it jumps")
