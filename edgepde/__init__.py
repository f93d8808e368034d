"""Surrogates of PDEs: problems, training, compression, certification; torch is imported when it is used."""

from edgepde_runtime.box import Box

__all__ = ["Box"]
