"""``/healthz``, ``/readyz``, ``/metrics``: for machines that watch this one."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict

from fleet.topics import is_collector
from gateway import status
from gateway.problems import STORE_AWAY
from gateway.web import Site, site_of, told_causes

router = APIRouter(tags=["plumbing"])
_TOLD = (
    *("lag_ms", "rate", "spool_bytes", "spool_readings", "received", "stored", "rejected", "unclaimed", "dirty"),
    *("claims", "damages", "broker_dropped", "spool_quota_bytes", "spool_full_in_s"),
)


class Alive(BaseModel):
    """The process answers."""

    model_config = ConfigDict(extra="forbid")

    status: str = "ok"


class Ready(BaseModel):
    """Whether pages show the present; ``reasons`` says why not."""

    model_config = ConfigDict(extra="forbid")

    ready: bool
    store: bool
    broker: bool
    since: datetime | None = None
    reasons: list[str] = []


@router.get("/healthz")
async def healthz() -> Alive:
    """200 as long as the process answers."""
    return Alive()


@router.get("/readyz", responses={503: {"model": Ready}})
async def readyz(request: Request, site: Annotated[Site, Depends(site_of)]) -> Response:
    """200 when store and broker answer, 503 otherwise; why, in their own words, is the operator's alone."""
    await site.picture.probe()
    reasons, causes = [], told_causes(request)
    if site.picture.error is not None:
        reasons.append(f"store: {site.picture.error if causes else STORE_AWAY}")
    if not site.connected:
        reasons.append(f"broker: {site.broker_reason if causes and site.broker_reason else 'not connected'}")
    ready = Ready(
        ready=not reasons,
        store=site.picture.error is None,
        broker=site.connected,
        since=site.picture.since.astimezone(UTC) if site.picture.since else None,
        reasons=reasons,
    )
    return JSONResponse(ready.model_dump(mode="json"), status_code=200 if ready.ready else 503)


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(site: Annotated[Site, Depends(site_of)]) -> Response:
    """Figures in the exposition format of Prometheus; plumbing only."""
    own = site.metrics
    own.connected.set(site.connected)
    own.store.set(site.picture.error is None)
    own.malformed.set(site.live.malformed)
    now = site.picture.now()
    for name, health in site.live.health.items():
        own.alive.labels(name).set(status.alive(health, now))
        own.figures.labels(name, "errors").set(len(health.errors))
        if is_collector(name):
            own.figures.labels(name, "missing").set(health.gaps.missing)
        for figure in _TOLD:
            if (value := health.figure(figure)) is not None:
                own.figures.labels(name, figure).set(value)
    return Response(own.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
