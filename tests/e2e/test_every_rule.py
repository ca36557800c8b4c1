"""Each rule from readings to its explanation: collector's part, real store, broker and worker; then the owner's words.

One network of one member serves all: a machine for each rule, and one of which no rule has anything to say.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
import pytest

from analytics.history import utc, week_of, week_start
from analytics.rules import RULES
from fleet.batch import Rows
from fleet.records import Finding, FindingStatus
from fleet.states import OFF, PRODUCING, STANDBY
from gateway.evidence import why
from gateway.evidence_rows import rows as evidence_rows
from gateway.words import words
from tests.analytics.floor_world import HOUR_MS, WEEK_S, World, eventually, now_ms, rows, world
from tests.servers import Broker

pytestmark = pytest.mark.mosquitto

WEEKS: Final = 10
TIMEZONE: Final = "Europe/Paris"
STEP_MS: Final = 600_000
Ints = np.ndarray[Any, np.dtype[np.int64]]


class Time:
    """A reading every ten minutes until a second ago, since a local Monday: whatever today is, ten weeks are complete.

    Hours are by UTC, which lie within the staffed 6 to 22 o'clock.
    """

    def __init__(self) -> None:
        end = now_ms() - 1000
        begin = week_start(week_of(utc(end / 1000), TIMEZONE) - WEEKS, TIMEZONE) * 1000
        self.at: Ints = np.arange(begin, end, STEP_MS)
        self.hour: Ints = self.at // HOUR_MS % 24
        self.weekday: Ints = (self.at // 86_400_000 + 3) % 7
        self.weeks_ago = (end - self.at) / (WEEK_S * 1000)

    def states(self, first: int, last: int, idle_from: int = 4, idle_to: int = 21) -> Ints:
        """At work on weekdays from the first hour to the last, else idle by day, off by night and at weekends."""
        weekday = self.weekday < 5
        works = weekday & (self.hour >= first) & (self.hour < last)
        idles = weekday & (self.hour >= idle_from) & (self.hour < idle_to)
        return np.where(works, PRODUCING, np.where(idles, STANDBY, OFF)).astype(np.int64)


def watts(states: Ints, working: float, idle: float, off: float = 20.0) -> np.ndarray[Any, Any]:
    """Power by state, with the noise of a meter."""
    power = np.select([states == PRODUCING, states == STANDBY], [working, idle], off)
    return power * (1.0 + 0.02 * np.random.default_rng(5).standard_normal(len(power)))


def calm(time: Time) -> Rows:
    """Well used, switched off, alive."""
    states = time.states(6, 17)
    return rows(time.at, state=states, power_w=watts(states, 12_000, 150))


def little_used(time: Time) -> Rows:
    return rows(time.at, state=time.states(8, 10))


def full(time: Time) -> Rows:
    return rows(time.at, state=time.states(3, 22))


def idles_hot(time: Time) -> Rows:
    states = time.states(6, 17)
    return rows(time.at, state=states, power_w=watts(states, 20_000, 6_000))


def left_on(time: Time) -> Rows:
    states = np.where(time.states(6, 17) == PRODUCING, PRODUCING, STANDBY)
    return rows(time.at, state=states, power_w=watts(states, 9_000, 450))


def moved(time: Time) -> Rows:
    power = watts(time.states(6, 17), 9_000, 700, off=700)
    return rows(time.at, power_w=power * np.where(time.weeks_ago < 5, 0.5, 1.0))


def torn(time: Time) -> Rows:
    """Ever more often silent for two hours since five weeks ago."""
    dice = np.random.default_rng(4).random((WEEKS + 1) * 7 * 12 + 24)
    lost = dice[(time.at - time.at[0]) // (2 * HOUR_MS)] < 0.08 * np.clip(5 - time.weeks_ago, 0, None)
    lost[-6:] = False
    heard: Rows = rows(time.at, state=time.states(6, 17))[~lost]
    return heard


MADE: Final[dict[str, Callable[[Time], Rows]]] = {
    "structural-underuse": little_used,
    "overload": full,
    "idle-but-drawing": idles_hot,
    "never-off-at-night": left_on,
    "moved-clamp": moved,
    "degrading-coverage": torn,
}
SAYS: Final = {
    "structural-underuse": ("des heures ouvertes sur", "sous 40 % le mois prochain"),
    "overload": ("100 % des heures ouvertes", "10 semaines ordinaires"),
    "idle-but-drawing": ("6 kW", "plus qu’éteinte"),
    "never-off-at-night": ("reste sous tension", "nuits et fins de semaine"),
    "moved-clamp": ("multipliés par 0,5", "étalonnez"),
    "degrading-coverage": ("du temps sur les trois dernières semaines", "% auparavant"),
}
"""Words and figures of each explanation, spaces plain."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Finding]]]:
    """Machine -> rule -> its finding, as stored and published."""
    broker = Broker(tmp_path_factory.mktemp("mosquitto"))
    broker.start()
    try:
        yield asyncio.run(_through_the_worker(broker.url, tmp_path_factory.mktemp("rules")))
    finally:
        broker.kill()


async def _through_the_worker(url: str, folder: Any) -> dict[str, dict[str, Finding]]:
    time, made = Time(), {**MADE, "calm": calm}
    machines = [f'id = "{name}"\nname = "{name}"\nevery = 600' for name in made]
    async with world(url, folder, acme=machines) as one:
        for name, readings in made.items():
            await one.put(name, readings(time), announce=False)
        async with one.worker():
            return {name: await _findings(one, name) for name in made}


async def _findings(one: World, machine: str) -> dict[str, Finding]:
    """Once it is judged by its whole history: its findings, published as they are stored, a clear one as nothing."""
    found: dict[str, Finding] = {}

    async def settled() -> bool:
        for rule in RULES:
            stored = await one.document(f"finding/{rule}", machine)
            published = one.published.get(f"net/v1/findings/acme/{machine}/{rule}")
            if stored is None or published is None:
                continue
            finding = Finding.model_validate(stored)
            if published == b"" if finding.status is FindingStatus.CLEAR else json.loads(published or b"{}") == stored:
                found[rule] = finding
        wanted = machine if machine in RULES else "structural-underuse"
        judged = found.get(wanted)
        return judged is not None and judged.status is (
            FindingStatus.FLAGGED if machine in RULES else FindingStatus.CLEAR
        )

    try:
        await eventually(settled)
    except TimeoutError as error:
        said = {rule: (finding.status.value, finding.reason) for rule, finding in found.items()}
        raise AssertionError(f"{machine}: {said}") from error
    return found


@pytest.mark.parametrize("rule", RULES)
def test_readings_become_a_finding_with_its_explanation(rule: str, told: dict[str, dict[str, Finding]]) -> None:
    finding = told[rule][rule]
    assert finding.status is FindingStatus.FLAGGED
    assert finding.evidence["published"] is False
    said = why(finding, words("fr", TIMEZONE)).replace("\u202f", " ").replace("\u00a0", " ")
    for part in SAYS[rule]:
        assert part in said, said
    assert len(evidence_rows(finding, words("fr", TIMEZONE))) >= 3


@pytest.mark.parametrize("rule", RULES)
def test_a_machine_in_order_has_no_flag(rule: str, told: dict[str, dict[str, Finding]]) -> None:
    found = told["calm"].get(rule)
    assert found is None or found.status is not FindingStatus.FLAGGED, found
