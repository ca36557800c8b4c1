"""``resilian rejects list, retry, dismiss`` and ``repush``: what the collector keeps, and a second try of it."""

import json
import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from accelerator import output, owner, settings
from accelerator.lifetime import run
from accelerator.problems import Found, Missing, Usage
from accelerator.settings import Settings
from bus.client import BrokerAddress
from bus.comfort import BrokerUnreachable, Message, request
from fleet.topics import COLLECTOR, COMMAND, HEALTH, collector_program

rejects_app = typer.Typer(name="rejects", help="List refused messages, or try them again.", no_args_is_help=True)

MemberOption = Annotated[str | None, typer.Option("--member", help="Only this member's.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
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
    data: Annotated[Path | None, typer.Option("--data", help="Data folder of the collector.")] = None,
    collector: CollectorOption = None,
    as_json: Json = False,
) -> None:
    """List what was refused: reason, field, value, rule, payload prefix and hash. Works beside a running collector.

    Example: resilian rejects list --member zorn
    """
    from ingest.listing import listed, quarantined

    if quarantine and (member or unclaimed):
        raise Usage("--quarantine: a batch that cannot be read belongs to nobody; leave --member and --unclaimed out")
    spool = settings.load(data_dir=data).data_dir / collector_program(collector) / "spool.sqlite"
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
def rejects_retry(member: MemberOption = None, collector: CollectorOption = None, as_json: Json = False) -> None:
    """Decode refused messages again, after a profile or the registry was corrected; read what is in quarantine again.

    Example: resilian rejects retry --member zorn
    """
    _obeyed(
        {"do": "retry-rejects"} | ({"member": member} if member else {}), "messages tried again", collector, as_json
    )


@rejects_app.command("dismiss")
def rejects_dismiss(collector: CollectorOption = None, as_json: Json = False) -> None:
    """Give up what is in quarantine, once you have seen what was lost and when; nothing else is touched.

    Example: resilian rejects dismiss
    """
    _obeyed({"do": "dismiss-quarantine"}, "readings given up", collector, as_json)


def repush(
    since: Annotated[str | None, typer.Option("--since", metavar="TIME", help="ISO 8601; default all kept.")] = None,
    collector: CollectorOption = None,
    as_json: Json = False,
) -> None:
    """Send what the spool still keeps to the store again: for a store that lost what it had confirmed.

    Example: resilian repush --since 2026-11-23T06:00:00+01:00
    """
    order: dict[str, Any] = {"do": "repush"}
    if since is not None:
        try:
            order["since"] = round(datetime.fromisoformat(since).timestamp() * 1000)
        except ValueError:
            raise Usage(f"--since {since}: an ISO 8601 time such as 2026-11-23T06:00:00+01:00") from None
    _obeyed(order, "batches sent again", collector, as_json)


def _obeyed(order: dict[str, Any], what: str, collector: str | None, as_json: bool) -> None:
    outcome = run(command(settings.load(), order, collector_program(collector)))
    if "error" in outcome:
        raise Found(f"the collector could not: {outcome['error']}")
    if as_json:
        output.emit_json(outcome)
        return
    typer.echo(f"{outcome['result']} {what}")


async def command(chosen: Settings, order: dict[str, Any], program: str = COLLECTOR) -> dict[str, Any]:
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
            _broker(chosen),
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


def _broker(chosen: Settings) -> BrokerAddress:
    from accelerator.opening import broker_address

    running = owner.find(chosen.run_file)
    url = chosen.broker or (running.broker if running else None)
    if url is None:
        raise Missing("no broker: set RESILIAN_BROKER=mqtt://host:port, or start `resilian up` first")
    return broker_address(url)


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.add_typer(rejects_app)
    app.command("repush")(repush)
