"""``resilian member``: members added, listed, changed and removed."""

import shlex
from collections.abc import Sized
from pathlib import Path
from typing import Annotated, Any

import typer

from accelerator import jobs
from accelerator.commands import devices
from accelerator.commands.devices import MemberName
from accelerator.commands.editing import Yes, ask, editing, emit, slug_of
from accelerator.commands.options import Data, Fleet, Json
from accelerator.places import broker_beside, folder_of
from accelerator.problems import Usage
from bus import logins
from fleet import edit
from fleet.clock import now
from fleet.network import Member

member_app = typer.Typer(name="member", help="Add, list, change and remove members.", no_args_is_help=True)


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
        "slug": slug or slug_of(name),
        "name": name,
        "place": {"commune": commune} | ({"postcode": postcode} if postcode else {}),
    } | ({"contact": contact} if contact else {})
    with editing():
        added = edit.add_member(folder, fields)
    typer.echo(f"member {added.slug} added; its devices publish below m/{added.slug}/", err=relay)
    if broker:
        devices.member_relay(added.slug, broker, folder=logins, fleet=fleet, data=data)


@member_app.command("list")
def member_list(fleet: Fleet = None, data: Data = None, as_json: Json = False) -> None:
    """List the members.

    Example: resilian member list --json
    """
    members = jobs.loaded(folder_of(fleet, data)).members.values()
    rows = [
        {"member": m.slug, "name": m.name, "commune": m.place.commune, "machines": len(m.machines)} for m in members
    ]
    emit(
        rows,
        as_json,
        {"member": "member", "name": "name", "commune": "commune", "machines": "machines"},
        "no member yet",
    )


@member_app.command("change")
def member_change(
    member: MemberName,
    name: Annotated[str | None, typer.Option("--name", help="The firm's name; its slug stays.")] = None,
    commune: Annotated[str | None, typer.Option("--commune", help="Where the site is now.")] = None,
    postcode: Annotated[str | None, typer.Option("--postcode")] = None,
    contact: Annotated[str | None, typer.Option("--contact", help='Whom to call; "" takes it away.')] = None,
    signatory: Annotated[str | None, typer.Option("--signatory", help="Who raises consents.")] = None,
    eur_per_kwh: Annotated[
        float | None, typer.Option("--eur-per-kwh", min=0, help="What a kilowatt-hour costs it.")
    ] = None,
    idle_eur_per_year: Annotated[
        float | None, typer.Option("--idle-eur-per-year", help="From which cost of idling on it hears of a machine.")
    ] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Correct what is written of a member.

    What is not given stays. With another commune its old postcode and coordinates go.

    Example: resilian member change zorn --contact "Mme Klein, 03 88 00 00 01" --eur-per-kwh 0.142
    """
    folder = folder_of(fleet, data)
    known = _known(folder, member)
    texts = {"name": name, "contact": contact, "signatory": signatory}
    figures = {"energy_eur_per_kwh": eur_per_kwh, "idle_eur_per_year": idle_eur_per_year}
    fields: dict[str, Any] = {key: value or None for key, value in texts.items() if value is not None}
    fields |= {key: value for key, value in figures.items() if value is not None}
    moved = commune is not None and commune != known.place.commune
    place = dict.fromkeys(("postcode", "latitude", "longitude")) if moved else {}
    place |= {key: value for key, value in (("commune", commune), ("postcode", postcode)) if value is not None}
    if place:
        fields["place"] = place
    if not fields:
        named = "--name, --commune, --postcode, --contact, --signatory, --eur-per-kwh, --idle-eur-per-year"
        raise Usage(f"give at least one of {named}")
    with editing():
        changed = edit.change_member(folder, member, fields)
    typer.echo(f"member {member} changed: {', '.join(fields)}")
    if moved and known.place.latitude is not None:
        typer.echo(
            f"its coordinates were those of {known.place.commune} and are gone: write latitude and longitude of "
            f"{changed.place.commune} into {folder}/members/{member}.toml",
            err=True,
        )


@member_app.command("remove")
def member_remove(member: MemberName, yes: Yes = False, fleet: Fleet = None, data: Data = None) -> None:
    """Take a member out, with its machines and consents.

    Its file is kept aside, and the command says how to put it back. What is stored stays until its retention ends.

    Example: resilian member remove zorn
    """
    folder = folder_of(fleet, data)
    known = _known(folder, member)
    gone = [f"{len(rows)} {name}{'s' * (len(rows) != 1)}" for name, rows in _rows(known)]
    ask(f"Remove {known.name!r} with {' and '.join(gone)}?", yes=yes)
    with editing():
        kept = edit.remove_member(folder, member, now())
    back = shlex.join(["mv", str(kept), str(folder / "members" / f"{member}.toml")])
    typer.echo(f"member {member} removed; to put it back: {back}")
    if still := _standing(broker_beside(folder), member):
        typer.echo(still, err=True)
    if givers := _givers(folder, member):
        typer.echo(f"consents to it still stand with {', '.join(givers)}: see `resilian consent list`", err=True)


def _known(folder: Path, member: str) -> Member:
    known = jobs.loaded(folder).members.get(member)
    if known is None:
        raise Usage(f"{member}: no such member; see `resilian member list`")
    return known


def _givers(folder: Path, member: str) -> list[str]:
    """The members whose consents still name one that is gone."""
    members = jobs.loaded(folder).members
    return sorted(
        slug for slug, one in members.items() if any(given.recipient == f"member:{member}" for given in one.consents)
    )


def _rows(member: Member) -> tuple[tuple[str, Sized], ...]:
    return ("machine", member.machines), ("consent", member.consents)


def _standing(broker: Path, member: str) -> str:
    """Which logins of a member that is gone still enter the broker, or where to look; "" when there is none."""
    if (broker / "secrets").is_dir():
        standing = [one for one in logins.devices(broker / "secrets") if one.startswith(f"{member}.")]
        named = ", ".join(standing)
        return f"its devices still enter the broker: {named}; see `resilian device remove`" if standing else ""
    asked = (broker / "requests").is_dir()  # docker-compose.yml: the broker's files stay on the server
    where = (
        "on the server, `deploy/devices list`" if asked else f"`resilian device list --member {member} --logins FOLDER`"
    )
    return f"its devices' logins, if it has any, still enter the broker; they are not kept here: see {where}"
