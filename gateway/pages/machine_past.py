"""What the store says of a machine's last seven days, as its owner's page draws and tables it."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from fleet.records import HOUR_SECONDS, HourBucket
from gateway.access import OwnMachine
from gateway.draw.runs import Run, runs_of, seconds_by_state
from gateway.draw.strip import strip
from gateway.picture import STORE_PATIENCE_S, Picture
from gateway.present import bridged, patience
from gateway.words import Words
from store.base import StoreError

DAY_S: Final = 86_400
_SPANS: Final = {"24h": DAY_S, "7d": 7 * DAY_S}

Power = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True)
class Past:
    """What the store says of the last seven days; ``runs`` is None when it did not answer.

    Attributes:
        conflicts: instants at which two readings contradict each other.
        resets: how often a counter stepped back.
    """

    now: float
    runs: list[Run] | None
    power: Power | None
    conflicts: int = 0
    resets: int = 0


async def read_past(picture: Picture, own: OwnMachine) -> Past:
    """Seven days of states and one of power, as the store has them now."""
    now = picture.now()
    end = int(now.timestamp())
    hours = range((end - 7 * DAY_S) // HOUR_SECONDS * HOUR_SECONDS, end + 1)
    try:
        async with asyncio.timeout(STORE_PATIENCE_S):
            buckets = await picture.store.read_hours([own.key], hours.start, hours.stop)
            readings = await picture.store.read_readings([own.key], (end - DAY_S) * 1000, end * 1000)
    except (StoreError, TimeoutError) as error:
        picture.failed(error)
        return Past(end, None, None)
    picture.answered()
    watts = readings.rows["power_w"]
    power = (readings.rows["at_ns"] / 1e9, watts) if np.isfinite(watts).any() else None
    conflicts, resets = (sum(getattr(bucket, name) for bucket in buckets) for name in ("conflicts", "resets"))
    return Past(end, _known(buckets, end, own), power, conflicts, resets)


def draw(past: Past, span: str, own: OwnMachine, words: Words) -> Markup | None:
    """The strip of ``24h`` or ``7d``; None when the store did not answer."""
    if past.runs is None:
        return None
    start = past.now - _SPANS[span]
    runs = [run._replace(start=max(run.start, start)) for run in past.runs if run.end > start]
    title = words.say("États de %(name)s", name=own.machine.name)
    power = past.power if span == "24h" else None
    return strip(
        runs, start, past.now, words=words, title=title, power=power, basis=basis_of(own),
        alive_s=patience(own.machine).total_seconds(),
    )  # fmt: skip


def _known(buckets: list[HourBucket], end: int, own: OwnMachine) -> list[Run]:
    return bridged(runs_of(buckets, end - 7 * DAY_S, end), patience(own.machine).total_seconds())


def basis_of(own: OwnMachine) -> str:
    """What its states rest on."""
    return own.outlook.basis if own.outlook else "state"


def day_rows(runs: list[Run], start: float, basis: str, words: Words) -> list[tuple[str, str, str]]:
    """The last day's runs, newest first: from, state, length."""
    rows = []
    for run in reversed(runs):
        if run.end <= start:
            break
        begins = datetime.fromtimestamp(max(run.start, start), words.zone)
        rows.append(
            (words.moment(begins), words.state(run.state, basis), words.duration(run.end - max(run.start, start)))
        )
    return rows


def week_rows(runs: list[Run], now: float, codes: list[int], words: Words) -> list[tuple[str, list[str]]]:
    """Hours in each state, day by day, newest first."""
    rows = []
    today = datetime.fromtimestamp(now, words.zone).date()
    for back in range(7):
        day = today - timedelta(days=back)
        start = datetime(day.year, day.month, day.day, tzinfo=words.zone).timestamp()
        after = day + timedelta(days=1)
        end = min(now, datetime(after.year, after.month, after.day, tzinfo=words.zone).timestamp())
        inside = [
            Run(max(run.start, start), min(run.end, end), run.state)
            for run in runs
            if run.end > start and run.start < end
        ]
        totals = seconds_by_state(inside)
        rows.append((words.date(day), [words.number(totals[code] / 3600, 1) for code in codes]))
    return rows
