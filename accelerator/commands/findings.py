"""``resilian finding``: what the rules say of the machines, and the owners' answers."""

from typing import Annotated, Any

import typer

from accelerator import jobs, output
from accelerator.commands.devices import MemberName
from accelerator.commands.options import Data, Fleet, Json
from accelerator.places import chosen, folder_of
from accelerator.problems import Found
from fleet import edit
from fleet.clock import now

finding_app = typer.Typer(name="finding", help="List findings and answer a flag.", no_args_is_help=True)

MachineName = Annotated[str, typer.Argument(metavar="MACHINE", help="Id of the machine.")]


@finding_app.command("answer")
def finding_answer(
    member: MemberName,
    machine: MachineName,
    rule: Annotated[str, typer.Argument(help="The flag's rule, such as structural-underuse.")],
    answer: Annotated[str, typer.Argument(help="propose, reserve or wrong.")],
    because: Annotated[str | None, typer.Option("--because", help="Why; kept with the answer.")] = None,
    fleet: Fleet = None,
    data: Data = None,
) -> None:
    """Answer a flag: only `propose` publishes it.

    Example: resilian finding answer zorn cabine-1 structural-underuse reserve --because "pièces de rechange"
    """
    fields: dict[str, Any] = {"machine": machine, "rule": rule, "answer": answer, "at": now()}
    if because:
        fields["because"] = because
    try:
        edit.set_answer(folder_of(fleet, data), member, fields)
    except edit.EditRefused as error:
        raise Found(str(error)) from None
    except OSError as error:
        raise Found(f"{error.filename}: cannot be written: {error.strerror}") from None
    typer.echo(f"answer to {rule} on {member}/{machine} kept: {answer}")


@finding_app.command("list")
def finding_list(
    member: Annotated[str | None, typer.Option("--member", help="Only this member.")] = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """List what the rules say of every machine now.

    Example: resilian finding list --member zorn
    """
    from accelerator.lifetime import run

    found = run(jobs.execute("findings", chosen(fleet, data), {"member": member}))
    columns = {name: name for name in ("member", "machine", "rule", "status", "since", "reason")}
    if as_json:
        output.emit_json(found)
    else:
        output.emit_table(found, columns, empty="no finding yet")


def register(root: typer.Typer) -> None:
    """Add the commands of this family."""
    root.add_typer(finding_app)
