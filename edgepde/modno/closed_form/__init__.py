"""A shared branch without iterations: exact linear parts, Gaussian units at shared centres, ridge regression."""

from .fitting import Fitted, fit
from .settings import Closed

__all__ = ["Closed", "Fitted", "fit"]
