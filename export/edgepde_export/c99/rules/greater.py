"""Greater."""

from __future__ import annotations

from ._logic import logic

rule = logic("{0} > {1}")
