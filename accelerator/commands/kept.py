"""``resilian rejects list, retry, dismiss`` and ``repush``: what the collector keeps, and a second try of it."""

import json
import sqlite3
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import typer

from accelerator import output, owner
from accelerator.commands.options import Data, Fleet, Json
from accelerator.lifetime import run
from accelerator.places import chosen
from accelerator.problems import Found, Missing, Usage
from accelerator.settings import Settings
from bus.client import BrokerAddress
from bus.comfort import BrokerUnreachable, Message, request
from fleet.topics import COLLECTOR, COMMAND, HEALTH, collector_program

rejects_app = typer.Typer(name="rejects", help="List refused messages, or try them again.", no_args_is_help=True)

MemberOption = Annotated[str | None, typer.Option("--member", help="Only this member's.")]
_PATIENCE_S = 120.0
CollectorOption = Annotated[
    str | None, typer.Option("--collector", help="Name of the collector; without it, the one that has none.")
]
_SHOWN = ("at", "topic", "reason", "field", "value", "rule")


@rejects_app.command("list")
def rejects_list(
    member: MemberOption = None,
    unclaimed: Annotated[bool, typer.Option("--unclaimed", help="Messages of no machine instead.")] = False,
    quarantine: Annotated[
        bool, typer.Option("--quarantine", help="Batches that damage to the disk took, instead.")
    ] = False,
    fleet: Fleet = None,
    data: Data = None,
    collector: CollectorOption = None,
    as_json: Json = False,
) -> None:
    """List what was refused, and why.

    Reason, field, value, rule, the payload's beginning and its hash. Works beside a running collector.

    Example: resilian rejects list --member zorn
    """
    from ingest.listing import listed, quarantined

    if quarantine and (member or unclaimed):
        raise Usage("--quarantine: a batch that cannot be read belongs to nobody; leave --member and --unclaimed out")
    spool = chosen(fleet, data).data_dir / collector_program(collector) / "spool.sqlite"
    kind: Literal["reject", "unclaimed"] = "unclaimed" if unclaimed else "reject"
    try:
        rows = quarantined(spool) if quarantine else listed(spool, kind=kind, member=member)
    except FileNotFoundError:
        raise Missing(f"{spool}: no collector has run with this data folder; name it with --data") from None
    except sqlite3.DatabaseError as error:
        raise Found(f"{spool}: cannot be read: {error}") from None
    if as_json:
        output.emit_json(rows)
        return
    shown = [{**row, "at": datetime.fromtimestamp(row["at"] / 1000, UTC).isoformat(timespec="seconds")} for row in rows]
    names = ("at", "id", "readings", "bytes", "reason") if quarantine else _SHOWN
    nothing = "nothing was lost to damage" if quarantine else "nothing was refused"
    output.emit_table(shown, {name: name for name in names}, empty=nothing)


@rejects_app.command("retry")
def rejects_retry(
    member: MemberOption = None,
    collector: CollectorOption = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Read refused messages again, after a correction.

    Of a profile or of the registry; what is in quarantine is read again, too.

    Example: resilian rejects retry --member zorn
    """
    _obeyed(
        {"do": "retry-rejects"} | ({"member": member} if member else {}),
        "messages tried again",
        chosen(fleet, data),
        collector,
        as_json,
    )


@rejects_app.command("dismiss")
def rejects_dismiss(
    collector: CollectorOption = None, fleet: Fleet = None, data: Data = None, as_json: Json = False
) -> None:
    """Give up what is in quarantine, once you have seen it.

    `resilian rejects list --quarantine` says what was lost and when; nothing else is touched.

    Example: resilian rejects dismiss
    """
    _obeyed({"do": "dismiss-quarantine"}, "readings given up", chosen(fleet, data), collector, as_json)


def repush(
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="ISO 8601; default all kept.")] = None,
    collector: CollectorOption = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send what the spool still keeps to the store again.

    For a store that lost what it had confirmed.

    Example: resilian repush --since 2026-11-23T06:00:00+01:00
    """
    order: dict[str, Any] = {"do": "repush"}
    if since is not None:
        try:
            order["since"] = round(datetime.fromisoformat(since).timestamp() * 1000)
        except ValueError:
            raise Usage(f"--since {since}: an ISO 8601 time such as 2026-11-23T06:00:00+01:00") from None
    _obeyed(order, "batches sent again", chosen(fleet, data), collector, as_json)


def _obeyed(order: dict[str, Any], what: str, settings: Settings, collector: str | None, as_json: bool) -> None:
    outcome = run(command(settings, order, collector_program(collector)))
    if "error" in outcome:
        raise Found(f"the collector could not: {outcome['error']}")
    if as_json:
        output.emit_json(outcome)
        return
    typer.echo(f"{outcome['result']} {what}")


async def command(settings: Settings, order: dict[str, Any], program: str = COLLECTOR) -> dict[str, Any]:
    """Give a collector an order, and wait until its health says what it came to: ``last_command`` of it.

    Raises:
        Missing: it does not answer.
    """
    began_ms = time.time_ns() // 1_000_000

    def answers(message: Message) -> bool:
        last: dict[str, Any] = json.loads(message.payload).get("last_command") or {} if message.payload else {}
        return bool(last.get("at", 0) >= began_ms)

    try:
        found = await request(
            _broker(settings),
            COMMAND.format(program=program),
            json.dumps(order).encode(),
            answer=HEALTH.format(program=program),
            accept=answers,
            timeout_s=_PATIENCE_S,
        )
    except BrokerUnreachable as error:
        raise Missing(f"the collector {program} does not answer: {error}") from None
    outcome: dict[str, Any] = json.loads(found.payload)["last_command"]
    return outcome


def _broker(settings: Settings) -> BrokerAddress:
    from accelerator.opening import broker_address

    running = owner.find(settings.run_file)
    url = settings.broker or (running.broker if running else None)
    if url is None:
        raise Missing("no broker: set RESILIAN_BROKER=mqtt://host:port, or start `resilian up` first")
    return broker_address(url)


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.add_typer(rejects_app)
    app.command("repush")(repush)
