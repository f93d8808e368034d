"""Errors of exporting; all are EdgePDEError."""

from edgepde_runtime.errors import EdgePDEError


class BoundExceeded(EdgePDEError):  # noqa: N818 - reads as the verdict it is
    """An error bound is larger than the caller allowed; the message names output, bound and limit."""


class TargetError(EdgePDEError):
    """The folder to write is in use for something else, or the system refuses to write it."""


class SourceError(EdgePDEError):
    """What to export cannot be loaded; the message names the file, and the callable in it."""


class Rejected(EdgePDEError):  # noqa: N818 - reads as the verdict it is
    """A new bundle did not pass its own verification and replaces nothing; the message names the check."""
