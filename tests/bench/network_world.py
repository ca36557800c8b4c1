"""A simulated network taken through ledger and rules, and what really was and came: its machines, member by member.

Simulators -> readings -> learned model -> hours -> outlooks and findings at :data:`NOW`, as the worker makes them, but
in memory. The truth is judged by the same definitions on perfect readings of the weeks after.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analytics import states
from analytics.history import History, utc
from analytics.ledger import Folded, fold
from analytics.outlook import Live, shareable
from analytics.refresh import Refreshed, Seat, refresh, span
from analytics.rules import RuleContext, idle_but_drawing
from analytics.rules.evidence import Evidence
from analytics.rules.overload import FULL, USED, Fullness, waits
from fleet.batch import NO_INT, READING, MachineKey, Rows
from fleet.network import Machine, Member
from fleet.records import HOUR_SECONDS, HourBucket
from fleet.registry import Registry, load
from fleet.states import NO_STATE, STATE_CODE, STATES, UNKNOWN
from simulators import network
from simulators.history import WEEK_MS, heard
from simulators.plant import Plant, connected, plants_of
from simulators.timeline import Samples, Timeline, counting_since
from simulators.troubles import Trouble, troubled
from tests.bench import energy_truth

NOW: Final = datetime(2026, 6, 1, 6, tzinfo=UTC)
"""A Monday; the four weeks after it have no public holiday."""
TRUTH_WEEKS: Final = 4
STATES_WEEKS: Final = 2
ZONE: Final = "Europe/Paris"
_DAY_NS: Final = 86_400 * 10**9
_FIRST_DAY: Final = 20_000  # in 2024, before anything that is simulated


class Windows(NamedTuple):
    """Stated chances of free windows, and whether they were; arrays of shape (n,)."""

    stated: NDArray[np.float64]
    free: NDArray[np.bool_]


class States(NamedTuple):
    """States as derived and as they were, every ten minutes of :data:`STATES_WEEKS` weeks; codes, shape (n,)."""

    derived: NDArray[np.uint8]
    true: NDArray[np.uint8]


class Judged(NamedTuple):
    """One machine: what was said, and what was true.

    Attributes:
        basis: what its states rest on.
        said: rule -> status and reason.
        certainty: stated P(below the threshold), None where it was not told.
        use: true mean utilisation of the staffed hours of the weeks to come.
        used: stated utilisation of the weeks behind, the highest that it says it may be, and the true one.
        overloaded: whether the weeks to come were full, used, and showed a sign that work waits.
        wasted: what it wastes of energy in the weeks to come.
        promise: "at least" hours and the chance to keep it, None without one.
        kept: true shareable hours of each of the weeks to come.
    """

    key: MachineKey
    shareable: bool
    trouble: Trouble | None
    basis: str
    said: dict[str, tuple[str, str]]
    certainty: float | None
    threshold: float
    use: float
    used: tuple[float, float, float] | None
    overloaded: bool
    wasted: energy_truth.Truth
    promise: tuple[float, float] | None
    kept: list[float]
    windows: Windows
    states: States


class World(NamedTuple):
    """One network of thirty members at :data:`NOW`, with ``weeks`` of readings behind it.

    Of the days of every feed the share ``silent`` is lost, twice as often at weekends.
    """

    registry: Registry
    plants: dict[MachineKey, Plant]
    troubles: dict[MachineKey, Trouble]
    weeks: int
    silent: float

    @classmethod
    def of(cls, folder: Path, seed: int, weeks: int, silent: float = 0.0) -> "World":
        """The network of that seed, its files in the folder."""
        network.write(folder, seed, NOW)
        registry, now_ms = load(folder), _ms(NOW)
        plants, found = troubled(connected(plants_of(seed, registry), seed, now_ms, imperfect=True), seed, now_ms)
        return cls(registry, {plant.key: plant for plant in plants}, found, weeks, silent)

    def judged(self, slug: str) -> list[Judged]:
        """The machines of one member that have a meter."""
        member = self.registry.members[slug]
        machines = [
            self._as_it_is(slug, machine) for machine in member.machines if MachineKey(slug, machine.id) in self.plants
        ]
        plants = [self.plants[MachineKey(slug, machine.id)] for machine in machines]
        timelines = [Timeline(plant, counting_since(NOW.date(), self.weeks)) for plant in plants]
        folds = [self._fold(*one) for one in zip(plants, machines, timelines, strict=True)]
        seats = [_seat(machine, folded, model) for machine, (folded, model) in zip(machines, folds, strict=True)]
        buckets = [bucket for folded, _ in folds for bucket in folded.hours]
        told = refresh(member, self.registry.network, seats, buckets, NOW)
        return [
            self._judge(member, machine, timeline, refreshed, folded.hours)
            for machine, timeline, refreshed, (folded, _) in zip(machines, timelines, told, folds, strict=True)
        ]

    def _as_it_is(self, slug: str, machine: Machine) -> Machine:
        """The machine; nobody gives his word that one works that he has sold."""
        sold = self.troubles.get(MachineKey(slug, machine.id)) is Trouble.SOLD
        return machine.model_copy(update={"works_confirmed": None}) if sold else machine

    def _fold(self, plant: Plant, machine: Machine, timeline: Timeline) -> tuple[Folded, states.StateModel]:
        start = _ms(NOW - timedelta(weeks=self.weeks))
        rows = rows_of(plant, heard(plant, timeline, start, _ms(NOW), round(plant.every_s * 1000)))
        rows = rows[~_lost(plant, rows["at_ns"] // _DAY_NS, self.silent)]
        since = states.monday_ms(_ms(NOW)) - states.LEARN_WEEKS * WEEK_MS
        told, silence_ms = rows[rows["at_ns"] >= since * 1_000_000], states.resolve(machine).max_silence_ms
        model = states.resolve(machine, states.learn_at(told, silence_ms, _ms(NOW), machine.rated_w))
        return fold(plant.key, rows, model, start=start // 1000, now_ms=_ms(NOW)), model

    def _judge(
        self, member: Member, machine: Machine, timeline: Timeline, told: Refreshed, buckets: Sequence[HourBucket]
    ) -> Judged:
        key = MachineKey(member.slug, machine.id)
        begin, _ = span(member, self.registry.network, NOW)
        begin = max(begin, int((NOW - timedelta(weeks=self.weeks)).timestamp()))
        past = Evidence(self.truth(member, machine, timeline, utc(begin), NOW))
        ahead = self.truth(member, machine, timeline, NOW - timedelta(hours=8), NOW + timedelta(weeks=TRUTH_WEEKS))
        coming = Evidence(ahead)
        outlook, findings = told.outlook, told.findings
        evidence = {finding.rule: finding.evidence for finding in findings}
        promised = outlook.shareable_hours_per_week
        return Judged(
            key=key,
            shareable=machine.shareable,
            trouble=self.troubles.get(key),
            basis=outlook.basis,
            said={finding.rule: (finding.status.value, finding.reason) for finding in findings},
            certainty=evidence.get("structural-underuse", {}).get("certainty"),
            threshold=coming.threshold,
            use=_mean(coming.weekly.share[coming.ordinary]),
            used=None if outlook.utilisation is None
            else (outlook.utilisation, outlook.utilisation_most or outlook.utilisation,
                  _mean(past.weekly.share[past.ordinary])),
            overloaded=overloaded(Fullness(coming)),
            wasted=energy_truth.truth_of(timeline, NOW, idle_but_drawing.least_kwh(ahead)),
            promise=None if promised is None or outlook.shareable_in_weeks is None
            else (promised, _chance(outlook.shareable_in_weeks[1])),
            kept=[hours for hours in _shareable(ahead, coming) if not np.isnan(hours)],
            windows=_windows(told, ahead.history),
            states=_states(buckets, timeline),
        )  # fmt: skip

    def truth(
        self, member: Member, machine: Machine, timeline: Timeline, start: datetime, end: datetime
    ) -> RuleContext:
        """The machine as somebody saw it who stood beside it all the time."""
        samples = timeline.at(timeline.beats(_ms(start), _ms(end), HOUR_SECONDS * 1000))
        rows = np.zeros(len(samples), READING)
        _fill(rows, samples.at_ms, samples.state)
        model = states.StateModel(max_silence_ms=2 * HOUR_SECONDS * 1000)
        buckets = fold(timeline.plant.key, rows, model, start=int(start.timestamp()), now_ms=_ms(end)).hours
        history = History.from_buckets(buckets, ZONE, int(start.timestamp()), int(end.timestamp()))
        return RuleContext(member, machine, self.registry.network, history, end, feed_alive=True, inferable=True)


def _lost(plant: Plant, day: NDArray[np.int64], silent: float) -> NDArray[np.bool_]:
    """Whether each day (UTC, counted from 1970) is lost; but the last one never, so that the feed lives."""
    last = int(NOW.timestamp()) // 86_400
    dice = np.random.default_rng(plant.noise_key % 2**32).random(last + 1 - _FIRST_DAY)
    weekend = (np.arange(_FIRST_DAY, last + 1) + 3) % 7 >= 5
    gone = dice < silent * 7 / 9 * np.where(weekend, 2.0, 1.0)
    gone[-1] = False
    return gone[day - _FIRST_DAY]


def rows_of(plant: Plant, samples: Samples) -> Rows:
    """The samples as the collector stores what the plant's format tells of them."""
    rows = np.zeros(len(samples), READING)
    codes = np.array([STATE_CODE[plant.format.heard(state.value)] for state in STATES], dtype=np.uint8)
    state = codes[samples.state] if plant.format.tells_state else np.full(len(samples), NO_STATE, np.uint8)
    _fill(rows, samples.at_ms, state)
    rows["power_w"] = samples.power_w
    if plant.format.tells_energy:
        rows["energy_wh"] = samples.energy_wh
    if plant.format.tells_count:
        rows["counter"] = samples.count
    return rows


def _fill(rows: Rows, at_ms: NDArray[np.int64], state: NDArray[np.uint8]) -> None:
    rows["at_ns"], rows["arrived_ms"], rows["state"] = at_ms * 1_000_000, at_ms, state
    for name in ("utilisation", "power_w", "energy_wh"):
        rows[name] = np.nan
    for name in ("counter", "seq", "boot"):
        rows[name] = NO_INT


def _states(buckets: Sequence[HourBucket], timeline: Timeline) -> States:
    """An hour without a bucket is UNKNOWN."""
    start, end = _ms(NOW - timedelta(weeks=STATES_WEEKS)), _ms(NOW)
    at = np.arange(start, end, 600_000)
    hours = {bucket.hour: bucket.segments for bucket in buckets if bucket.hour * 1000 >= start}
    rows = [
        (hour * 1000 + offset * 1000, state)
        for hour in range(start // 1000, end // 1000, HOUR_SECONDS)
        for offset, state in hours.get(hour, ((0, UNKNOWN),))
    ]
    begin, state = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    true = timeline.intervals(start, end)
    return States(
        state[np.searchsorted(begin, at, "right") - 1].astype(np.uint8),
        true.state[np.searchsorted(true.start_ms, at, "right") - 1],
    )


def _seat(machine: Machine, folded: Folded, model: states.StateModel) -> Seat:
    newest: Sequence[HourBucket] = folded.hours[-6:]
    inferable = model.on_w is not None or bool({bucket.basis for bucket in newest} & {"state", "counter"})
    since, last = (None if at is None else utc(at / 1000) for at in (folded.since_ms, folded.last_ms))
    return Seat(machine, Live(STATES[folded.state].value, since, last), folded.alive, inferable, {})


def overloaded(truth: Fullness) -> bool:
    """Whether the weeks were full, the machine used, and work waited."""
    return _mean(truth.occupied[truth.kept]) >= FULL and truth.used >= USED and waits(truth)


def _shareable(context: RuleContext, evidence: Evidence) -> NDArray[np.float64]:
    calendar = evidence.calendar
    return shareable(evidence.history, calendar.offered, calendar.reserved, context.machine, context.now)


def _chance(weeks: int) -> float:
    """Stated chance that another week keeps the promise of ``analytics.capacity.at_least``."""
    return 1.0 - max(1, (weeks + 1) // 10) / (weeks + 1)


def _windows(told: Refreshed, truth: History) -> Windows:
    busy = np.append(0.0, np.cumsum(truth.busy))
    windows = told.outlook.free
    first = np.array([window.start.timestamp() for window in windows], dtype=np.float64)
    last = np.array([window.end.timestamp() for window in windows], dtype=np.float64)
    low, high = (((at - truth.start) // HOUR_SECONDS).astype(np.int64) for at in (first, last))
    return Windows(np.array([window.probability for window in windows]), busy[high] - busy[low] < 1.0)


def _mean(values: NDArray[np.float64]) -> float:
    return float(np.nanmean(values)) if len(values) and not np.isnan(values).all() else float("nan")


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
