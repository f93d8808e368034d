"""Ceil."""

from __future__ import annotations

from ._refused import Refused

rule = Refused("a step has no bound where it jumps")
