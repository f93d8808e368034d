"""Every target in turn."""

from support.targets.fixtures import target

__all__ = ["target"]
