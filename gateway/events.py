"""``/events``: server-sent events; a live page changes text and ages by them, and asks for a new strip."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from fleet.batch import MachineKey
from gateway.access import Audience, Hidden, Scope
from gateway.draw.strip import swatch
from gateway.live import Change
from gateway.web import Page, Site, page_of

router = APIRouter(tags=["events"])
HEARTBEAT_S: Final = 15.0
_GATHER_S: Final = 0.2  # a burst of readings of one machine becomes one event
_PLUMBING: Final = frozenset({"health", "rejects", "unclaimed", "session"})

Say = Callable[[Change], tuple[str, str] | None]


@router.get("/events", response_class=StreamingResponse)
async def events(
    page: Annotated[Page, Depends(page_of)],
    machine: Annotated[str, Query(description="member.machine: its live state, for its owner")] = "",
    member: Annotated[str, Query(description="all machines of the member, for the owner")] = "",
    offers: Annotated[bool, Query(description="when offers change")] = False,
    network: Annotated[bool, Query(description="when the plumbing changes, for the operator")] = False,
) -> StreamingResponse:
    """A stream of ``state``, ``offers`` and ``network`` events until the visitor leaves or the gateway stops."""
    say = _speaker(page, machine, member, offers, network)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(page.request, page.site, say), media_type="text/event-stream", headers=headers)


def _speaker(page: Page, machine: str, member: str, offers: bool, network: bool) -> Say:
    """What to tell this visitor of a change.

    Raises:
        Hidden: nothing was asked for, or not for this visitor.
    """
    if machine or member:
        owner, _, name = machine.partition(".")
        scope = page.scope(Audience.OWNER, member or owner)
        if machine:
            scope.own(MachineKey(owner, name))  # hidden here, before the stream begins
        else:
            scope.own_machines()
        return lambda change: _state(change, scope, page, name)
    if network:
        page.scope(Audience.OPERATOR)
        return lambda change: ("network", "{}") if change.kind in _PLUMBING else None
    if offers:
        return lambda change: ("offers", "{}") if change.kind in ("finding", "registry") else None
    raise Hidden("events")


def _state(change: Change, scope: Scope, page: Page, only: str) -> tuple[str, str] | None:
    key = change.key
    if change.kind not in ("state", "picture") or key.member != scope.member or (only and key.machine != only):
        return None
    try:
        own = scope.own(key)
    except Hidden:
        return None
    now, words = own.present, page.words
    said: dict[str, Any] = {
        "machine": f"{key.member}.{key.machine}",
        "state": words.state(now.state, now.basis),
        "chip": str(swatch(now.state, words)),
        "since": words.moment(now.since),
        "at": words.local(now.last).isoformat() if now.last else None,
        "age": words.ago(now.last, scope.picture.now()),
        "power": words.power(now.power_w) if now.power_w is not None else None,
        "silent": now.silent,
    }
    return "state", json.dumps(said, ensure_ascii=False)


async def _stream(request: Request, site: Site, say: Say) -> AsyncIterator[str]:
    site.metrics.streams.inc()
    try:
        async with site.live.changes() as queue:
            yield "retry: 2000\n\n"
            while not site.stop.is_set():
                pending = await _gather(queue, site.stop)
                if not pending and await request.is_disconnected():
                    return
                told = [said for change in pending if (said := say(change)) is not None]
                for name, data in dict.fromkeys(told):
                    yield f"event: {name}\ndata: {data}\n\n"
                if not told:
                    yield ": still here\n\n"
    finally:
        site.metrics.streams.dec()


async def _gather(queue: asyncio.Queue[Change], stop: asyncio.Event) -> list[Change]:
    """The changes of one moment, each once; empty after a heartbeat without any, or at the stop."""
    first, stopped = asyncio.ensure_future(queue.get()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({first, stopped}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        arrived = first.done() or not first.cancel()
    if not arrived:
        return []
    changes = {first.result(): None}
    await asyncio.sleep(_GATHER_S)
    await asyncio.sleep(_GATHER_S)
    while not queue.empty():
        changes[queue.get_nowait()] = None
    return list(changes)
