"""gauss_newton_solve: an iteration."""

from __future__ import annotations

from ._refused import refused

rule = refused("an iteration is not followed")
