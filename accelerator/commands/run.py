"""``resilian demo``, ``up``, ``ingest``, ``analytics`` and ``gateway``."""

from pathlib import Path
from typing import Annotated

import typer

from accelerator import jobs, logs, output, settings
from accelerator.commands.options import Data, Fleet
from accelerator.places import chosen
from accelerator.problems import Found, Usage
from accelerator.settings import Settings
from fleet.topics import SLUG, collector_program

Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the pages; 0 takes a free one.")]
Log = Annotated[str | None, typer.Option("--log", help="debug, info, warning or error.")]
For = Annotated[float | None, typer.Option("--for", min=0.1, metavar="SECONDS", help="End by itself after that long.")]


ingest_app = typer.Typer(rich_markup_mode=None)


def demo(
    port: Port = None,
    speed: Annotated[float, typer.Option("--speed", min=0.1, max=1000, help="How much faster machines live.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Same seed, same network.")] = 1,
    for_seconds: For = None,
    data: Data = None,
    weeks: Annotated[int, typer.Option("--weeks", min=0, max=52, help="Weeks of history.")] = 12,
    log: Log = None,
) -> None:
    """A whole simulated network in one process, to try it.

    Broker, store, ingest, analytics and pages, with nothing to set up: thirty invented members with about 150 machines
    publish; twelve weeks of history travel through the same broker and spool as the live readings. Prints the URL when
    the first page answers. Ctrl-C ends it.

    Example: resilian demo --port 8080
    """
    from accelerator.demo import run_demo
    from accelerator.lifetime import run

    chosen = _settings(port=port, data_dir=data, log=log, fleet=None)
    run(run_demo(chosen, speed=speed, seed=seed, weeks=weeks, for_seconds=for_seconds, own_folder=data is None))


def up(fleet: Fleet = None, data: Data = None, port: Port = None, for_seconds: For = None, log: Log = None) -> None:
    """Ingest, analytics and pages for a real network.

    All in one process; broker and store are those of RESILIAN_BROKER and RESILIAN_STORE, else embedded ones.

    Example: resilian up --fleet ./fleet
    """
    from accelerator.lifetime import run
    from accelerator.programs import run_up

    run(run_up(_settings(port=port, data_dir=data, log=log, fleet=fleet), for_seconds=for_seconds))


@ingest_app.callback(invoke_without_command=True)
def ingest(
    context: typer.Context,
    fleet: Fleet = None,
    data: Data = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Of this collector beside others; without it, it takes all that no other has."),
    ] = None,
    members: Annotated[
        str | None,
        typer.Option("--members", help="What a collector with a name begins with, separated by commas."),
    ] = None,
    log: Log = None,
) -> None:
    """The collector alone: MQTT to the store without loss.

    Every acknowledged message is in the store, or in the rejects with its reason. Several share the work: each has a
    name, and with it a session and a folder of its own, and its members.

    Example: RESILIAN_BROKER=mqtt://127.0.0.1 RESILIAN_STORE='influxdb+http://127.0.0.1:8086?org=x' resilian ingest
    """
    if context.invoked_subcommand is not None:
        return
    from accelerator.lifetime import run
    from accelerator.programs import run_alone

    if members and name is None:
        raise Usage(
            "--members: give this collector a --name, too: its session and folder must stay when its members change"
        )
    _collector_name(name, "--name")
    listed = frozenset(slug.strip() for slug in (members or "").split(",") if slug.strip())
    chosen = _settings(data_dir=data, log=log, fleet=fleet, port=None)
    unknown = listed - jobs.loaded(chosen.fleet).members.keys() if listed else ()
    for slug in sorted(unknown):
        raise Usage(f"--members {slug}: no such member; see `resilian member list`")
    run(run_alone("ingest", chosen, name=name or "", members=listed))


@ingest_app.command("move")
def move(
    member: Annotated[str, typer.Argument(help="Slug of the member.")],
    to: Annotated[
        str | None, typer.Option("--to", help="Name of the collector; without it, the one that has no name.")
    ] = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Move a member to another collector while it publishes.

    Nothing is lost, nothing is stored twice. The new collector must run. The old one may: it keeps what came before the
    move, and stores it when it runs again.

    Example: resilian ingest move zorn --to north
    """
    from accelerator.commands.kept import command
    from accelerator.lifetime import run

    _collector_name(to, "--to")
    program = collector_program(to)
    outcome = run(command(chosen(fleet, data), {"do": "adopt", "member": member}, program))
    if "error" in outcome:
        raise Found(f"{program} could not: {outcome['error']}")
    if as_json:
        output.emit_json({"member": member, "to": program, "moved": bool(outcome["result"])})
        return
    typer.echo(f"{member} is collected by {program} " + ("now" if outcome["result"] else "already"))


def _collector_name(name: str | None, option: str) -> None:
    if name is not None and not SLUG.fullmatch(name):
        raise Usage(f"{option} {name}: a-z, 0-9 and hyphens inside")


def analytics(fleet: Fleet = None, data: Data = None, log: Log = None) -> None:
    """The analytics worker alone: hours, findings, outlooks.

    It derives them from the readings, woken by events.

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


def _alone(name: str, chosen: Settings) -> None:
    from accelerator.lifetime import run
    from accelerator.programs import run_alone

    run(run_alone(name, chosen))


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("demo")(demo)
    app.command("up")(up)
    app.add_typer(ingest_app, name="ingest")
    app.command("analytics")(analytics)
    app.command("gateway")(gateway)
