"""How fast is the C99 target against ONNX Runtime, OpenVINO and emx-onnx-cgen, and how small is its code?

One interleaved contest on one core: every round times each rival once, in random order. Functions in C are timed by a
loop and a clock in C, Python rivals through their fastest call. The peers live in an environment made on first use.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from _harness import OURS, Row, closing, on_one_thread, parser, publish, say, stdout_to_stderr
from c99_peers import environment, rows, size
from c99_peers.enter import Hall, floors, networks, peers, queries
from c99_peers.networks import PINN, WORKLOADS, module
from c99_peers.ours import of_bundle, of_module
from c99_peers.spec import Entry, Outcome, outcomes, write
from native.build import HERE, fma_peak, isas, on_one_core, shared_library

BURGERS = Path(__file__).resolve().parents[1] / "samples" / "s2gpt_burgers" / "bundle"
CONTEST = Path(__file__).resolve().parent / "c99_peers" / "contest.py"


def ask(args: argparse.Namespace, folder: Path, core: int) -> tuple[list[Row], list[str]]:
    """Everything is built, then entered into one contest."""
    here = tuple(isas())
    clock = folder / "clock.so"
    shared_library([HERE / "probe.c"], ["-mfma"], clock)
    hall = Hall(folder, clock, here)
    peaks = {isa.name: fma_peak(isa, folder) for isa in here}
    nets = {asked: module(asked, args.seed) for asked in WORKLOADS}
    own = {asked: of_module(net, asked, folder) for asked, net in nets.items()}
    burgers = of_bundle(args.s2gpt)
    entered: list[Entry] = floors(hall)
    for asked, net in nets.items():
        say(f"building the peers of {asked.words}")
        entered += peers(net, asked, hall, args.seed) + networks(net, asked, own[asked], hall, args.seed)
    entered += queries(burgers, hall)
    found = rows.Found(contest(entered, folder, args, core))
    missing = own[PINN].missing or "this processor has not the instructions"
    made = rows.times(found, peaks) + rows.queries_missing(found, burgers.missing or missing)
    made += [*rows.ratios(found, missing), rows.overhead(found, missing)]
    made += size.rows(nets[PINN], PINN, own[PINN], folder)
    return made, [f"{name}: peak {peak / 1e9:.4g} G fma/s of this core" for name, peak in peaks.items()]


def contest(entered: list[Entry], folder: Path, args: argparse.Namespace, core: int) -> list[Outcome]:
    """In the peers' Python."""
    source, target = folder / "entries.json", folder / "outcomes.json"
    write(source, entered)
    say(f"timing {len(entered)} rivals in turn")
    environment.python(CONTEST, str(source), str(target), str(rounds(args)), str(core), str(args.seed))
    return outcomes(target)


def rounds(args: argparse.Namespace) -> int:
    """How often each is timed."""
    return 60 if args.quick else 300


def main() -> None:
    """Ask and print; what cannot be built is told in a line."""
    made = parser(__doc__ or "")
    made.add_argument(
        "--s2gpt", type=Path, default=BURGERS, metavar="BUNDLE", help="a bundle of s2gpt_burgers with c99/"
    )
    args = made.parse_args()
    on_one_thread()
    torch.set_num_threads(1)
    core = on_one_core()
    try:
        with tempfile.TemporaryDirectory() as place, stdout_to_stderr():
            found, words = ask(args, Path(place), core)
            versions = environment.versions()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"c99_vs_peers: {error}\n{error.stderr or ''}") from None
    words.append(f"{rounds(args)} rounds in random order, one thread on core {core}; medians with quartiles")
    words.append("max error: against float64 by numpy; variants: the fastest of those tried")
    words.append("onnx2c has no package on the index: it takes part where it is on PATH")
    settings = {"threads": 1, "rounds": rounds(args), "core": core, "peers": versions, "python": sys.version.split()[0]}
    others = [row for row in found if not row.rival.startswith(f"{OURS}, ")]
    publish(args, found, settings, [*words, f"peers: {versions}"], closing(others))


if __name__ == "__main__":
    main()
