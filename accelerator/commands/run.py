"""``resilian demo``, ``up``, ``ingest``, ``analytics`` and ``gateway``."""

from pathlib import Path
from typing import Annotated

import typer

from accelerator import logs, settings
from accelerator.settings import Settings

Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the pages; 0 takes a free one.")]
Fleet = Annotated[Path | None, typer.Option("--fleet", help="Folder of network.toml and members/.")]
Data = Annotated[Path | None, typer.Option("--data", help="Folder for the spool, the store and the rejects.")]
Log = Annotated[str | None, typer.Option("--log", help="debug, info, warning or error.")]
For = Annotated[float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="End by itself after that long.")]


def demo(
    port: Port = None,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=1000, help="How much faster machines live.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same network.")] = 1,
    for_seconds: For = None,
    data: Data = None,
    weeks: Annotated[int, typer.Option("--weeks", min=0, max=52, help="Weeks of history.")] = 12,
    log: Log = None,
) -> None:
    """Simulated network, broker, store, ingest, analytics and pages in one process, with nothing to set up.

    Thirty invented members with about 150 machines publish; twelve weeks of history travel through the same broker and
    spool as the live readings. Prints the URL when the first page answers. Ctrl-C ends it.

    Example: resilian demo --port 8080
    """
    from accelerator.demo import run_demo
    from accelerator.lifetime import run

    chosen = _settings(port=port, data_dir=data, log=log, fleet=None)
    run(run_demo(chosen, speed=speed, seed=seed, weeks=weeks, for_seconds=for_seconds, own_folder=data is None))


def up(fleet: Fleet = None, data: Data = None, port: Port = None, for_seconds: For = None, log: Log = None) -> None:
    """Ingest, analytics and pages in one process, for a real network.

    Broker and store are those of RESILIAN_BROKER and RESILIAN_STORE, else embedded ones.

    Example: resilian up --fleet ./fleet
    """
    from accelerator.lifetime import run
    from accelerator.programs import run_up

    run(run_up(_settings(port=port, data_dir=data, log=log, fleet=fleet), for_seconds=for_seconds))


def ingest(
    fleet: Fleet = None,
    data: Data = None,
    members: Annotated[
        str | None,
        typer.Option("--members", help="Only these members, separated by commas; others go to other collectors."),
    ] = None,
    log: Log = None,
) -> None:
    """The collector alone: every acknowledged message is in the store, or in the rejects with its reason.

    Example: RESILIAN_BROKER=mqtt://127.0.0.1 RESILIAN_STORE='influxdb+http://127.0.0.1:8086?org=x' resilian ingest
    """
    chosen = frozenset(name.strip() for name in members.split(",") if name.strip()) if members else None
    _alone("ingest", _settings(data_dir=data, log=log, fleet=fleet, port=None), chosen)


def analytics(fleet: Fleet = None, data: Data = None, log: Log = None) -> None:
    """The analytics worker alone: readings to hours, findings and outlooks, woken by events.

    Example: RESILIAN_BROKER=mqtt://127.0.0.1 RESILIAN_STORE='influxdb+http://127.0.0.1:8086?org=x' resilian analytics
    """
    _alone("analytics", _settings(data_dir=data, log=log, fleet=fleet, port=None))


def gateway(fleet: Fleet = None, data: Data = None, port: Port = None, log: Log = None) -> None:
    """The pages and the API alone, on 127.0.0.1.

    Example: RESILIAN_BROKER=mqtt://127.0.0.1 RESILIAN_STORE='influxdb+http://127.0.0.1:8086?org=x' resilian gateway
    """
    _alone("gateway", _settings(data_dir=data, log=log, fleet=fleet, port=port))


def _settings(*, port: int | None, data_dir: Path | None, log: str | None, fleet: Path | None) -> Settings:
    chosen = settings.load(port=port, data_dir=data_dir, log=log, fleet=fleet)
    logs.configure(chosen.log)
    return chosen


def _alone(name: str, chosen: Settings, members: frozenset[str] | None = None) -> None:
    from accelerator.lifetime import run
    from accelerator.programs import run_alone

    run(run_alone(name, chosen, members))


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    for command in (demo, up, ingest, analytics, gateway):
        app.command(command.__name__)(command)
