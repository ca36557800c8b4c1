"""``resilian consent``: who may see what of a machine."""

from datetime import date
from typing import Annotated, Any

import typer

from accelerator import jobs
from accelerator.commands.devices import MemberName
from accelerator.commands.editing import MachineName, editing, emit
from accelerator.commands.options import Data, Fleet, Json
from accelerator.places import folder_of
from accelerator.problems import Usage
from fleet import edit
from fleet.clock import now
from fleet.network import Level

consent_app = typer.Typer(name="consent", help="Say who may see what of a machine.", no_args_is_help=True)


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
    with editing():
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
    emit(rows, as_json, columns, "no consent: nothing is shown to anybody")
