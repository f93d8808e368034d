"""Inverse problems by name: every module here has a STATEMENT."""
