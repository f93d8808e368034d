"""Runs and verifies EdgePDE bundles on a small device; imports numpy and nothing else."""

from .box import Box
from .bundle import Bundle
from .certificate import Certificate
from .drift import Drift
from .manifest import Manifest
from .model import FallbackWarning, Model, OutOfBoxWarning, ResidualWarning, Result, RoundedWarning, load
from .rollout import Rollout, roll, rollout

__all__ = [
    "Box",
    "Bundle",
    "Certificate",
    "Drift",
    "FallbackWarning",
    "Manifest",
    "Model",
    "OutOfBoxWarning",
    "ResidualWarning",
    "Result",
    "Rollout",
    "RoundedWarning",
    "load",
    "roll",
    "rollout",
]
