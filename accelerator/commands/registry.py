"""``resilian member``, ``machine`` and ``consent``: the registry's files, edited with checks.

A running program sees the change at once: it watches the files.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

import typer

from accelerator import jobs, output
from accelerator.commands import claim, devices, findings
from accelerator.commands.devices import MemberName
from accelerator.commands.options import Data, Fleet, Json
from accelerator.places import folder_of
from accelerator.problems import Found, Usage
from fleet import edit
from fleet.batch import MachineKey
from fleet.claim import claim as make
from fleet.clock import now
from fleet.network import Level, Trade
from fleet.topics import reading_topic, slugify

member_app = typer.Typer(name="member", help="Add and list members.", no_args_is_help=True)
machine_app = typer.Typer(name="machine", help="Add, list and calibrate machines.", no_args_is_help=True)
consent_app = typer.Typer(name="consent", help="Say who may see what of a machine.", no_args_is_help=True)

MachineName = Annotated[str, typer.Argument(metavar="MACHINE", help="Id of the machine.")]


@contextmanager
def _editing() -> Iterator[None]:
    try:
        yield
    except edit.EditRefused as error:
        raise Found(str(error)) from None
    except OSError as error:
        raise Found(f"{error.filename}: cannot be written: {error.strerror}") from None


@member_app.command("add")
def member_add(
    name: Annotated[str, typer.Argument(help="The firm's name.")],
    commune: Annotated[str, typer.Option("--commune", help="Where the site is.")],
    slug: Annotated[
        str | None, typer.Option("--slug", help="First topic level; made from the name when absent.")
    ] = None,
    postcode: Annotated[str | None, typer.Option("--postcode")] = None,
    contact: Annotated[str | None, typer.Option("--contact", help="Whom to call.")] = None,
    relay: Annotated[bool, typer.Option("--relay", help="Print the file of a relay in its plant, too.")] = False,
    broker: Annotated[str | None, typer.Option("--broker", help="Where the relay connects to.")] = None,
    logins: devices.Logins = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Add a member.

    Example: resilian member add "Peinture de la Zorn" --commune Brumath
    """
    if relay != bool(broker):
        raise Usage("--relay and --broker go together: --relay --broker mqtts://HOST:8883")
    folder = folder_of(fleet, data, begins=True)
    jobs.ensure_network(folder)
    fields: dict[str, Any] = {
        "slug": slug or _slug(name),
        "name": name,
        "place": {"commune": commune} | ({"postcode": postcode} if postcode else {}),
    } | ({"contact": contact} if contact else {})
    with _editing():
        added = edit.add_member(folder, fields)
    typer.echo(f"member {added.slug} added; its devices publish below m/{added.slug}/", err=relay)
    if broker:
        devices.member_relay(added.slug, broker, folder=logins, fleet=fleet, data=data)


def _slug(name: str) -> str:
    try:
        return slugify(name)
    except ValueError as error:
        raise Usage(f"{error}; give --slug") from None


@member_app.command("list")
def member_list(fleet: Fleet = None, data: Data = None, as_json: Json = False) -> None:
    """List the members.

    Example: resilian member list --json
    """
    members = jobs.loaded(folder_of(fleet, data)).members.values()
    rows = [
        {"member": m.slug, "name": m.name, "commune": m.place.commune, "machines": len(m.machines)} for m in members
    ]
    _emit(
        rows,
        as_json,
        {"member": "member", "name": "name", "commune": "commune", "machines": "machines"},
        "no member yet",
    )


@machine_app.command("add")
def machine_add(
    member: MemberName,
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]", help="The machine's name; may be guessed from a device.")
    ] = None,
    from_unclaimed: Annotated[
        bool,
        typer.Option(
            "--from-unclaimed", help="Guess the rest from a device that speaks; its TOPIC after it if several do."
        ),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Take the guess without asking.")] = False,
    machine_id: Annotated[str | None, typer.Option("--id", help="Made from the name when absent.")] = None,
    trade: Annotated[Trade | None, typer.Option("--trade", help="Family of machines; other when absent.")] = None,
    topic: Annotated[str | None, typer.Option("--topic", help="Where the device publishes, below m/MEMBER/.")] = None,
    wire_format: Annotated[
        str | None, typer.Option("--format", help="canonical (the default), or a profile such as tasmota.")
    ] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="Of a device with several channels.")] = None,
    every: Annotated[
        float | None, typer.Option("--every", help="Longest normal distance of two readings, seconds; 300.")
    ] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Add a machine; without --topic it publishes canonical JSON.

    Example: resilian machine add zorn "Cabine 1" --trade paint --topic m/zorn/booth1/tele/SENSOR --format tasmota

    Example: resilian machine add zorn --from-unclaimed m/zorn/booth1/tele/SENSOR
    """
    name, found = _name_and_topic(words or [], from_unclaimed)
    given: dict[str, Any] = {"id": machine_id, "trade": trade and trade.value, "every": every}
    if from_unclaimed:
        feed = {"format": wire_format, "channel": channel}
        fields = claim.claimed(member, topic or found, name, given | feed, fleet, data, yes=yes)
    else:
        fields = {"id": machine_id or _slug(name or ""), "name": name, "trade": "other", "every": 300.0}
        fields |= {key: value for key, value in given.items() if value is not None}
        if topic:
            feed = {"topic": topic, "format": wire_format or "canonical", "channel": channel}
            fields["feeds"] = [{key: value for key, value in feed.items() if value}]
    with _editing():
        make(folder_of(fleet, data), member, fields)
    listens = fields["feeds"][0]["topic"] if "feeds" in fields else reading_topic(member, fields["id"])
    typer.echo(f"machine {member}/{fields['id']} added; listens on {listens}")


def _name_and_topic(words: list[str], from_unclaimed: bool) -> tuple[str | None, str | None]:
    """The words after the member: a name, and after --from-unclaimed a topic, in any order."""
    topics = [word for word in words if from_unclaimed and word.startswith(("m/", "spBv1.0/"))]
    names = [word for word in words if word not in topics]
    if len(names) > 1 or len(topics) > 1:
        raise Usage(f"{' '.join(words)}: one name, in quotes if it has spaces" + " and one topic" * from_unclaimed)
    if not names and not from_unclaimed:
        raise Usage("the machine's name is missing; or give --from-unclaimed, and it is guessed")
    return (names[0] if names else None), (topics[0] if topics else None)


@machine_app.command("list")
def machine_list(fleet: Fleet = None, data: Data = None, as_json: Json = False) -> None:
    """List the machines with their feeds.

    Example: resilian machine list
    """
    rows = [
        {
            "member": m.slug,
            "machine": x.id,
            "name": x.name,
            "trade": x.trade.value,
            "every": x.every,
            "topics": [feed.topic for feed in x.feeds] or [reading_topic(m.slug, x.id)],
        }
        for m, x in jobs.loaded(folder_of(fleet, data)).machines()
    ]
    shown = rows if as_json else [{**row, "topics": ", ".join(row["topics"])} for row in rows]  # type: ignore[arg-type]  # a list of str
    columns = {"member": "member", "machine": "machine", "name": "name", "trade": "trade", "topics": "topics"}
    _emit(shown, as_json, columns, "no machine yet")


@machine_app.command("calibrate")
def machine_calibrate(
    member: MemberName,
    machine: MachineName,
    off: Annotated[float | None, typer.Option("--off", min=0, help="Watts while it was off.")] = None,
    standby: Annotated[float | None, typer.Option("--standby", min=0, help="Watts while it stood ready.")] = None,
    working: Annotated[float | None, typer.Option("--working", min=0, help="Watts while it worked.")] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Mark "off", "standby", "working", standing at the machine.

    What is not given stays; a mark that contradicts another one is refused.

    Example: resilian machine calibrate zorn cabine-1 --off 4 --standby 310 --working 4200
    """
    marks = {"off_w": off, "standby_w": standby, "working_w": working}
    given = {name: value for name, value in marks.items() if value is not None}
    if not given:
        raise Usage("give at least one of --off, --standby, --working, in watts")
    with _editing():
        edit.calibrate(folder_of(fleet, data), MachineKey(member, machine), {**given, "at": now()})
    typer.echo(
        f"machine {member}/{machine} calibrated: "
        + ", ".join(f"{k.removesuffix('_w')} {v:g} W" for k, v in given.items())
    )


@machine_app.command("confirm")
def machine_confirm(member: MemberName, machine: MachineName, fleet: Fleet = None, data: Data = None) -> None:
    """Say that a machine that seems idle is in working order.

    Holds for 30 days. Without production for three weeks nothing is concluded of a machine: it may be idle, or its
    clamp may have fallen off, and both look the same. Its owner's word, given here, tells the two apart.

    Example: resilian machine confirm zorn cabine-1
    """
    with _editing():
        edit.confirm_works(folder_of(fleet, data), MachineKey(member, machine), now())
    typer.echo(f"{member}/{machine} works, by its owner's word of {now().date()}")


@consent_app.command("set")
def consent_set(
    member: MemberName,
    machine: MachineName,
    recipient: Annotated[str, typer.Argument(help="coordinator, members, member:SLUG or startup:NAME.")],
    level: Annotated[Level, typer.Argument(help="What the recipient sees.")],
    purpose: Annotated[str, typer.Option("--purpose", help="What for.")] = "partage de capacité",
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Last day, ISO 8601.")] = None,
    quantity: Annotated[list[str] | None, typer.Option("--quantity", help="Of a stream; repeat.")] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Say what one recipient may see of one machine.

    Level `none` takes it back at once.

    Example: resilian consent set zorn cabine-1 coordinator offers --until 2027-06-30
    """
    fields: dict[str, Any] = {
        "machine": machine,
        "recipient": recipient,
        "level": level.value,
        "purpose": purpose,
        "since": now().date(),
    }
    if until:
        fields["until"] = _day(until)
    if quantity:
        fields["quantities"] = quantity
    with _editing():
        edit.set_consent(folder_of(fleet, data), member, fields)
    typer.echo(f"{recipient} now has level {level.value} on {member}/{machine}" + (f" until {until}" if until else ""))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Usage(f"--until {text}: a date such as 2027-06-30") from None


@consent_app.command("list")
def consent_list(fleet: Fleet = None, data: Data = None, as_json: Json = False) -> None:
    """List the consents; what is not listed is level none.

    Example: resilian consent list --json
    """
    members = jobs.loaded(folder_of(fleet, data)).members.values()
    rows = [{"member": m.slug, **consent.model_dump(mode="json")} for m in members for consent in m.consents]
    columns = {name: name for name in ("member", "machine", "recipient", "level", "purpose", "since", "until")}
    _emit(rows, as_json, columns, "no consent: nothing is shown to anybody")


def _emit(rows: list[dict[str, Any]], as_json: bool, columns: dict[str, str], empty: str) -> None:
    if as_json:
        output.emit_json(rows)
    else:
        output.emit_table(rows, columns, empty=empty)


def register(root: typer.Typer) -> None:
    """Add the commands of this family."""
    for app in (member_app, machine_app, consent_app):
        root.add_typer(app)
    devices.register(root, member_app)
    claim.register(machine_app)
    findings.register(root)
