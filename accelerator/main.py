"""The ``resilian`` command: one Typer application, one place where failures become a line and an exit code."""

import os
import signal
import sys
from importlib.metadata import version as installed_version
from typing import Annotated, Any

import typer

from accelerator import logs
from accelerator.commands import bench, check, data, evaluate, kept, registry, run, stream
from accelerator.problems import Problem

app = typer.Typer(
    name="resilian",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Try it: resilian demo. A real network: resilian up. Something wrong: resilian doctor.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"resilian {installed_version('resilian')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Live utilisation of shared equipment: lossless from MQTT to the store, under-use found, consent enforced."""


for family in (run, stream, data, kept, check, registry, evaluate, bench):
    family.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the ``resilian`` command; exits 0 done, 1 found something, 2 wrong usage, 3 something missing."""
    sys.exit(execute(arguments))


def execute(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code; every expected failure is one line on stderr."""
    os.umask(0o077)  # the store and the spool hold every member's readings: nobody else of this machine reads them
    try:
        outcome: Any = app(args=arguments, standalone_mode=False)
    except Problem as problem:
        return _fail(str(problem), problem.code)
    except (typer.Abort, KeyboardInterrupt):
        return _fail("interrupted", 130)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        hint = f" See {context.command_path} --help." if context is not None else ""
        return _fail(str(getattr(error, "format_message", error.__str__)()) + hint, 2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return outcome if isinstance(outcome, int) else 0


def _fail(message: str, code: int) -> int:
    logs.note(f"resilian: {' '.join(message.split())}")
    return code


if __name__ == "__main__":
    main()
