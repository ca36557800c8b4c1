"""``resilian evaluate availability``, ``flags`` and ``states``: back-tests on files, beside the baselines."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from accelerator import output
from accelerator.commands import fleet
from accelerator.durations import seconds, whole_hours
from accelerator.problems import Found, Missing, Usage

app = typer.Typer(name="evaluate", help="Back-tests: availability, flags, states.", no_args_is_help=True)

Intervals = Annotated[Path, typer.Argument(metavar="INTERVALS.csv", help="machine,start,end[,state]")]
Observed = Annotated[Path | None, typer.Option("--observed", help="machine,start,end: when each feed was alive.")]
Zone = Annotated[str, typer.Option("--timezone", help="Of times without an offset, and of the hours of the week.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Report = Annotated[
    Path | None, typer.Option("--report", metavar="DIR", help="Also write a Markdown report, with its plot, there.")
]

_CAPACITY = {
    "weeks": "weeks before",
    "n": "judged",
    "stated": "stated",
    "kept": "reached",
    "low": "from",
    "high": "to",
    "hours": "hours promised",
    "pinball": "pinball, h",
    "pinball_mean": "of the mean, h",
}


@app.command()
def availability(
    intervals: Intervals,
    observed: Observed = None,
    window: Annotated[str, typer.Option("--window", help="Length of the window: 4h, 8h, 24h.")] = "8h",
    lead: Annotated[str, typer.Option("--lead", help="From the forecast to the window's start: 0h, 15min.")] = "0h",
    first_weeks: Annotated[int, typer.Option("--first-weeks", min=1, help="Weeks used for training alone.")] = 4,
    state_known: Annotated[
        bool,
        typer.Option("--state-known", help="Also score forecasts made with the machine's state known (an oracle)."),
    ] = False,
    capacity: Annotated[
        bool, typer.Option("--capacity", help="Also judge the promise of at least x shareable hours a week.")
    ] = False,
    job: Annotated[str, typer.Option("--job", help="Shortest useful job, for --capacity.")] = "4h",
    changeover: Annotated[str, typer.Option("--changeover", help="Before a job, for --capacity.")] = "1h",
    timezone: Zone = "UTC",
    report: Report = None,
    as_json: Json = False,
) -> None:
    """Weekly back-test of P(free for the whole window).

    Rolling, beside the baselines.

    Example: resilian evaluate availability intervals.csv --window 4h --lead 15min --state-known --json
    """
    from analytics.capacity import Job
    from analytics.evaluate import availability as backtest
    from analytics.evaluate import written

    lengths = (seconds(text, option=option) / 3600 for text, option in ((job, "--job"), (changeover, "--changeover")))
    found = _on_intervals(
        backtest.evaluate,
        written.availability_files,
        intervals,
        observed,
        timezone,
        report,
        window_h=whole_hours(window, option="--window"),
        lead_h=seconds(lead, option="--lead") / 3600,
        first_weeks=first_weeks,
        state_known=state_known,
        job=Job(*lengths) if capacity else None,
    )
    if as_json:
        output.emit_json(found)
        return
    typer.echo(f"windows of {window}, lead {lead}: {found['n']} forecasts")
    rows = [
        {"model": name, **scores, "gain": written.gain(found["gain"].get(name))}
        for name, scores in found["models"].items()
    ]
    if state_known:
        oracle = found["state_known"]
        rows.append({"model": "resilian, state known (oracle)", **oracle, "gain": ""})
    columns = {
        "model": "model",
        "brier": "Brier",
        "log_loss": "log loss",
        "ece": "calibration error",
        "gain": "resilian better by",
    }
    output.emit_table(rows, columns, empty="nothing could be scored")
    if capacity:
        typer.echo(f"\nat least x shareable hours a week, by jobs of {job} and a changeover of {changeover}")
        output.emit_table(found["capacity"]["by_weeks"], _CAPACITY, empty="no weeks in a row were observed to 99 %")


@app.command()
def flags(
    intervals: Intervals,
    observed: Observed = None,
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.01, max=0.99, help="Utilisation of the calendar.")
    ] = 0.15,
    history_weeks: Annotated[
        int, typer.Option("--history-weeks", min=1, help="Weeks a flag needs; it looks back 12.")
    ] = 6,
    horizon_weeks: Annotated[int, typer.Option("--horizon-weeks", min=1, help="Weeks it is judged on.")] = 4,
    timezone: Zone = "UTC",
    report: Report = None,
    as_json: Json = False,
) -> None:
    """Flags at each week, judged on the weeks after it.

    From history only: precision, recall, insufficient evidence.

    Example: resilian evaluate flags intervals.csv --threshold 0.15
    """
    from analytics.evaluate import flags as backtest
    from analytics.evaluate import written

    found = _on_intervals(
        backtest.evaluate,
        written.flags_files,
        intervals,
        observed,
        timezone,
        report,
        threshold=threshold,
        history_weeks=history_weeks,
        horizon_weeks=horizon_weeks,
    )
    if as_json:
        output.emit_json(found)
        return
    names = (
        "precision",
        "recall",
        "recall_uncertain_missed",
        "recall_insufficient_missed",
        "prevalence",
        "flagged",
        "true",
        "insufficient",
    )
    rows = [
        {"figure": name, "value": found[name], "interval": written.between(found.get(f"{name}_interval"))}
        for name in names
    ]
    output.emit_table(rows, {"figure": "figure", "value": "value", "interval": "95 % interval"}, empty="")


@app.command()
def states(
    readings: Annotated[
        Path, typer.Argument(metavar="READINGS.csv", help="machine,at[,power_w][,count][,state][,label]")
    ],
    test_from: Annotated[str, typer.Option("--test-from", metavar="TIME", help="Learn before, test from here on.")],
    timezone: Zone = "UTC",
    report: Report = None,
    as_json: Json = False,
) -> None:
    """State inference against the labels of the file.

    Accuracy, kappa, confusion, per machine.

    Example: resilian evaluate states readings.csv --test-from 2022-09-05
    """
    from analytics.evaluate import states as backtest
    from analytics.evaluate import written
    from analytics.evaluate.files import read_readings
    from analytics.evaluate.rows import zone_of

    try:
        split = datetime.fromisoformat(test_from)
    except ValueError:
        raise Usage(f"--test-from {test_from}: an ISO 8601 time such as 2022-09-05T00:00:00+00:00") from None

    def read_and_run(_told: output.Progress) -> dict[str, Any]:
        local = split if split.tzinfo else split.replace(tzinfo=zone_of(timezone))
        return backtest.evaluate(read_readings(_existing(readings), timezone), local)

    found = _guarded(read_and_run)
    _write(report, written.states_files(found, readings.name, []))
    if as_json:
        output.emit_json(found)
        return
    rows = [{"machine": "all", "accuracy": found["accuracy"], "kappa": found["kappa"]}]
    rows += [{"machine": name, **figures} for name, figures in found["machines"].items()]
    output.emit_table(rows, {"machine": "machine", "accuracy": "accuracy", "kappa": "kappa"}, empty="nothing labelled")


def _on_intervals(
    backtest: Callable[..., dict[str, Any]],
    files_of: Callable[[Mapping[str, Any], str, Sequence[str]], dict[str, str]],
    intervals: Path,
    observed: Path | None,
    timezone: str,
    report: Path | None,
    **options: Any,
) -> dict[str, Any]:
    from analytics.evaluate.files import read_intervals, read_observed, silence_notes

    notes: list[str] = []

    def read_and_run(told: output.Progress) -> dict[str, Any]:
        busy = read_intervals(_existing(intervals), timezone)
        alive = read_observed(_existing(observed), timezone) if observed else None
        notes.extend([*busy.notes(), *(alive.notes() if alive else []), *silence_notes(busy, alive)])
        for note in notes:
            typer.echo(f"resilian: note: {note}", err=True)
        return backtest(busy, alive, timezone=timezone, told=told, **options)

    found = _guarded(read_and_run)
    for note in found["notes"]:
        typer.echo(f"resilian: note: {note}", err=True)
    notes += found["notes"]
    _write(report, files_of(found, intervals.name, notes))
    return found


def _write(folder: Path | None, files: Mapping[str, str]) -> None:
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Missing(f"--report {folder}: cannot be written: {error.strerror or error}; name another folder") from None
    typer.echo(f"resilian: written: {', '.join(str(folder / name) for name in files)}", err=True)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise Missing(f"{path}: no such file")
    return path


def _guarded(backtest: Callable[[output.Progress], dict[str, Any]]) -> dict[str, Any]:
    try:
        with output.progress("back-test") as told:
            return backtest(told)
    except ValueError as error:
        raise Found(str(error)) from None


def register(root: typer.Typer) -> None:
    """Add the commands of this family."""
    fleet.register(app)
    root.add_typer(app)
