"""python -m edgepde_runtime: verify, run, bench, inspect and doctor on the device."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from importlib import resources
from typing import final

from .errors import (
    BackendError,
    BudgetError,
    BundleError,
    CompilerError,
    EdgePDEError,
    InputError,
    ModelFileError,
    NoBundle,
    NotConverged,
    NotVerified,
    ObjectFileError,
    OutOfBox,
    StateError,
    UnsupportedModel,
)
from .render import safe
from .verdict import EXIT_FAIL, EXIT_NOT_VERIFIED, EXIT_UNSUPPORTED, EXIT_USAGE

EXIT_INTERRUPTED = 130
EXIT_CODES: dict[type[EdgePDEError], int] = {
    NoBundle: EXIT_USAGE,
    BundleError: EXIT_FAIL,
    OutOfBox: EXIT_FAIL,
    NotConverged: EXIT_FAIL,
    InputError: EXIT_USAGE,
    BudgetError: EXIT_USAGE,
    StateError: EXIT_USAGE,
    BackendError: EXIT_USAGE,
    CompilerError: EXIT_USAGE,
    ModelFileError: EXIT_UNSUPPORTED,
    ObjectFileError: EXIT_UNSUPPORTED,
    UnsupportedModel: EXIT_UNSUPPORTED,
    NotVerified: EXIT_NOT_VERIFIED,
}


def commands() -> list[str]:
    """The commands there are: the modules of the folder cli/."""
    files = [entry.name for entry in resources.files(f"{__package__}.cli").iterdir()]
    return sorted(name.removesuffix(".py") for name in files if name.endswith(".py") and not name.startswith("_"))


def build_parser(prog: str) -> argparse.ArgumentParser:
    """The parser of all commands, each with an example of its own."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description="Runs and verifies EdgePDE bundles.",
        epilog=f"{prog} COMMAND --help explains one command.",
    )
    sub = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in commands():
        module = importlib.import_module(f"{__package__}.cli.{name}")
        one = sub.add_parser(
            name,
            help=module.SUMMARY,
            description=f"{name}: {module.SUMMARY}.",
            epilog=f"examples:\n\n{module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(one)
        one.set_defaults(execute=module.execute)
    return parser


@final
class _Progress(logging.Handler):
    """What takes long is told on standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """One line."""
        print(safe(record.getMessage()), file=sys.stderr)


def _tell_progress() -> None:
    log = logging.getLogger(__package__)
    if not any(isinstance(handler, _Progress) for handler in log.handlers):
        log.addHandler(_Progress())
        log.setLevel(logging.INFO)


def exit_code_of(error: EdgePDEError) -> int:
    """The exit code an error stands for."""
    return next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), EXIT_FAIL)


def main(argv: list[str] | None = None, prog: str = "python -m edgepde_runtime") -> int:
    """Runs one command and returns its exit code; errors go to stderr, never a traceback for what a user can cause."""
    try:
        args = build_parser(prog).parse_args(argv)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else EXIT_USAGE
    _tell_progress()
    try:
        code: int = args.execute(args)
        sys.stdout.flush()
        return code
    except EdgePDEError as error:
        print(f"{prog} {args.command}: {safe(str(error))}", file=sys.stderr)
        return exit_code_of(error)
    except KeyboardInterrupt:
        print(f"{prog} {args.command}: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except OSError as error:
        print(f"{prog} {args.command}: cannot write {safe(_told(error))}", file=sys.stderr)
        return EXIT_USAGE


def _told(error: OSError) -> str:
    return f"{error.filename or 'standard output'}: {error.strerror or error}"


if __name__ == "__main__":
    sys.exit(main())
