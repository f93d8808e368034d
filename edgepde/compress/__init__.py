"""What families share to make runs smaller."""

from edgepde.compress.run import compress_run

__all__ = ["compress_run"]
