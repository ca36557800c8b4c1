"""``/api/v1``: the same data as the pages, through the same scopes, as JSON. Times are ISO 8601 with offset."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict

from fleet.batch import MachineKey
from fleet.records import HOUR_SECONDS, ChanceBasis, EnergyUse, Finding, FreeWindow
from fleet.states import STATES
from gateway import counts, days
from gateway.access import Audience, OwnMachine
from gateway.offers import OfferRow
from gateway.pages.network import troubles
from gateway.picture import STORE_PATIENCE_S
from gateway.problems import Problem
from gateway.publish import Window
from gateway.web import Page, page_of
from store.base import StoreUnavailable

_LONGEST = timedelta(days=92)
_ERRORS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "Not there, or not for this visitor"},
    422: {"model": Problem, "description": "A value breaks a rule"},
}
router = APIRouter(prefix="/api/v1", tags=["api"], responses=_ERRORS)
Moment = Annotated[AwareDatetime, AfterValidator(days.plausible)]
PageOf = Annotated[Page, Depends(page_of)]


class Out(BaseModel):
    """Base of what the API answers."""

    model_config = ConfigDict(extra="forbid")


class MachineOut(Out):
    """A machine of the owner's, as it is now; ``state`` is UNKNOWN when its feed is silent."""

    id: str
    member: str
    machine: str
    name: str
    trade: str
    state: str
    since: datetime | None
    last_reading: datetime | None
    silent: bool
    basis: str
    power_w: float | None
    utilisation: float | None
    utilisation_most: float | None
    utilisation_calendar: float | None
    coverage: float | None
    shareable_hours_per_week: float | None


class MachineDetailOut(MachineOut):
    """With everything analytics derives."""

    weekly: list[dict[str, Any]]
    grid: list[float | None]
    grid_coverage: list[float]
    free: list[FreeWindow]
    chance_basis: ChanceBasis | None = None
    window_hours: float | None
    long_block_share: float | None
    energy: EnergyUse | None
    findings: list[Finding]


class HourOut(Out):
    """Seconds in each state of one hour, and the energy used in each where the power is known."""

    hour: datetime
    seconds: dict[str, float]
    energy_wh: float | None
    energy_by_state: dict[str, float] | None
    metered_s: float
    pieces: int | None
    readings: int
    basis: Literal["state", "counter", "power", "none"]


class OfferOut(Out):
    """An offer as this audience may see it."""

    id: str
    trade: str
    commune: str
    mode: str
    kind: Literal["declared", "measured"]
    member: str | None
    machine: str | None
    contact: str | None
    attributes: dict[str, str | float | bool]
    windows: list[Window]
    hours: float | None
    since: date
    new: bool
    status: str | None


class TroubleOut(Out):
    """Something wrong, and what to do."""

    cost: int
    text: str
    todo: str


class NetworkOut(Out):
    """The plumbing."""

    store: bool
    broker: bool
    members: int
    members_connected: int
    silent: int
    programs: dict[str, dict[str, Any]]
    rejects: dict[str, int]
    unclaimed: int
    troubles: list[TroubleOut]


@router.get("/machines")
async def machines(page: PageOf, member: Annotated[str, Query(min_length=1, max_length=64)]) -> list[MachineOut]:
    """The member's machines, for their owner."""
    scope = page.scope(Audience.OWNER, member)
    owned = scope.own_machines()
    page.looked(scope, [own.key for own in owned], "machine")
    return [MachineOut(**_machine(own)) for own in owned]


@router.get("/machines/{member}/{machine}")
async def machine(page: PageOf, member: str, machine: str) -> MachineDetailOut:
    """One machine with all that is derived of it, for its owner."""
    own = _looked_at(page, member, machine)
    outlook = own.outlook
    return MachineDetailOut(
        **_machine(own),
        weekly=outlook.weekly if outlook else [],
        grid=outlook.grid if outlook else [],
        grid_coverage=outlook.grid_coverage if outlook else [],
        free=outlook.free_to_owner if outlook else [],
        chance_basis=outlook.chance_basis if outlook else None,
        window_hours=outlook.window_hours if outlook else None,
        long_block_share=outlook.long_block_share if outlook else None,
        energy=outlook.energy if outlook else None,
        findings=list(own.findings.values()),
    )


@router.get("/machines/{member}/{machine}/hours", responses={503: {"model": Problem}})
async def hours(
    page: PageOf,
    member: str,
    machine: str,
    start: Annotated[Moment | None, Query(description="with offset; default 7 days before the end")] = None,
    end: Annotated[Moment | None, Query(description="with offset; default now")] = None,
) -> Any:
    """Seconds in each state, hour by hour, for the owner; at most 92 days at once."""
    own = _looked_at(page, member, machine)
    last = end or page.now
    first = start or last - timedelta(days=7)
    if not timedelta(0) < last - first <= _LONGEST:
        problem = Problem(title="invalid value", status=422, detail="start must lie before end, by at most 92 days")
        return JSONResponse(problem.model_dump(), status_code=422, media_type="application/problem+json")
    begin = int(first.timestamp()) // HOUR_SECONDS * HOUR_SECONDS
    picture = page.site.picture
    try:
        async with asyncio.timeout(STORE_PATIENCE_S):
            buckets = await picture.store.read_hours([own.key], begin, int(last.timestamp()))
    except TimeoutError as error:
        picture.failed(error)
        raise StoreUnavailable("no answer in time") from error
    zone = picture.zone
    return [
        HourOut(
            hour=datetime.fromtimestamp(bucket.hour, zone),
            seconds=_by_state(bucket.seconds),
            energy_wh=bucket.energy_wh,
            energy_by_state=_by_state(bucket.energy_by_state) if bucket.energy_by_state else None,
            metered_s=bucket.metered_s,
            pieces=bucket.pieces,
            readings=bucket.readings,
            basis=bucket.basis,
        )
        for bucket in buckets
    ]


@router.get("/findings")
async def findings(page: PageOf, member: Annotated[str, Query(min_length=1, max_length=64)]) -> list[Finding]:
    """What the rules say of the member's machines, for their owner."""
    scope = page.scope(Audience.OWNER, member)
    owned = scope.own_machines()
    page.looked(scope, [own.key for own in owned], "machine")
    return [finding for own in owned for finding in own.findings.values()]


@router.get("/offers")
async def offers(page: PageOf) -> list[OfferOut]:
    """The offers this visitor may read of."""
    owner = page.visitor.audience is Audience.OWNER
    scope = page.scope(Audience.OWNER, page.visitor.member) if owner else page.scope(Audience.COORDINATOR)
    page.looked(scope, scope.offered(), "offer")
    return [_offer(row, not owner) for row in scope.offers()]


@router.get("/network")
async def network(page: PageOf) -> NetworkOut:
    """The plumbing and what is wrong with it, for the operator."""
    scope = page.scope(Audience.OPERATOR)
    live = page.site.live
    alive, total = counts.connected(scope)
    rejects: dict[str, int] = {}
    for each in live.rejects.values():
        for reason, count in each.by_reason.items():
            rejects[reason] = rejects.get(reason, 0) + count
    return NetworkOut(
        store=page.site.picture.error is None,
        broker=page.site.connected,
        members=total,
        members_connected=alive,
        silent=counts.silent(scope),
        programs={name: health.model_dump(mode="json") for name, health in live.health.items()},
        rejects=rejects,
        unclaimed=sum(len(each.devices) for each in live.unclaimed.values()),
        troubles=[
            TroubleOut(cost=each.cost, text=each.text, todo=each.todo)
            for each in troubles(scope, page.site.connected, page.words)
        ],
    )


def _by_state(values: tuple[float, ...]) -> dict[str, float]:
    return dict(zip((state.value for state in STATES), values, strict=True))


def _looked_at(page: Page, member: str, machine: str) -> OwnMachine:
    scope = page.scope(Audience.OWNER, member)
    own = scope.own(MachineKey(member, machine))
    page.looked(scope, [own.key], "machine")
    return own


def _machine(own: OwnMachine) -> dict[str, Any]:
    now, outlook = own.present, own.outlook
    return {
        "id": f"{own.key.member}.{own.key.machine}",
        "member": own.key.member,
        "machine": own.key.machine,
        "name": own.machine.name,
        "trade": own.machine.trade.value,
        "state": STATES[now.state].value,
        "since": now.since,
        "last_reading": now.last,
        "silent": now.silent,
        "basis": now.basis,
        "power_w": now.power_w,
        "utilisation": outlook.utilisation if outlook else None,
        "utilisation_most": outlook.utilisation_most if outlook else None,
        "utilisation_calendar": outlook.utilisation_calendar if outlook else None,
        "coverage": outlook.coverage if outlook else None,
        "shareable_hours_per_week": outlook.shareable_hours_per_week if outlook else None,
    }


def _offer(row: OfferRow, progress: bool) -> OfferOut:
    return OfferOut(
        id=row.id,
        trade=row.trade.value,
        commune=row.commune,
        mode=row.mode.value,
        kind=row.kind,
        member=row.member,
        machine=row.machine,
        contact=row.contact,
        attributes=row.attributes,
        windows=list(row.windows),
        hours=row.hours,
        since=row.since,
        new=row.new,
        status=row.progress.status if progress else None,
    )
