"""The command verify."""

from __future__ import annotations

import argparse
from typing import Any

from .. import budget, bundle, limits
from ..atomic import write_bytes
from ..errors import BudgetError
from ..verbs import exchange
from ..verbs.verify import VerifyOptions, verify
from ._common import add_backend, add_bundle, add_cassette, add_json, emit

SUMMARY = "check a bundle: integrity, golden data, error, latency; one table and a verdict"
EXAMPLE = """%(prog)s bundle/ --max-error u=1e-3 --p99-us 500
%(prog)s bundle/ --budget budget.toml --json -

exit codes: 0 pass, 1 a check failed, 2 usage, 3 unsupported model, 4 something could not be checked"""

_NUMBERS = {
    "p50_us": ("T", "the median of a call takes at most T microseconds"),
    "p99_us": ("T", "99 of 100 calls take at most T microseconds"),
    "max_ram_kb": ("K", "the compiled model needs at most K KB of RAM"),
    "max_flash_kb": ("K", "the compiled model needs at most K KB of flash"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of verify."""
    add_bundle(parser)
    parser.add_argument("--budget", metavar="FILE", help="limits from the [[model]] tables of a TOML file; flags win")
    parser.add_argument(
        "--max-error",
        metavar="E",
        help="the certificate's total is at most E, or per output: u=1e-3,u_x=1e-2, or on a part of the box: "
        "1e-2,u[x=0.4:0.6]=1e-4",
    )
    parser.add_argument(
        "--min-class", metavar="C", help=f"weakest class that may pass: {', '.join(limits.MIN_CLASSES)}"
    )
    for name, (metavar, text) in _NUMBERS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)
    parser.add_argument(
        "--attack", metavar="SECONDS", help="search the box for so long for the worst |reference network - device|"
    )
    parser.add_argument("--seed", metavar="N", default="0", help="of --attack: where it looks (default: 0)")
    parser.add_argument("--seconds", metavar="S", default="1", help="how long latency is measured (default: 1)")
    add_cassette(parser, "all of them are checked without it")
    add_backend(parser)
    add_json(parser)
    parser.add_argument("--junit", metavar="FILE", help="write the checks as JUnit XML")
    parser.add_argument("--sarif", metavar="FILE", help="write what did not pass as SARIF")


def options(args: argparse.Namespace) -> VerifyOptions:
    """Limits from the budget file, overridden by flags; raises BudgetError naming the flag or key."""
    asked = budget.find(args.budget, args.bundle) if args.budget else limits.Limits()
    given = {name: getattr(args, name) for name in _NUMBERS if getattr(args, name) is not None}
    flags: dict[str, Any] = {n: limits.positive(v, f"--{n.replace('_', '-')}") for n, v in given.items()}
    if args.max_error is not None:
        flags["max_error"] = limits.max_error(args.max_error, "--max-error")
    if args.min_class is not None:
        flags["min_class"] = limits.class_name(args.min_class, "--min-class")
    attack = None if args.attack is None else limits.positive(args.attack, "--attack")
    if not args.seed.isdecimal():
        raise BudgetError(f"--seed: expected a whole number from 0, got {args.seed!r}")
    seconds = limits.positive(args.seconds, "--seconds")
    settled = asked.overridden(flags)
    return VerifyOptions(settled, args.backend, args.trust, seconds, attack, int(args.seed), args.cassette)


def execute(args: argparse.Namespace) -> int:
    """Verifies and reports; returns the verdict's exit code."""
    bundle.locate(args.bundle)
    report = verify(args.bundle, options(args))
    emit(report, args.json)
    if args.junit:
        write_bytes(args.junit, exchange.junit(report))
    if args.sarif:
        write_bytes(args.sarif, exchange.sarif(report))
    return report.exit_code
