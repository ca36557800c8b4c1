"""The answers of the back-tests as a Markdown report with its plot: what is written into the folder of ``--report``."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from analytics.evaluate.plot import reliability_svg

_OURS: Final = "resilian"
_MARKUP: Final = re.compile(r"[\\`<&*~\[\]]")


def availability_files(found: Mapping[str, Any], source: str, notes: Sequence[str]) -> dict[str, str]:
    """File name -> text of the report on ``evaluate availability``."""
    known = found.get("state_known")
    title = f"P(free for {found['window']}), told {found['lead']} ahead"
    rows = [[name, *_scores(scores), gain(found["gain"].get(name))] for name, scores in found["models"].items()]
    if known:
        rows.append([f"{_OURS}, state known ({known['label']})", *_scores(known), ""])
    tables = {_OURS: found["reliability"], **({"state known (oracle)": known["reliability"]} if known else {})}
    text = [
        f"# {title}",
        *_opening(source, notes),
        f"{found['n']} windows of all machines; no forecast knows what came after it.",
        _table(["forecast", "Brier", "log loss", "calibration error", f"{_OURS} better by, 95 % interval"], rows),
        "Brier and log loss: lower is better. A gain counts when its interval excludes 0; weeks and machines are"
        " resampled.",
    ]
    if known:
        better = [[name, gain(more)] for name, more in known["gain"].items()]
        text += [
            "With the state known when the forecast is made (from reports made later: an oracle), better by",
            _table(["than", "95 % interval"], better),
        ]
    text += [
        "## Is the chance honest?",
        *_calibration(found),
        "![share that came true by chance told](reliability.svg)",
    ]
    for name, table in tables.items():
        text += [f"{name}:", _reliability(table)]
    if "capacity" in found:
        text += _capacity(found["capacity"])
    return {"availability.md": _joined(text), "reliability.svg": reliability_svg(title, tables)}


def flags_files(found: Mapping[str, Any], source: str, notes: Sequence[str]) -> dict[str, str]:
    """File name -> text of the report on ``evaluate flags``."""
    names = {
        "flagged": "machine-weeks flagged",
        "true": "machine-weeks truly below the threshold in the weeks after",
        "insufficient": "machine-weeks with insufficient evidence",
        "prevalence": "share truly below the threshold",
        "precision": "precision: share of the flags that were right",
        "recall": "recall where the evidence sufficed",
        "recall_uncertain_missed": "recall, uncertain counted as missed",
        "recall_insufficient_missed": "recall, all insufficient evidence counted as missed",
    }
    contested = found["contested"]
    rows = [
        [said, _figure(found[name]), between(found.get(f"{name}_interval")), _figure(contested[name])]
        for name, said in names.items()
    ]
    weeks = [
        [
            week["monday"],
            *(str(week[name]) for name in ("n", "flagged", "true", "insufficient")),
            _figure(week["precision"]),
        ]
        for week in found["by_week"]
    ]
    text = [
        f"# Flags below a utilisation of {found['threshold']:.0%}",
        *_opening(source, notes),
        _table(["figure", "all machines", "95 % interval", f"{len(contested['machines'])} contested machines"], rows),
        "Contested machines are used between a third of the threshold and its double. For the intervals, weeks of one"
        " machine whose horizons overlap count as one case.",
        "## Week by week",
        _table(["Monday", "machines", "flagged", "truly below", "insufficient", "precision"], weeks),
    ]
    return {"flags.md": _joined(text)}


def states_files(found: Mapping[str, Any], source: str, notes: Sequence[str]) -> dict[str, str]:
    """File name -> text of the report on ``evaluate states``."""
    every = {"all": found, **found["machines"]}
    rows = [
        [
            _plain(name),
            str(one["n"]),
            *(_figure(one[figure]) for figure in ("accuracy", "kappa", "known")),
            one.get("source", ""),
            _plain(one.get("reason", "")),
        ]
        for name, one in every.items()
    ]
    said = sorted({state for row in found["confusion"].values() for state in row})
    confusion = [[label, *(str(row.get(state, 0)) for state in said)] for label, row in found["confusion"].items()]
    text = [
        "# States inferred, against the labels",
        *_opening(source, [*notes, *found["notes"]]),
        _table(["machine", "rows judged", "accuracy", "kappa", "known", "thresholds", "no thresholds because"], rows),
        "Accuracy and Cohen's kappa judge PRODUCING against the rest.",
        "## Confusion",
        _table(["label", *said], confusion),
    ]
    return {"states.md": _joined(text)}


def _opening(source: str, notes: Sequence[str]) -> list[str]:
    return [f"Recording: {_plain(source)}.", *(f"- {_plain(note)}" for note in notes)]


def _plain(text: str) -> str:
    """Text of a file, or of its name, that Markdown shows as it stands: no image, no link, no HTML."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def _scores(scores: Mapping[str, float]) -> list[str]:
    return [f"{scores['brier']:.4f}", f"{scores['log_loss']:.3f}", f"{scores['ece']:.3f}"]


def between(interval: Sequence[float | None] | None) -> str:
    """A 95 % interval of a share, 0..1, as cells of tables tell it; nothing when it is not known."""
    return "" if not interval or interval[0] is None else f"[{interval[0]:.2f}, {interval[1]:.2f}]"


def gain(found: Mapping[str, float | None] | None) -> str:
    """By how many per cent a score is better, with its 95 % interval; nothing when there is none."""
    if not found:
        return ""
    percent = f"{found['percent']:.1f} %"
    return percent if found["low"] is None else f"{percent} [{found['low']:.1f}, {found['high']:.1f}]"


def _calibration(found: Mapping[str, Any]) -> list[str]:
    """How surely the calibration errors are known."""
    told = {_OURS: found, **({"state known": found["state_known"]} if "state_known" in found else {})}
    said = [
        f"{name} {one['ece_interval'][0]:.3f} to {one['ece_interval'][1]:.3f}"
        for name, one in told.items()
        if one["ece_interval"][0] is not None
    ]
    return (
        [f"95 % intervals of the calibration error: {'; '.join(said)}. Chance makes them lean upwards."] if said else []
    )


def _capacity(found: Mapping[str, Any]) -> list[str]:
    """Sections on the promise of shareable hours."""
    rows = [
        [
            *(str(row[name]) for name in ("weeks", "n")),
            f"{row['stated']:.3f}",
            f"{row['kept']:.3f}" + ("" if row["low"] is None else f" [{row['low']:.2f}, {row['high']:.2f}]"),
            *(f"{row[name]:.1f}" for name in ("hours", "pinball", "pinball_mean")),
        ]
        for row in found["by_weeks"]
    ]
    head = ["weeks before", "judged", "stated", "reached", "hours promised", "pinball, h", "of the mean, h"]
    return [
        "## At least so many shareable hours",
        f"All hours offered, jobs of {found['job_h']:g} h, changeover {found['changeover_h']:g} h. Stated is how often"
        " the next week reaches what the weeks before it promise, if weeks are alike; reached is how often it did.",
        _table(head, rows) if rows else "No weeks in a row were observed to 99 %.",
    ]


def _figure(value: float | int | None) -> str:
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def _reliability(table: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [f"{row['from']:.1f} to {row['to']:.1f}", str(row["n"]), f"{row['forecast']:.3f}", f"{row['observed']:.3f}"]
        for row in table
    ]
    return _table(["chance told", "windows", "mean told", "share free"], rows)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells)


def _joined(parts: Sequence[str]) -> str:
    text = ""
    for part in parts:
        text += part + ("\n" if part.startswith("- ") else "\n\n")
    return text.rstrip("\n") + "\n"
