"""The command `fastcnn`: one module per subcommand, each with HELP, add_arguments and run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from fastcnn import __version__
from fastcnn._names import did_you_mean
from fastcnn.cli import (
    evaluate,
    features,
    fetch,
    info,
    models,
    plan,
    predict,
    report,
    show,
    summary,
    time,
    train,
)
from fastcnn.cli.parser import CommandError, Parser, UsageError
from fastcnn.data import DataError
from fastcnn.info import info as info_of_build

_COMMANDS = {
    "train": train,
    "eval": evaluate,
    "predict": predict,
    "features": features,
    "fetch": fetch,
    "show": show,
    "report": report,
    "summary": summary,
    "time": time,
    "plan": plan,
    "models": models,
    "info": info,
}
_INTERRUPTED = 128 + signal.SIGINT


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and returns the exit code: 0, 1 where it failed, 2 for wrong usage, 130 for Ctrl-C."""
    try:
        return _run(sys.argv[1:] if argv is None else list(argv))
    except UsageError as error:
        return _fail(f"{error} (fastcnn --help shows the commands)", 2)
    except BrokenPipeError:
        # Whoever read our output has had enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (CommandError, DataError, ImportError) as error:  # ImportError: an extra that is missing
        return _fail(str(error), 1)
    except OSError as error:
        return _fail(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
    except MemoryError:
        return _fail("not enough memory; try a smaller --batch-size", 1)
    except KeyboardInterrupt as error:
        return _fail(str(error) or "interrupted", _INTERRUPTED)


def _run(argv: list[str]) -> int:
    parser = Parser(prog="fastcnn", description="Trains, tries and times convolutional networks.")
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, command in _COMMANDS.items():
        subparser = subparsers.add_parser(name, help=command.HELP, description=command.HELP)
        command.add_arguments(subparser)
    if argv and not argv[0].startswith("-") and argv[0] not in _COMMANDS:
        raise UsageError(f"no command {argv[0]!r}{did_you_mean(argv[0], _COMMANDS)}")
    arguments, unknown = parser.parse_known_args(argv)
    (subparsers.choices[arguments.command] if arguments.command else parser).refuse_unknown(unknown)
    if arguments.version:
        print(f"fastcnn {__version__}")
        return 0
    if arguments.command is None:
        parser.print_help()
        return 2
    _check_environment()
    _COMMANDS[arguments.command].run(arguments)
    sys.stdout.flush()
    return 0


def _check_environment() -> None:
    """The core reads FASTCNN_ISA, FASTCNN_GEMM, FASTCNN_CONV and FASTCNN_NUM_THREADS when it first needs
    them; a command reads them before it begins."""
    try:
        info_of_build()
    except (ValueError, RuntimeError) as error:
        raise CommandError(str(error)) from error


def _fail(message: str, code: int) -> int:
    print(f"fastcnn: error: {' '.join(message.split())}", file=sys.stderr)
    return code
