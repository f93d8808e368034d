"""gauss_newton_solve: an iteration."""

from __future__ import annotations

from ._refused import Refused

rule = Refused("an iteration is not followed")
