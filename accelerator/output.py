"""What commands print: tables for people, JSON for scripts, progress on a terminal."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol

import typer

from accelerator.printable import printable


class Progress(Protocol):
    """Told how far a long command is."""

    def __call__(self, done: int, total: int, what: str = "") -> None:
        """``total`` is 0 while it is not known."""


def emit_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None, default=_plain))


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


def emit_table(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
    """A table of ``rows``; ``columns`` maps keys to headings; ``empty`` is said when there is no row."""
    if not rows:
        typer.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for key, heading in columns.items():
        numeric = all(isinstance(row.get(key), int | float | type(None)) for row in rows)
        table.add_column(heading, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(key)) for key in columns))
    Console(width=None if sys.stdout.isatty() else 200, highlight=False, markup=False).print(table)


def emit_markdown(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], *, empty: str) -> None:
    """The same table in Markdown, for a report that people edit."""
    if not rows:
        typer.echo(empty)
        return
    lines = [list(columns.values()), ["---"] * len(columns)]
    lines += [[_cell(row.get(key)).replace("|", r"\|") for key in columns] for row in rows]
    typer.echo("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.isoformat(timespec="minutes")
    return printable(str(value))


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """A progress bar on a terminal's stderr; silent elsewhere."""
    if not sys.stderr.isatty():
        yield lambda done, total, what="": None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def told(done: int, total: int, what: str = "") -> None:
            bar.update(task, completed=done, total=total or None, description=f"{label} {what}".strip())

        yield told
