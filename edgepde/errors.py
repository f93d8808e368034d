"""Errors of the training side; all are EdgePDEError."""

from edgepde_runtime.errors import EdgePDEError


class ProblemError(EdgePDEError):
    """A problem statement contradicts itself; the message names the field."""


class TrainingError(EdgePDEError):
    """A training cannot go on; the message says why and what was kept."""


class RunError(EdgePDEError):
    """A run folder is not what it should be; the message names the file or the difference."""


class RecipeError(EdgePDEError):
    """A recipe cannot be found or loaded; the message names the file and line, or the nearest name."""


class SettingError(RecipeError):
    """A `--set key=value` names no field of the recipe's Config, or its value has the wrong type."""


class DeviceError(EdgePDEError):
    """The device asked for is not there."""


class DataError(EdgePDEError):
    """Held-out data is not what was expected; the message names file and member."""


class CertificateFault(EdgePDEError):  # noqa: N818 - not the caller's error
    """A proved bound is contradicted by what was found; nothing may be stated."""


class CompressionError(EdgePDEError):
    """A run cannot be compressed as asked; the message says what was reached."""
