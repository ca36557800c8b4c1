"""``resilian report``, ``export`` and ``verify-ledger``."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from accelerator import jobs, logs, output, places, settings
from accelerator.commands.options import Data, Fleet, Json
from accelerator.lifetime import run
from accelerator.problems import Found, Missing, Usage
from accelerator.waiting import until_derived

StoreUrl = Annotated[str | None, typer.Option("--store", help="duckdb:///file or influxdb+http://host:port?org=NAME.")]

_COLUMNS = {
    "member": "member",
    "machine": "machine",
    "utilisation": "utilisation",
    "utilisation_calendar": "of calendar",
    "coverage": "coverage",
    "shareable_hours_per_week": "shareable h/week",
    "producing_h": "producing h",
    "unknown_h": "unknown h",
    "idle_kwh": "idle kWh",
    "idle_eur": "idle €",
    "idle_kg_co2e": "idle kg CO2e",
    "measured": "power known",
    "finding": "finding",
}


def report(
    store: StoreUrl = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601; default 26 weeks back.")
    ] = None,
    to_time: Annotated[str | None, typer.Option("--to", metavar="TIME", help="ISO 8601; default now.")] = None,
    fleet: Fleet = None,
    data: Data = None,
    member: Annotated[str | None, typer.Option("--member", help="Only this member.")] = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Seconds to wait for readings still to be derived.")
    ] = 120,
    as_json: Json = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
) -> None:
    """One row a machine: hours, utilisation, findings.

    Hours in each state, coverage, utilisation, shareable hours, idle energy, free windows, findings with their reasons.

    Example: resilian report --from 2026-09-01 --json
    """
    chosen = places.chosen(fleet, data, store=store)
    logs.configure(chosen.log)
    span = {"from": _instant(from_time, "--from"), "to": _instant(to_time, "--to")}
    left, rows = run(_report(chosen, span, store, wait))
    if left:
        note = "the analytics worker has not derived them yet; is it running? (resilian doctor)"
        typer.echo(f"resilian: note: {left} hours with new readings are missing here: {note}", err=True)
    rows = [row for row in rows if member in (None, row["member"])]
    if as_json:
        output.emit_json(rows)
        return
    emit = output.emit_markdown if as_markdown else output.emit_table
    emit([_flat(row) for row in rows], _COLUMNS, empty="no machine has sent anything yet")


async def _report(
    chosen: settings.Settings, span: dict[str, Any], store: str | None, wait: float
) -> tuple[int, list[dict[str, Any]]]:
    with output.progress("waiting for the analytics worker"):
        left = await until_derived(lambda: jobs.execute("pending", chosen, {}, store_url=store), wait)
    rows: list[dict[str, Any]] = await jobs.execute("report", chosen, span, store_url=store)
    return left, rows


def _instant(text: str | None, option: str) -> str | None:
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise Usage(f"{option} {text}: an ISO 8601 time such as 2026-09-01T06:00:00+02:00") from None
    return (instant if instant.tzinfo else instant.astimezone()).isoformat()


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    seconds = row["seconds"]
    energy = row.get("energy") or {}
    flagged = [finding["rule"] for finding in row["findings"] if finding["status"] == "flagged"]
    return {
        **row,
        "producing_h": round(seconds.get("PRODUCING", 0) / 3600, 1),
        "unknown_h": round(seconds.get("UNKNOWN", 0) / 3600, 1),
        **{name: _rounded(energy.get(name), 1) for name in ("idle_kwh", "idle_eur", "idle_kg_co2e")},
        "measured": _rounded(energy.get("measured"), 3),
        "finding": ", ".join(flagged) or "-",
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def export(
    file: Annotated[Path, typer.Argument(help="Where to; .csv or .parquet says the format.")],
    store: StoreUrl = None,
    from_time: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="ISO 8601; default the beginning.")
    ] = None,
    to_time: Annotated[str | None, typer.Option("--to", metavar="TIME", help="ISO 8601; default now.")] = None,
    member: Annotated[str | None, typer.Option("--member", help="Only this member.")] = None,
    machine: Annotated[str | None, typer.Option("--machine", help="Only this machine.")] = None,
    file_format: Annotated[str | None, typer.Option("--format", help="parquet or csv, whatever the name says.")] = None,
    hours: Annotated[
        bool, typer.Option("--hours", help="Hours in each state, not readings; Parquet, for `evaluate fleet`.")
    ] = False,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Write readings, or hours, to a Parquet or CSV file.

    For the operator's own use: what leaves a member needs that member's consent.

    Example: resilian export november.parquet --from 2026-11-01 --member zorn
    """
    wanted = file_format or file.suffix.removeprefix(".")
    if wanted not in ("csv", "parquet"):
        raise Usage(f"{file}: the format is csv or parquet; name it by the file's ending or with --format")
    if hours and wanted != "parquet":
        raise Usage(f"{file}: hours are written as Parquet; name a file that ends with .parquet")
    chosen = places.chosen(fleet, data, store=store)
    arguments = {
        "path": str(file.absolute()),
        "format": wanted,
        "from": _instant(from_time, "--from"),
        "to": _instant(to_time, "--to"),
        "member": member,
        "machine": machine,
        "hours": hours,
    }
    outcome = run(jobs.execute("export", chosen, arguments, store_url=store))
    if as_json:
        output.emit_json(outcome)
        return
    what = "hours" if hours else "readings"
    typer.echo(f"{outcome['rows']} {what} of {outcome['machines']} machines written to {file}")


def verify_ledger(
    ledger: Annotated[Path, typer.Argument(help="One JSON object a line, written by the publishers at PUBACK.")],
    store: StoreUrl = None,
    rejects: Annotated[
        list[Path] | None,
        typer.Option("--rejects", help="Output of `resilian rejects list --json`, also --unclaimed; repeatable."),
    ] = None,
    fleet: Fleet = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Check that every acknowledged message was stored once.

    As it was sent, or that it is in the rejects. Exit 1 when not.

    Example: resilian verify-ledger ledger.jsonl --store duckdb:///store.duckdb
    """
    if not ledger.exists():
        raise Missing(f"{ledger}: no such file")
    chosen = places.chosen(fleet, data, store=store)
    arguments = {"ledger": str(ledger.absolute()), "rejects": [str(path.absolute()) for path in rejects or ()]}
    outcome = run(jobs.execute("verify-ledger", chosen, arguments, store_url=store))
    if as_json:
        output.emit_json(outcome)
    else:
        figures = ("published", "stored", "rejected", "lost", "duplicates", "unsent", "altered", "unrecorded")
        typer.echo(", ".join(f"{outcome[name]} {name}" for name in figures))
    if not outcome["ok"]:
        raise Found(
            f"{outcome['lost']} acknowledged readings lost, {outcome['duplicates']} stored twice, "
            f"{outcome['unsent']} never sent, {outcome['altered']} altered: {outcome['examples']}"
        )


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command("report")(report)
    app.command("export")(export)
    app.command("verify-ledger")(verify_ledger)
