"""``resilian bench ingest``."""

from typing import Annotated

import typer

from accelerator import logs, output, settings
from accelerator.lifetime import run

app = typer.Typer(name="bench", help="Measure: CPU per message, messages a second.", no_args_is_help=True)


@app.callback()
def _family() -> None:
    """Measure whole processes; compare figures within one run only, machines are noisy."""


@app.command()
def ingest(
    store: Annotated[
        str | None, typer.Option("--store", help="Default: an embedded store in a temporary folder.")
    ] = None,
    messages: Annotated[int, typer.Option("--messages", min=1000, help="How many.")] = 200_000,
    machines: Annotated[int, typer.Option("--machines", min=1, help="Of how many machines.")] = 200,
    members: Annotated[int, typer.Option("--members", min=1, help="Of how many members.")] = 5,
) -> None:
    """CPU per message and messages a second of a collector, everything on; prints one JSON object.

    The broker is Mosquitto where it is installed, else the embedded one.

    Example: resilian bench ingest --messages 200000 --members 30
    """
    from accelerator.bench.ingest import measure

    chosen = settings.load(store=store)
    logs.configure("warning")
    with output.progress("bench ingest") as told:
        output.emit_json(run(measure(chosen, count=messages, machines=machines, members=members, progress=told)))


def register(root: typer.Typer) -> None:
    """Add the commands of this family."""
    root.add_typer(app)
