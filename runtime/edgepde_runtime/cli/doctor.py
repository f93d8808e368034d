"""The command doctor."""

from __future__ import annotations

import argparse

from ..verbs.doctor import doctor
from ._common import add_json, emit

SUMMARY = "show this machine, the backends it has, what is missing and how to get it"
EXAMPLE = """%(prog)s
%(prog)s --json -"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of doctor."""
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Looks around and reports."""
    emit(doctor(), args.json)
    return 0
