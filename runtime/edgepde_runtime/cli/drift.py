"""The command drift."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import InputError
from ..verbs.drift import DriftOptions, drift
from ..verdict import EXIT_FAIL, EXIT_PASS
from ..watched import UNITS
from ._common import add_backend, add_bundle, add_cassette, add_json, emit

SUMMARY = "watch a bundle's calls for drift, with an alarm at a stated false-alarm rate"
EXAMPLE = """%(prog)s bundle/ --state drift.json --input in.npz
%(prog)s bundle/ --state drift.json --json -
%(prog)s bundle/ --state fleet.json --merge a.json --merge b.json

in.npz is as for `run`. The state has the same size however many calls it has seen; without one it is begun. Exit code 1
says that there is an alarm, of these calls or of earlier ones; --reset begins anew."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of drift."""
    add_bundle(parser)
    parser.add_argument("--state", required=True, metavar="DRIFT.json", help="what is kept between calls")
    parser.add_argument("--input", metavar="IN.npz", help="one floating-point array per input, by name")
    parser.add_argument(
        "--merge", action="append", default=[], metavar="OTHER.json", help="add another device's state, once"
    )
    parser.add_argument("--reset", action="store_true", help="begin anew; what the state held is lost")
    parser.add_argument(
        "--false-alarm", type=float, metavar="RATE", help="chance of ever a false alarm (default: 0.01)"
    )
    parser.add_argument(
        "--commissioning",
        type=int,
        metavar="N",
        help="rows that later inputs are compared with; 0: inputs uniform in the box (default: 1000)",
    )
    parser.add_argument(
        "--unit", choices=UNITS, help="what is independent of each other: the rows of a call, or calls (default: row)"
    )
    parser.add_argument(
        "--tolerated",
        action="append",
        default=[],
        metavar="NAME=RATE",
        help="a rate that is no alarm, of out_of_box, not_converged (default: 0.01) or above_threshold (calibrated)",
    )
    add_cassette(parser)
    add_backend(parser)
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Counts, prints what the state says; 1 where there is an alarm."""
    given = {"false_alarm": args.false_alarm, "commissioning": args.commissioning, "unit": args.unit}
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if args.tolerated:
        settings["tolerated"] = dict(_rate(text) for text in args.tolerated)
    options = DriftOptions(settings, args.reset, args.merge, args.backend, args.trust, args.cassette)
    report = drift(args.bundle, args.state, args.input, options)
    emit(report, args.json)
    return EXIT_FAIL if report.alarmed else EXIT_PASS


def _rate(text: str) -> tuple[str, float]:
    name, _, rate = text.partition("=")
    try:
        return name, float(rate)
    except ValueError:
        raise InputError(f"--tolerated: expected NAME=RATE, got {text!a}") from None
