"""Greater."""

from __future__ import annotations

from ._refused import Refused

rule = Refused("what it decides is a step of the point")
