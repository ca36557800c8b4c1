"""The ``resilian`` command: one Typer application, one place where failures become a line and an exit code."""

import os
import signal
import sys
from importlib import import_module
from importlib.metadata import version as installed_version
from typing import Annotated, Any, Final

import typer

from accelerator import logs
from accelerator.problems import Problem
from accelerator.whole_output import ReaderGone, make_whole

FAMILIES: Final = {
    "run": ("demo", "up", "ingest", "analytics", "gateway"),
    "stream": ("simulate", "replay"),
    "data": ("report", "export", "verify-ledger"),
    "kept": ("rejects", "repush"),
    "check": ("settings", "doctor"),
    "registry": ("member", "machine", "feed", "consent", "device", "finding"),
    "evaluate": ("evaluate",),
    "bench": ("bench",),
}
"""Modules of ``accelerator.commands``, in the order of ``--help``, and the first words of their commands."""


def application(first: str | None = None) -> typer.Typer:
    """The whole command; given the first word of one command, its family alone, so that no other is loaded."""
    app = typer.Typer(
        name="resilian",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        epilog="Try it: resilian demo. A real network: resilian up. Something wrong: resilian doctor.",
    )
    app.callback()(_root)
    for family in [name for name, words in FAMILIES.items() if first in words] or FAMILIES:
        import_module(f"accelerator.commands.{family}").register(app)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"resilian {installed_version('resilian')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Live utilisation of shared equipment: lossless from MQTT to the store, under-use found, consent enforced."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the ``resilian`` command; exits 0 done, 1 found something, 2 wrong usage, 3 something missing."""
    make_whole()
    sys.exit(execute(arguments))


def execute(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; every expected failure is one line on stderr."""
    os.umask(0o077)  # the store and the spool hold every member's readings: nobody else of this machine reads them
    words = sys.argv[1:] if arguments is None else arguments
    first = next((word for word in words if not word.startswith("-")), None)
    try:
        outcome: Any = application(first)(args=arguments, standalone_mode=False)
        typer.echo(nl=False)  # flushes: what cannot be written is an error of this command, not of the exit
    except Problem as problem:
        return _fail(str(problem), problem.code)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f" See {context.command_path} --help." if context is not None else ""
        return _fail(str(getattr(error, "format_message", error.__str__)()) + hint, 2)
    except ReaderGone:
        return 128 + signal.SIGPIPE
    return outcome if isinstance(outcome, int) else 0


def _fail(message: str, code: int) -> int:
    logs.note(f"resilian: {' '.join(message.split())}")
    return code


if __name__ == "__main__":
    main()
