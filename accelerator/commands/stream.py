"""``resilian simulate`` and ``resilian replay``."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from accelerator import logs, output, owner, places
from accelerator.commands.options import Data, Fleet
from accelerator.durations import seconds
from accelerator.problems import Missing, Usage
from accelerator.settings import Settings

_REASONS = 5


def simulate(
    fleet: Fleet = None,
    data: Data = None,
    truth: Annotated[Path | None, typer.Option("--truth", help="File for the ground truth, CSV.")] = None,
    for_seconds: Annotated[
        float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="End after that long.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same stream.")] = 1,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=1000, help="How much faster machines live.")] = 1.0,
    weeks: Annotated[int, typer.Option("--weeks", min=0, max=52, help="Weeks of history to publish first.")] = 0,
) -> None:
    """Simulated machines alone, towards any broker.

    The broker is that of RESILIAN_BROKER or of a running `up`; the ground truth goes to a file.

    Example: RESILIAN_BROKER=mqtt://127.0.0.1 resilian simulate --fleet ./fleet --truth truth.csv
    """
    from accelerator.lifetime import run

    chosen = places.chosen(fleet, data)
    logs.configure(chosen.log)
    run(_simulate(chosen, truth=truth, for_seconds=for_seconds, seed=seed, speed=speed, history_weeks=weeks))


async def _simulate(chosen: Settings, **options: Any) -> None:
    from accelerator.lifetime import stop_on_signals
    from fleet.clock import now
    from simulators import network, service

    broker, folder = _broker_and_fleet(chosen)
    if not (folder / "network.toml").exists():
        network.write(folder, seed=options["seed"], now=now())
        typer.echo(f"resilian: wrote a simulated network to {folder}", err=True)
    stop = asyncio.Event()
    stop_on_signals(stop)
    with output.progress("history") as told:
        await service.run(service.SimulateConfig(broker=broker, fleet_dir=folder, progress=told, **options), stop=stop)


def _broker_and_fleet(chosen: Settings) -> tuple[Any, Path]:
    from accelerator.opening import broker_address

    running = owner.find(chosen.run_file)
    if chosen.broker is not None:
        return broker_address(chosen.broker), chosen.fleet
    if running is not None:
        return broker_address(running.broker), Path(running.fleet)
    raise Missing("no broker: set RESILIAN_BROKER=mqtt://host:port, or start `resilian up` first")


def replay(
    file: Annotated[Path, typer.Argument(help="Intervals file or readings file, CSV.")],
    member: Annotated[
        str, typer.Option("--member", help="Under which member unknown machines are registered.")
    ] = "replay",
    speed: Annotated[str, typer.Option("--speed", help="How many times faster than recorded, or max.")] = "max",
    every: Annotated[
        str, typer.Option("--every", help="A reading at each change and each so often: 30s, 5min, 1h.")
    ] = "5min",
    ends_now: Annotated[bool, typer.Option("--ends-now", help="Move the recording so that it ends now.")] = False,
    timezone: Annotated[str, typer.Option("--timezone", help="Of times without an offset.")] = "UTC",
    fleet: Fleet = None,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Publish a recording through the broker.

    Under the recorded times; ends when the store has it all. Works with a running `up` or `demo`, or with the broker of
    RESILIAN_BROKER and a running `ingest`.

    Example: resilian replay intervals.csv --member atelier --speed max
    """
    from accelerator.lifetime import run

    if not file.exists():
        raise Missing(f"{file}: no such file")
    chosen = places.chosen(fleet, data)
    logs.configure(chosen.log)
    outcome = run(
        _replay(
            chosen,
            path=file,
            member=member,
            speed=None if speed == "max" else _factor(speed),
            every=seconds(every, option="--every"),
            ends_now=ends_now,
            timezone=timezone,
        )
    )
    if as_json:
        output.emit_json(outcome)
        return
    rows = ", ".join(f"{outcome[name]:,} {name}" for name in ("used", "united", "empty", "refused"))
    typer.echo(
        f"{outcome['rows']:,} rows: {rows}; {outcome['machines']} machines, {outcome['machines_added']} of them new"
    )
    kept = "all stored" if outcome["stored"] else "not all stored yet"
    typer.echo(
        f"{outcome['readings']:,} readings in {outcome['messages']:,} messages, {kept}, {outcome['seconds']:.1f} s"
    )
    for reason in outcome["reasons"][:_REASONS]:
        typer.echo(f"refused: {reason}")
    if len(outcome["reasons"]) > _REASONS:
        typer.echo(f"... and {len(outcome['reasons']) - _REASONS} more; --json lists them all")


async def _replay(chosen: Settings, **options: Any) -> dict[str, Any]:
    import dataclasses

    from accelerator.lifetime import stop_on_signals
    from simulators import replay as recording

    broker, folder = _broker_and_fleet(chosen)
    stop = asyncio.Event()
    stop_on_signals(stop)
    with output.progress("replay") as told:
        try:
            done = await recording.run(
                recording.ReplayConfig(broker=broker, fleet_dir=folder, progress=told, **options), stop=stop
            )
        except recording.RecordingError as error:
            raise Usage(str(error)) from None
        except recording.NobodyListensError as error:
            raise Missing(str(error)) from None
    return dataclasses.asdict(done)


def _factor(text: str) -> float:
    try:
        factor = float(text)
    except ValueError:
        factor = 0.0
    if not 0 < factor <= 1e6:
        raise Usage(f"--speed {text}: a number above 0 and at most 1000000, or max")
    return factor


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("simulate")(simulate)
    app.command("replay")(replay)
