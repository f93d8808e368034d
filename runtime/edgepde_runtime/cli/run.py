"""The command run."""

from __future__ import annotations

import argparse

from ..errors import InputError
from ..inputs import NOT_CONVERGED, POLICIES
from ..verbs.rollout import RolloutReport, rollout
from ..verbs.run import run
from ..verdict import EXIT_FAIL, EXIT_PASS
from ._common import add_backend, add_bundle, add_cassette

SUMMARY = "evaluate a bundle on the arrays of an npz file"
EXAMPLE = """%(prog)s bundle/ --input in.npz --output out.npz

in.npz holds one array [rows, columns] per input, under the input's name; `inspect` lists them.
Rows that did not converge are NaN in out.npz, and the exit code is 1.

A model of frames, whose outputs feed its inputs, is fed with its own by --steps N: out.npz then holds all frames
[rows, N j, ...]. Where in.npz also has an array `reference` of the true ones, the error of each frame is printed and
kept as error_growth.

Where any flag is set, out.npz also has a member flags/<input> for each input: an int32 per row, the sum of
1 out of box, 2 not converged, 4 residual above threshold, 8 input rounded to the graph's dtype.

With --fill, numbers that are NaN are filled, as far as a cassette knows its inputs and enough others are there; a
member filled/<input> says which; --noise damps all of them."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of run."""
    add_bundle(parser)
    parser.add_argument("--input", required=True, metavar="IN.npz", help="one floating-point array per input, by name")
    parser.add_argument("--output", required=True, metavar="OUT.npz", help="where the outputs go, in one step")
    parser.add_argument(
        "--out-of-box",
        choices=POLICIES,
        default="raise",
        help="refuse inputs outside the box, or compute and flag them",
    )
    parser.add_argument("--strict", action="store_true", help="refuse inputs that the graph's dtype would round")
    parser.add_argument("--steps", type=int, metavar="N", help="feed the model its own frames, N times")
    add_cassette(parser)
    parser.add_argument("--fill", action="store_true", help="fill NaN by what the cassette knows of its inputs")
    text = "with --fill: the standard deviation of the noise in the numbers of the input, which is damped"
    parser.add_argument("--noise", type=float, metavar="SIGMA", help=text)
    add_backend(parser)


def execute(args: argparse.Namespace) -> int:
    """Evaluates, writes and prints what came out; 1 where a row did not converge."""
    how = {"backend": args.backend, "out_of_box": args.out_of_box, "strict": args.strict, "trust": args.trust}
    how["cassette"] = args.cassette
    if args.noise is not None and not args.fill:
        raise InputError("--noise expected with --fill: nothing else knows the inputs")
    if args.steps is not None and args.fill:
        raise InputError("--fill expected without --steps: frames are not filled")
    if args.steps is not None:
        made: RolloutReport = rollout(args.bundle, args.input, args.output, args.steps, **how)
        print(made.table())
        return EXIT_PASS
    report = run(args.bundle, args.input, args.output, fill=args.fill, noise=args.noise, **how)
    print(report.table())
    return EXIT_FAIL if report.result.flags & NOT_CONVERGED else EXIT_PASS
