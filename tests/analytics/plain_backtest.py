"""The back-test of the rivals once more, one window at a time and without numpy: what the harness must come to."""

import csv
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

HOUR = 3600
Span = tuple[float, float]
Week = list[tuple[int, bool]]


def rows_of(path: Path, zone: ZoneInfo) -> list[tuple[str, float, float]]:
    """Machine, start and end of each line, epoch seconds."""

    def at(text: str) -> float:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()

    with path.open(encoding="utf-8-sig", newline="") as file:
        names = [name.strip().lower() for name in next(csv.reader(file))]
        rows = csv.DictReader(file, names)
        return [(row["machine"].strip(), at(row["start"]), at(row["end"])) for row in rows]


def covered(spans: Iterable[Span], start: float, end: float) -> float:
    """Seconds of [start, end) that any of the spans covers."""
    found, reached = 0.0, start
    for low, high in sorted(spans):
        low, high = max(low, reached), min(high, end)
        if high > low:
            found, reached = found + high - low, high
    return found


def monday_before(at: float, zone: ZoneInfo) -> datetime:
    """The local Monday 00:00 at or before an instant, without its offset."""
    day = datetime.fromtimestamp(at, zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    return day - timedelta(days=day.weekday())


def outcomes(
    busy: Path, observed: Path | None, timezone: str, window: int
) -> tuple[list[str], dict[str, dict[int, bool]], list[tuple[int, int]]]:
    """Names; of each the outcome of each start that counts; week and hour of week of each hour."""
    zone = ZoneInfo(timezone)
    rows = rows_of(busy, zone)
    alive = rows_of(observed, zone) if observed else [("*", min(r[1] for r in rows), max(r[2] for r in rows))]
    names = sorted({name for name, *_ in [*rows, *alive]} - {"*"})
    edges = [at for _, *span in alive for at in span]
    first, last = monday_before(min(edges), zone), monday_before(max(edges) - 1e-3, zone) + timedelta(weeks=1)
    start, end = (int(day.replace(tzinfo=zone).timestamp()) for day in (first, last))
    hours = [datetime.fromtimestamp(at, zone).replace(tzinfo=None) for at in range(start, end, HOUR)]
    clock = [((hour - first).days // 7, hour.weekday() * 24 + hour.hour) for hour in hours]
    found: dict[str, dict[int, bool]] = {}
    for name in names:
        heard = [(low, high) for one, low, high in alive if one in (name, "*")]
        taken = [(max(a, c), min(b, d)) for one, a, b in rows if one == name for c, d in heard]
        seen = [covered(heard, at, at + HOUR) for at in range(start, end, HOUR)]
        used = [covered(taken, at, at + HOUR) > 0 for at in range(start, end, HOUR)]
        found[name] = {
            at: not any(used[at : at + window])
            for at in range(len(hours) - window + 1)
            if sum(seen[at : at + window]) >= 0.99 * HOUR * window - 1e-3
        }
    return names, found, clock


def briers(
    busy: Path, observed: Path | None, timezone: str, window: int, first_weeks: int
) -> tuple[int, dict[str, float]]:
    """How many windows are scored, and the Brier score of each rival."""
    names, found, clock = outcomes(busy, observed, timezone, window)
    losses: dict[str, list[float]] = defaultdict(list)
    for week in range(first_weeks, clock[-1][0] + 1):
        origin = next(at for at, (number, _) in enumerate(clock) if number == week)
        past = {name: {at: free for at, free in found[name].items() if at + window <= origin} for name in names}
        every = [free for name in names for free in past[name].values()]
        climatology = sum(every) / len(every) if every else 0.5
        for name in names:
            own = list(past[name].values())
            mean = sum(own) / len(own) if own else climatology
            for at, free in found[name].items():
                if clock[at][0] == week:
                    told = _told(past[name], clock, clock[at][1], mean)
                    for model, chance in {"climatology": climatology, "machine_mean": mean, **told}.items():
                        losses[model].append((chance - free) ** 2)
    return len(losses["climatology"]), {model: sum(loss) / len(loss) for model, loss in losses.items()}


def _told(past: dict[int, bool], clock: list[tuple[int, int]], hour_of_week: int, mean: float) -> dict[str, float]:
    same: Week = [(clock[at][0], free) for at, free in past.items() if clock[at][1] == hour_of_week]
    newest = max((week for week, _ in same), default=0)
    free = sum(outcome for _, outcome in same)
    return {
        "last_week": float(all(outcome for week, outcome in same if week == newest)) if same else mean,
        "raw_hour_of_week": free / len(same) if same else mean,
        "smoothed_hour_of_week": (free + 4 * mean) / (len(same) + 4),
    }
