"""``resilian settings`` and ``resilian doctor``."""

from dataclasses import replace
from typing import Annotated

import typer

from accelerator import logs, output, places
from accelerator import settings as settings_module
from accelerator.commands.options import Data, Fleet, Json
from accelerator.opening import broker_address
from accelerator.problems import Found

_MARKS = {"ok": "ok", "wrong": "WRONG", "unknown": "?"}


def show_settings(fleet: Fleet = None, data: Data = None, as_json: Json = False) -> None:
    """Print the settings with their origin; secrets are masked.

    Example: resilian settings --json
    """
    rows = settings_module.shown(places.chosen(fleet, data))
    if as_json:
        output.emit_json(rows)
        return
    output.emit_table(rows, {"name": "setting", "value": "value", "origin": "origin"}, empty="no settings")


def doctor(
    member: Annotated[str | None, typer.Option("--member", help="Only this member's machines.")] = None,
    machine: Annotated[str | None, typer.Option("--machine", help="Only this machine.")] = None,
    fleet: Fleet = None,
    data: Data = None,
    as_device: Annotated[
        str | None,
        typer.Option(
            "--as-device", metavar="URL", help="Walk it with a device's login, too: mqtts://USER[:PASSWORD]@HOST."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say where the path of the data ends, why, and what to do.

    Walks it from the device to the store; exit 1 when something is wrong. With --as-device it connects as the device
    does, which ends the device's own connection for that moment; a password that the URL leaves out is asked for.

    Example: resilian doctor --member zorn --machine cabine-1
    """
    from accelerator.doctor import as_rows, conclusion, examine, further, naming
    from accelerator.lifetime import run

    chosen = places.chosen(fleet, data)
    logs.configure("error")
    with output.progress("doctor"):
        steps = run(examine(chosen, member, machine, _with_password(as_device)))
    steps = naming(steps, places.in_words(fleet, data))
    if as_json:
        output.emit_json({"steps": as_rows(steps), "conclusion": conclusion(steps)})
    else:
        rows = [{**row, "status": _MARKS[row["status"]]} for row in as_rows(steps)]
        output.emit_table(rows, {"status": "", "name": "link", "detail": "what it is"}, empty="nothing to examine")
        for sentence in further(steps):
            typer.echo(f"Also: {sentence}")
        typer.echo(conclusion(steps))
    if any(step.status == "wrong" for step in steps):
        raise Found("the doctor found something wrong")


def _with_password(url: str | None) -> str | None:
    """The URL with a password; asked for where it leaves one out, so that none need stand in a list of processes."""
    if url is None:
        return None
    address = broker_address(url)
    if address.user and address.password is None:
        address = replace(address, password=typer.prompt(f"password of {address.user}", hide_input=True))
    return address.url


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("settings")(show_settings)
    app.command("doctor")(doctor)
