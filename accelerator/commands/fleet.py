"""``resilian evaluate fleet``: the figures of every machine of a file of hours, in one pass."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from accelerator import output
from accelerator.durations import whole_hours
from accelerator.engines import Engine, running, workers_of
from accelerator.problems import Found, Missing

if TYPE_CHECKING:
    from analytics.sweep_file import Answer, Task

EngineOption = Annotated[Engine, typer.Option("--engine", help="Threads of this process, or a Dask cluster here.")]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Default: one a core.")]


def fleet(
    hours: Annotated[
        Path, typer.Argument(metavar="HOURS.parquet", help="As `export --hours` writes it, or a folder of such files.")
    ],
    window: Annotated[str, typer.Option("--window", help="Length of the window: 4h, 8h, 24h.")] = "8h",
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.01, max=0.99, help="Utilisation of the calendar.")
    ] = 0.15,
    weeks: Annotated[int, typer.Option("--weeks", min=1, help="Look so many weeks back.")] = 52,
    timezone: Annotated[str, typer.Option("--timezone", help="Of the hours of the week.")] = "UTC",
    engine: EngineOption = Engine.LOCAL,
    workers: Workers = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.parquet", help="Also a row a machine, with all its chances.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: a row a machine, without the chances.")] = False,
) -> None:
    """Judge every machine of a file of hours in one pass.

    Level, certainty, verdict, and P(free) for every start of two weeks; the file is read part by part. For the
    operator's own use: what leaves a member needs that member's consent.

    Example: resilian evaluate fleet hours.parquet --window 8h --out machines.parquet
    """
    from analytics.sweep_file import tasks_of
    from analytics.verdicts import SAID, Rule
    from store.hours_plan import HoursUnreadable

    if not hours.exists():
        raise Missing(f"{hours}: no such file")
    length = whole_hours(window, option="--window")
    said: Counter[int] = Counter()
    rows: list[dict[str, Any]] = []
    try:
        tasks = tasks_of(hours, timezone, length, Rule(threshold), weeks)
        for answer in _answers(tasks, engine, workers_of(workers), out):
            said.update(answer.found.said.tolist())
            rows += _rows(answer) if as_json else []
    except HoursUnreadable as error:
        raise Found(str(error)) from None
    except OSError as error:
        raise Missing(f"--out {out}: cannot be written: {error.strerror or error}") from None
    if as_json:
        output.emit_json({"window": window, "threshold": threshold, "machines": rows})
        return
    counted = [{"said": SAID[code], "machines": count} for code, count in sorted(said.items())]
    output.emit_table(counted, {"said": "said", "machines": "machines"}, empty="no machine")


def _answers(tasks: "list[Task]", engine: Engine, workers: int, out: Path | None) -> "Any":
    from accelerator.fleet_file import machines_writer

    with (
        running(engine, workers) as runner,
        output.progress("sweep") as told,
        machines_writer(out, tasks[0].asked) as writer,
    ):
        for done, answer in enumerate(runner.run(tasks), 1):
            if writer is not None:
                writer.append(answer)
            told(done, len(tasks))
            yield answer


def _rows(answer: "Answer") -> list[dict[str, Any]]:
    from analytics.verdicts import SAID

    found = answer.found
    columns = (found.said.tolist(), found.level.tolist(), found.certainty.tolist(), found.coverage.tolist())
    return [
        {
            "member": machine.member,
            "machine": machine.machine,
            "said": SAID[said],
            "level": round(level, 4),
            "certainty": round(certainty, 4),
            "coverage": round(coverage, 4),
        }
        for machine, said, level, certainty, coverage in zip(answer.machines, *columns, strict=True)
    ]


def register(root: typer.Typer) -> None:
    """Add the command to its family."""
    root.command("fleet")(fleet)
