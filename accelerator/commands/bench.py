"""``resilian bench ingest`` and ``resilian bench analytics``."""

import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from accelerator import logs, output, settings
from accelerator.commands.fleet import EngineOption, Workers
from accelerator.engines import Engine, workers_of
from accelerator.lifetime import run
from accelerator.problems import Missing, Usage
from accelerator.settings import Settings

if TYPE_CHECKING:
    from accelerator.bench.subjects import Place

app = typer.Typer(name="bench", help="Measure: CPU per message, hours of many machines.", no_args_is_help=True)


class Other(StrEnum):
    """What ours can be compared with."""

    TELEGRAF = "telegraf"


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
    against: Annotated[
        Other | None, typer.Option("--against", help="Run the other one, too, on the same broker and InfluxDB.")
    ] = None,
    runs: Annotated[int, typer.Option("--runs", min=1, help="With --against: runs of each, in turn.")] = 3,
    faults: Annotated[
        bool, typer.Option("--faults", help="With --against: what each loses, instead of how fast it is.")
    ] = False,
    latency: Annotated[
        int | None,
        typer.Option(
            "--latency", min=1, metavar="RATE", help="Publish RATE messages a second, and tell how long each took."
        ),
    ] = None,
    telegraf: Annotated[
        str | None, typer.Option("--telegraf", help="Its program; default: the one on the path.")
    ] = None,
) -> None:
    """CPU per message and messages a second of a collector.

    Everything on; prints one JSON object. The broker is Mosquitto where it is installed, else the embedded one. Buckets
    that are made in an InfluxDB are removed afterwards.

    Example: resilian bench ingest --messages 200000 --members 30
    """
    from accelerator.bench.ingest import Size, measure

    chosen = settings.load(store=store)
    size = Size(messages, machines, members)
    logs.configure("warning")
    if faults and against is None:
        raise Usage("--faults: is for --against telegraf; `scripts/bench faults` is for the collector alone")
    if latency is not None and against is not None:
        raise Usage("--latency: is for the collector alone, without --against")
    with output.progress("bench ingest") as told:
        if latency is not None:
            from accelerator.bench.latency import latency as wait

            output.emit_json(run(wait(chosen, size, latency, told)))
            return
        if against is None:
            output.emit_json(run(measure(chosen, size, told)))
            return
        from accelerator.bench.against import compare
        from accelerator.bench.trials import trials

        place = _place(chosen, telegraf)
        output.emit_json(run(trials(place, told) if faults else compare(place, size, runs, told)))


@app.command()
def analytics(
    machines: Annotated[int, typer.Option("--machines", min=1, help="Of how many machines.")] = 1500,
    weeks: Annotated[int, typer.Option("--weeks", min=2, help="Of how many weeks.")] = 52,
    engine: EngineOption = Engine.LOCAL,
    workers: Workers = None,
    hours: Annotated[
        Path | None, typer.Option("--hours", metavar="FILE", help="Keep the hours there; made once, used again.")
    ] = None,
) -> None:
    """Measure the figures of many machines in one pass.

    P(free 8 h) for every start of two weeks, levels and verdicts. Hours are made and written to Parquet, then read and
    swept part by part. Prints one JSON object; `digest` is that of all results, the same for every engine.

    Example: resilian bench analytics --machines 100000 --engine dask --workers 2
    """
    from accelerator.bench.analytics import Size, measure

    with output.progress("bench analytics") as told:
        try:
            output.emit_json(measure(Size(machines, weeks, engine, workers_of(workers)), told, hours))
        except OSError as error:
            raise Missing(f"the hours cannot be written: {error}") from None


def _place(chosen: Settings, telegraf: str | None) -> "Place":
    from accelerator.bench.influx import is_influx
    from accelerator.bench.subjects import Place

    if chosen.store is None or not is_influx(chosen.store):
        raise Usage(
            "--against telegraf: both write to an InfluxDB: add --store influxdb+http://host:port?org=NAME and its "
            "token, or let scripts/bench start one"
        )
    program = shutil.which(telegraf or "telegraf")
    if program is None:
        raise Missing(
            f"{telegraf or 'telegraf'}: no such program; build one with scripts/build-telegraf, name one by --telegraf"
        )
    return Place(chosen.store, chosen.token or "", program)


def register(root: typer.Typer) -> None:
    """Add the commands of this family."""
    root.add_typer(app)
