"""Machines out of devices that speak but belong to none: what they are taken for, shown and confirmed once."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from accelerator import jobs, output
from accelerator.commands.options import Data, Fleet, Json
from accelerator.connecting_guess import Speaking, propose
from accelerator.places import chosen, folder_of
from accelerator.printable import printable
from accelerator.problems import Found, Usage
from fleet import claim, edit
from fleet.batch import MachineKey
from fleet.claim import Proposal
from fleet.topics import reading_topic

_GUESSED = ("format", "channel", "score", "reason", "every", "trade", "trade_score", "trade_reason", "power_w")


def speaking(fleet: Path | None, data: Path | None, member: str | None) -> dict[str, list[Speaking]]:
    """Member -> its unclaimed topics.

    Raises:
        Missing: neither broker nor spool can be read.
    """
    from accelerator.connecting_unclaimed import unclaimed
    from accelerator.lifetime import run

    return run(unclaimed(chosen(fleet, data), member))


def machine_unclaimed(
    member: Annotated[str | None, typer.Option("--member", help="Only this member's.")] = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List devices that speak but belong to no machine.

    With what each is taken for, a score and the reason.

    Example: resilian machine unclaimed --member zorn
    """
    rows = [_row(one, device) for one, devices in speaking(fleet, data, member).items() for device in devices]
    if as_json:
        output.emit_json(rows)
        return
    columns = {name: name for name in ("member", "topic", "messages", "last", "format", "score", "trade", "payload")}
    shown = [
        {**row, "last": datetime.fromtimestamp(row["last"] / 1000, UTC), "payload": row["payload"][:60]} for row in rows
    ]
    output.emit_table(shown, columns, empty="every device that speaks belongs to a machine")


def _row(member: str, device: Speaking) -> dict[str, Any]:
    found = propose(device)
    payload = device.samples[-1][1].decode("utf-8", "replace")
    counted = {"member": member, "topic": device.topic, "messages": device.messages, "first": device.first_ms}
    guess: dict[str, Any] = dict.fromkeys(_GUESSED)
    if found is not None:
        trade = found.trade
        told = (found.format, found.channel, found.score, found.reason, found.every)
        guess = dict(zip(_GUESSED, (*told, trade.trade, trade.score, trade.reason, trade.power_w), strict=True))
    return {**counted, "last": device.last_ms, "payload": payload, **guess}


def claimed(
    member: str,
    topic: str | None,
    name: str | None,
    given: dict[str, Any],
    fleet: Path | None,
    data: Path | None,
    *,
    yes: bool,
) -> dict[str, Any]:
    """Fields of a machine out of an unclaimed device; shows what is guessed, and asks once unless ``yes``.

    Raises:
        Usage: several devices speak and none is named.
        Found: none speaks, or nothing of its payload can be read.
    """
    member_of = jobs.loaded(folder_of(fleet, data)).members.get(member)
    if member_of is None:
        raise Usage(f"{member}: no such member; see `resilian member list`")
    device, proposal = _chosen(member, speaking(fleet, data, member).get(member, []), topic)
    try:
        fields = claim.proposed_fields(member_of, proposal, name, given)
    except ValueError as error:
        raise Usage(f"{error}; give --id") from None
    _show(device, proposal, fields)
    if not yes:
        if not sys.stdin.isatty():
            raise Usage("there is nobody to ask: add --yes to take the guess")
        typer.confirm("Add this machine?", default=True, abort=True)
    return fields


def _chosen(member: str, devices: list[Speaking], topic: str | None) -> tuple[Speaking, Proposal]:
    if not devices:
        raise Found(f"{member}: no device speaks without a machine; `resilian doctor --member {member}` says why")
    pairs = [(device, found) for device in devices if (found := propose(device)) is not None]
    wanted = [pair for pair in pairs if topic is None or topic in (pair[0].topic, pair[1].topic)]
    if topic is not None and not wanted:
        unread = topic in [device.topic for device in devices]
        why = "no format reads its payload" if unread else "nothing unclaimed speaks there"
        raise Found(f"{topic}: {why}; these can be read: {_topics(pairs)}")
    if not wanted:
        raise Found(f"{member}: no format reads what {devices[0].topic} sends; see `resilian machine unclaimed`")
    if len({found.topic for _, found in wanted}) > 1:
        raise Usage(f"several devices speak, name one after --from-unclaimed: {_topics(wanted)}")
    return max(wanted, key=lambda pair: (pair[1].score, pair[0].last_ms))


def _topics(pairs: list[tuple[Speaking, Proposal]]) -> str:
    return ", ".join(sorted({found.topic for _, found in pairs})) or "none"


def _show(device: Speaking, found: Proposal, fields: dict[str, Any]) -> None:
    feed = fields["feeds"][0]
    channel = f", channel {feed['channel']}" if "channel" in feed else ""
    newest = device.samples[-1][1][:120].decode(errors="replace")
    lines = (
        f"{device.topic}: {device.messages} messages, the newest {newest}",
        f"  format {feed['format']}{channel} (score {found.score:g}: {found.reason})",
        f"  trade {fields['trade']} (score {found.trade.score:g}: {found.trade.reason})",
        f"  machine {fields['id']}, {fields['name']!r}, a reading at least every {fields['every']:g} s",
    )
    typer.echo("\n".join(map(printable, lines)), err=True)


def machine_feed(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Slug of the member.")],
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="Id of the machine.")],
    topic: Annotated[str | None, typer.Option("--topic", help="Of the feed, when the machine has several.")] = None,
    wire_format: Annotated[str | None, typer.Option("--format", help="Of what arrives there.")] = None,
    timezone: Annotated[str | None, typer.Option("--timezone", help="Of device times without an offset.")] = None,
    scale_w: Annotated[
        float | None, typer.Option("--scale-w", help="From the sent power to watts; 1000 for kW.")
    ] = None,
    clock_ahead: Annotated[
        float | None,
        typer.Option("--clock-ahead", metavar="SECONDS", help="How far the device's clock is ahead; negative: behind."),
    ] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Correct how a machine's messages are read.

    What is not given stays.

    Example: resilian machine feed zorn cabine-1 --scale-w 1000
    """
    folder, key = folder_of(fleet, data), MachineKey(member, machine)
    known = jobs.loaded(folder).machine(key)
    if known is None:
        raise Usage(f"{member}/{machine}: no such machine; see `resilian machine list`")
    given = {"format": wire_format, "timezone": timezone, "scale_w": scale_w, "clock_ahead_s": clock_ahead}
    given = {name: value for name, value in given.items() if value is not None}
    if not given:
        raise Usage("give at least one of --format, --timezone, --scale-w, --clock-ahead")
    wanted = [feed for feed in known.feeds if topic in (None, feed.topic)]
    if len(wanted) > 1:
        names = ", ".join(feed.topic for feed in wanted)
        raise Usage(f"{member}/{machine} has several feeds, name one with --topic: {names}")
    new = {"topic": topic or reading_topic(member, machine), "format": "canonical"}
    if wanted:
        new = wanted[0].model_dump(include={"topic", "channel"}, exclude_none=True)
    try:
        edit.set_feed(folder, key, {**new, **given})
    except edit.EditRefused as error:
        raise Found(str(error)) from None
    said = ", ".join(f"{name} {value}" for name, value in given.items())
    typer.echo(f"machine {member}/{machine} now reads {new['topic']} with {said}")


def machine_release(
    member: Annotated[str, typer.Argument(metavar="MEMBER", help="Slug of the member.")],
    machine: Annotated[str, typer.Argument(metavar="MACHINE", help="Id of the machine.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Take a claim back: the device has no machine again.

    The machine goes, and its device is unclaimed from its next message on. Its calendar, marks, offer, consents and
    answers go with it; what is stored stays.

    Example: resilian machine release zorn cabine-1
    """
    folder, key = folder_of(fleet, data), MachineKey(member, machine)
    known = jobs.loaded(folder).machine(key)
    if known is None:
        raise Usage(f"{member}/{machine}: no such machine; see `resilian machine list`")
    if not yes:
        if not sys.stdin.isatty():
            raise Usage("there is nobody to ask: add --yes to release it")
        typer.confirm(f"Release {known.name!r} with its marks, offer and consents?", abort=True)
    try:
        claim.release(folder, key)
    except edit.EditRefused as error:
        raise Found(str(error)) from None
    typer.echo(f"machine {member}/{machine} released; its device is unclaimed from its next message on")


def register(machines: typer.Typer) -> None:
    """Add the commands of this family to the family ``machine``."""
    machines.command("unclaimed")(machine_unclaimed)
    machines.command("feed")(machine_feed)
    machines.command("release")(machine_release)
