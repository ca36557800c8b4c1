"""The derived nouns: hour buckets, findings, documents. What analytics writes and the gateway reads."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from fleet.batch import MachineKey

HOUR_SECONDS = 3600
Seconds7 = tuple[float, float, float, float, float, float, float]
Energies7 = tuple[float, float, float, float, float, float, float]


@dataclass(frozen=True, slots=True)
class HourBucket:
    """One hour of one machine, derived from the carry-in at its start and the hour's readings; every field explicit.

    Attributes:
        hour: start, epoch seconds UTC, a multiple of 3,600.
        seconds: seconds in each state of ``fleet.states.STATES``, in that order; they sum to the part of the hour that
            has passed (3,600 for a complete hour).
        energy_wh: energy used, watt-hours; None when neither power nor an energy counter says.
        pieces: increase of the counter; None without one.
        readings: number of distinct readings in the hour.
        conflicts: number of milliseconds at which readings contradict each other.
        resets: number of counter resets or wraps.
        power_max_w: highest power read; None without power.
        basis: what the states rest on.
        segments: runs of one state, as (offset in whole seconds from ``hour``, state code), first offset 0.
        carry: JSON with what the next hour needs to start from; its meaning is the ledger's alone.
        model: version of the state model that made it.
        energy_by_state: watt-hours used in each state, in the order of ``seconds``; they sum to ``energy_wh``. What an
            energy counter tells of a gap in which it was not read belongs to no state and stands under UNKNOWN. None
            without energy, and in hours of programs that did not tell states apart.
        metered_s: seconds of the hour at whose every instant the power is known; 0 when ``energy_by_state`` is None.
    """

    member: str
    machine: str
    hour: int
    seconds: Seconds7
    energy_wh: float | None
    pieces: int | None
    readings: int
    conflicts: int
    resets: int
    power_max_w: float | None
    basis: Literal["state", "counter", "power", "none"]
    segments: tuple[tuple[int, int], ...]
    carry: str
    model: str
    energy_by_state: Energies7 | None = None
    metered_s: float = 0.0

    @property
    def key(self) -> MachineKey:
        """The machine it belongs to."""
        return MachineKey(self.member, self.machine)


class FindingStatus(StrEnum):
    """What a rule says of a machine now."""

    FLAGGED = "flagged"
    CLEAR = "clear"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"


class Finding(BaseModel):
    """What one rule says of one machine, since when, and why; stored, and published on ``net/v1/findings/...``.

    Attributes:
        reason: one sentence in English, or the name of the missing evidence (``calendar``, ``life``, ``coverage``,
            ``history``, ``state``, ``feed``, ``change``, ``holidays``, ``capacity``, ``modes``, ``certainty``).
        evidence: inputs, thresholds, versions and coverage that the status rests on; JSON values only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    machine: str
    rule: str
    status: FindingStatus
    since: datetime
    reason: str
    evidence: dict[str, Any]


class EnergyUse(BaseModel):
    """The electricity of one machine over a span, and what it used without producing; the owner's alone.

    Attributes:
        measured: share of the span at whose instants the power is known, 0..1; nothing is extrapolated.
        total_kwh: all that is known to have been used.
        idle_kwh: of it in STANDBY: under power, not producing.
        setup_kwh, off_kwh: of it in SETUP and in OFF, which are not idle.
        off_told: whether OFF is told from STANDBY at all; else what it draws while off is inside ``idle_kwh``.
        idle_eur, idle_kg_co2e: what ``idle_kwh`` cost; None where no tariff or factor is known.
        eur_origin, co2_origin: ``member``, ``network``, ``default`` (``fleet.tariffs``) or ``none``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: datetime
    until: datetime
    measured: float
    total_kwh: float
    idle_kwh: float
    setup_kwh: float
    off_kwh: float
    off_told: bool
    idle_eur: float | None
    idle_kg_co2e: float | None
    eur_per_kwh: float | None
    eur_origin: str
    co2_g_per_kwh: float | None
    co2_origin: str
    co2_source: str


class FreeWindow(BaseModel):
    """A window with the probability that no second of it is busy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: datetime
    end: datetime
    probability: Annotated[float, Field(ge=0, le=1)]


class ChanceBasis(BaseModel):
    """What the chances of free windows rest on.

    Attributes:
        own_weeks: weeks of the machine's own that were observed.
        trade_share: part that is what is assumed of its trade, 0..1; 1 for a machine never seen.
        siblings: how many of its owner's other machines of the trade's family were seen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    own_weeks: Annotated[float, Field(ge=0)]
    trade_share: Annotated[float, Field(ge=0, le=1)]
    siblings: Annotated[int, Field(ge=0)] = 0


class Outlook(BaseModel):
    """What analytics derives for one machine beyond its hours; one document a machine, kind ``outlook``.

    Attributes:
        as_of: the instant the figures hold for.
        utilisation: (PRODUCING + SETUP) / observed staffed hours over ``weeks``; None without staffed hours.
        utilisation_calendar: the same over all observed hours.
        utilisation_most: what ``utilisation`` is at most, when all that may be set-up is; None where set-up is told,
            without staffed hours, and where nothing is known of the power.
        coverage: observed / all hours over ``weeks``.
        shareable_hours_per_week: "at least x h": 10 % quantile over the weeks; None when it cannot be known.
        shareable_in_weeks: (n, N): in n of N weeks at least that much.
        weekly: one entry a local week, oldest first: monday (ISO date), utilisation, utilisation_calendar, coverage,
            shareable_hours; None where unknown.
        grid: 168 shares of weeks busy by local hour of week (Monday 00 first); None where never observed.
        grid_coverage: 168 shares of weeks observed.
        free: windows of the asked length over the next 14 days, one a start hour of the offered calendar; their chances
            rest on the machine's weeks, two of them at least, so that they may be published.
        assumed: the same of a machine that has less than two weeks: the owner's alone, for they rest on its trade.
        chance_basis: what the chances rest on; None where none are told.
        near: those of the next days, with chances that also rest on the last days and the state now: the owner's alone.
        window_hours: their length.
        long_block_share: fragmentation: share of the free time that lies in blocks of 8 h or more; None without any.
        energy: of the newest four weeks; None when no power was measured. The owner's alone.
        untold: why the states are not known although it speaks, as ``analytics.untold`` names it; "" when they are.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    machine: str
    as_of: datetime
    weeks: int
    state: str
    state_since: datetime | None
    last_reading: datetime | None
    basis: str
    utilisation: float | None
    utilisation_calendar: float | None
    coverage: float
    shareable_hours_per_week: float | None
    shareable_in_weeks: tuple[int, int] | None
    weekly: list[dict[str, Any]]
    grid: list[float | None]
    grid_coverage: list[float]
    free: list[FreeWindow]
    assumed: list[FreeWindow] = []
    near: list[FreeWindow] = []
    chance_basis: ChanceBasis | None = None
    window_hours: float
    model: str
    long_block_share: float | None = None
    utilisation_most: float | None = None
    energy: EnergyUse | None = None
    untold: str = ""

    @property
    def free_to_owner(self) -> list[FreeWindow]:
        """``free``, or else ``assumed``, with the better chances of ``near``, unless the state has changed since."""
        told = self.free or self.assumed
        if self.state_since is not None and self.state_since > self.as_of:
            return told
        better = {window.start: window for window in self.near}
        return [better.get(window.start, window) for window in told]


class Document(BaseModel):
    """A JSON document of a machine or a member, newest wins: findings, outlooks, models, session losses.

    Attributes:
        machine: the machine's slug, or "" for one of the member as a whole; member is "" for the network's own.
        kind: ``finding/<rule>``, ``outlook``, ``model``, ``session``, ...
        at: when it was made, epoch ms; a later one replaces an earlier one.
        body: JSON text; empty text says that the document is withdrawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    member: str
    machine: str
    kind: str
    at: int
    body: str
