"""What the commands share: arguments that several have, and where a report goes."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Protocol

from .. import render
from ..atomic import write_bytes
from ..choose import names


class Report(Protocol):
    """What a verb returns."""

    def table(self) -> str:
        """For a person."""
        ...

    def as_dict(self) -> dict[str, object]:
        """For a program."""
        ...


def add_bundle(parser: argparse.ArgumentParser) -> None:
    """The bundle's folder."""
    parser.add_argument("bundle", metavar="BUNDLE", help="folder of the bundle")


def add_backend(parser: argparse.ArgumentParser) -> None:
    """--backend and --trust."""
    known = ", ".join(["auto", *names()])
    parser.add_argument(
        "--backend",
        default="auto",
        metavar="NAME",
        help=f"what computes: {known}; auto is c99 where the bundle is trusted, else ort where onnxruntime is "
        "installed, else reference (default: auto)",
    )
    add_trust(parser)


def add_trust(parser: argparse.ArgumentParser) -> None:
    """--trust."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="allow the bundle's own C code; without it none is compiled or loaded, unless it was written here",
    )


def add_cassette(parser: argparse.ArgumentParser, several: str = "") -> None:
    """--cassette."""
    known = several or "needed where there are several"
    text = f"the operator of a model with slots: a file of cassettes/ without .npz; {known}"
    parser.add_argument("--cassette", metavar="NAME", help=text)


def add_json(parser: argparse.ArgumentParser) -> None:
    """--json FILE or -."""
    parser.add_argument(
        "--json", metavar="FILE", help="write the report as JSON; - is standard output, which then holds nothing else"
    )


def emit(report: Report, target: str | None) -> None:
    """The table on stdout; with --json - the document on stdout and the table on stderr. Raises OSError on writing."""
    stream = sys.stderr if target == "-" else sys.stdout
    text = report.table()
    print(render.coloured(text) if render.wants_colour(stream) else text, file=stream)
    if target is None:
        return
    document = json.dumps(report.as_dict(), indent=2, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(document)
    else:
        write_bytes(target, document.encode())
