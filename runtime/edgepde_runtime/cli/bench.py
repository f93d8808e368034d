"""The command bench."""

from __future__ import annotations

import argparse

from ..errors import InputError
from ..limits import positive
from ..verbs.bench import bench
from ._common import add_bundle, add_cassette, add_json, add_trust, emit

SUMMARY = "time a bundle on every backend, against another bundle if you like"
EXAMPLE = """%(prog)s bundle/ --batch 1000
%(prog)s bundle/ --vs other/ --json bench.json"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of bench."""
    add_bundle(parser)
    parser.add_argument("--vs", metavar="OTHER", help="another bundle, timed in turn with this one")
    parser.add_argument("--batch", metavar="N", default="1", help="rows of the last input per call (default: 1)")
    parser.add_argument("--seconds", metavar="S", default="3", help="how long to measure in all (default: 3)")
    add_cassette(parser)
    add_trust(parser)
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Times and reports."""
    if not args.batch.isdecimal():
        raise InputError(f"--batch: expected a whole number above 0, got {args.batch!r}")
    seconds = positive(args.seconds, "--seconds")
    emit(bench(args.bundle, args.vs, int(args.batch), seconds, args.trust, args.cassette), args.json)
    return 0
