"""What the commands that edit the registry's files share: errors in one line, names, questions, tables."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from accelerator import output
from accelerator.problems import Found, Usage
from fleet import edit
from fleet.topics import slugify

MachineName = Annotated[str, typer.Argument(metavar="MACHINE", help="Id of the machine.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@contextmanager
def editing() -> Iterator[None]:
    """An edit inside: what it refuses, or the disk, ends the command in one line with exit code 1."""
    try:
        yield
    except edit.EditRefused as error:
        raise Found(str(error)) from None
    except OSError as error:
        raise Found(f"{error.filename}: cannot be written: {error.strerror}") from None


def slug_of(name: str) -> str:
    """A name as it stands in topics.

    Raises:
        Usage: nothing of it can stand there.
    """
    try:
        return slugify(name)
    except ValueError as error:
        raise Usage(f"{error}; give --slug") from None


def ask(question: str, *, yes: bool) -> None:
    """Ask before something goes, unless ``yes``; "no" ends the command.

    Raises:
        Usage: there is no terminal to ask at.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise Usage("there is nobody to ask: add --yes")
    typer.confirm(question, abort=True)


def emit(rows: list[dict[str, Any]], as_json: bool, columns: dict[str, str], empty: str) -> None:
    """Rows as JSON, or as a table that says ``empty`` without any."""
    if as_json:
        output.emit_json(rows)
    else:
        output.emit_table(rows, columns, empty=empty)
