"""The command inspect."""

from __future__ import annotations

import argparse

from ..verbs.inspect import inspect
from ._common import add_cassette, add_json, emit

SUMMARY = "show what is in a bundle or a model file: inputs, box, outputs, errors, ops, sizes"
EXAMPLE = """%(prog)s bundle/
%(prog)s bundle/model.onnx --json -"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of inspect."""
    parser.add_argument("target", metavar="BUNDLE|MODEL.onnx", help="folder of a bundle, or a model file")
    add_cassette(parser, "shows what is stated for it")
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Describes the target."""
    emit(inspect(args.target, args.cassette), args.json)
    return 0
