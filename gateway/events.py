"""``/events``: server-sent events; a live page changes text and ages by them, and asks for a new strip."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from fleet.batch import MachineKey
from fleet.network import Member
from gateway.access import Audience, Hidden, OwnMachine, Scope
from gateway.draw.strip import swatch
from gateway.live import Change, Now
from gateway.offers import OfferRow, without_progress
from gateway.present import told
from gateway.web import Page, Site, page_of
from gateway.words import Words

router = APIRouter(tags=["events"])
HEARTBEAT_S: Final = 15.0
_GATHER_S: Final = 0.2  # a burst of readings of one machine becomes one event
_PLUMBING: Final = frozenset({"rejects", "unclaimed", "session"})
_DEVICES: Final = frozenset({"rejects", "unclaimed"})
_OFFERS_EVERY_S: Final = 3.0

Event = tuple[str, str]


class Voice:
    """What one visitor is told: ``kinds`` of change become an event of that ``name`` without content."""

    every_s = HEARTBEAT_S
    of_documents = False  # whether new documents of the store are a reason to look what has changed

    def __init__(self, name: str = "", kinds: frozenset[str] = frozenset()) -> None:
        self.name, self.kinds = name, kinds

    def of(self, change: Change) -> Event | None:
        """The event that a change is to this visitor; None when it is none."""
        return (self.name, "{}") if change.kind in self.kinds else None

    def beat(self) -> list[Event]:
        """What has changed by time alone, asked at the beginning and at every heartbeat."""
        return []


class OwnerVoice(Voice):
    """The states of the owner's machines, or of ``only`` one; silence changes them, too, and what is derived."""

    of_documents = True

    def __init__(self, scope: Scope, page: Page, only: str) -> None:
        super().__init__()
        self.scope, self.page, self.only = scope, page, only
        self._told: dict[MachineKey, tuple[int, bool]] = {}

    def of(self, change: Change) -> Event | None:
        key = change.key
        if change.kind != "state" or key.member != self.scope.member or (self.only and key.machine != self.only):
            return None
        try:
            return self._state(self.scope.own(key))
        except Hidden:
            return None  # taken out of the registry while the page was open

    def beat(self) -> list[Event]:
        try:
            machines = self.scope.own_machines()
        except Hidden:
            return []
        wanted = [own for own in machines if not self.only or own.key.machine == self.only]
        return [
            self._state(own) for own in wanted if self._told.get(own.key) != (own.present.state, own.present.silent)
        ]

    def _state(self, own: OwnMachine) -> Event:
        now, words = own.present, self.page.words
        self._told[own.key] = (now.state, now.silent)
        said: dict[str, Any] = {
            "machine": f"{own.key.member}.{own.key.machine}",
            "state": told(now, words),
            "chip": str(swatch(now.state, words)),
            "since": words.moment(now.since),
            "at": words.local(now.last).isoformat() if now.last else None,
            "power": words.power(now.power_w) if now.power_w is not None else None,
            "power_at": _local(self.scope.live.machines.get(own.key), words),
            "silent": now.silent and not now.arriving,
        }
        return "state", json.dumps(said, ensure_ascii=False)


class ConnectVoice(OwnerVoice):
    """The states of the owner's machines, and that its devices without a machine, or its inventory, have changed."""

    def __init__(self, scope: Scope, page: Page) -> None:
        super().__init__(scope, page, "")
        self._inventory = self._read()

    def of(self, change: Change) -> Event | None:
        if change.kind == "registry":
            before, self._inventory = self._inventory, self._read()
            return None if before == self._inventory else ("devices", "{}")  # when others change theirs is not told
        if change.kind in _DEVICES and change.key.member == self.scope.member:
            return "devices", "{}"
        return super().of(change)

    def _read(self) -> Member | None:
        return self.scope.picture.registry.members.get(self.scope.member)


class OffersVoice(Voice):
    """That the offers shown to this visitor are others than before; nothing of what happens elsewhere.

    They are compared by the clock alone: neither an event nor its time depends on what this visitor may not see.
    """

    every_s = _OFFERS_EVERY_S

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope
        self._told = self._shown()

    def beat(self) -> list[Event]:
        before, self._told = self._told, self._shown()
        return [] if before == self._told else [("offers", "{}")]

    def _shown(self) -> list[OfferRow]:
        rows = self.scope.offers()
        return rows if self.scope.audience is Audience.COORDINATOR else [without_progress(row) for row in rows]


def _local(heard: Now | None, words: Words) -> str | None:
    if heard is None or heard.power_at is None:
        return None
    return words.local(datetime.fromtimestamp(heard.power_at / 1000, UTC)).isoformat()


@router.get("/events", response_class=StreamingResponse)
async def events(
    page: Annotated[Page, Depends(page_of)],
    machine: Annotated[str, Query(description="member.machine: its live state, for its owner")] = "",
    member: Annotated[str, Query(description="all machines of the member, for the owner")] = "",
    connect: Annotated[str, Query(description="the member's devices without a machine and its machines, live")] = "",
    offers: Annotated[bool, Query(description="when the offers shown to this visitor change")] = False,
    network: Annotated[bool, Query(description="when the plumbing changes, for the operator")] = False,
) -> StreamingResponse:
    """``state``, ``devices``, ``offers`` and ``network`` events until the visitor leaves or the gateway stops."""
    voice = _connect_voice(page, connect) if connect else _voice(page, machine, member, offers, network)
    headers = {"X-Accel-Buffering": "no"}
    return StreamingResponse(_stream(page.request, page.site, voice), media_type="text/event-stream", headers=headers)


def _connect_voice(page: Page, member: str) -> Voice:
    """What to tell the plant engineer of a member.

    Raises:
        Hidden: not for this visitor.
    """
    scope = page.scope(Audience.OWNER, member)
    scope.own_machines()  # hidden here, before the stream begins
    return ConnectVoice(scope, page)


def _voice(page: Page, machine: str, member: str, offers: bool, network: bool) -> Voice:
    """What to tell this visitor.

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
        return OwnerVoice(scope, page, name)
    if network:
        page.scope(Audience.OPERATOR)
        return Voice("network", _PLUMBING)
    if offers:
        return OffersVoice(page.offers_scope())
    raise Hidden("events")


async def _stream(request: Request, site: Site, voice: Voice) -> AsyncIterator[str]:
    site.metrics.streams.inc()
    try:
        async with site.live.changes() as queue:
            yield "retry: 2000\n\n"
            told, beat_at = voice.beat(), time.monotonic() + voice.every_s
            while not site.stop.is_set():
                for name, data in dict.fromkeys(told):
                    yield f"event: {name}\ndata: {data}\n\n"
                pending = await _gather(queue, site.stop, beat_at - time.monotonic())
                told = [event for change in pending if (event := voice.of(change)) is not None]
                if voice.of_documents and any(change.kind == "picture" for change in pending):
                    told += voice.beat()
                if time.monotonic() >= beat_at:
                    if await request.is_disconnected():
                        return
                    yield ": still here\n\n"
                    told, beat_at = told + voice.beat(), time.monotonic() + voice.every_s
    finally:
        site.metrics.streams.dec()


async def _gather(queue: asyncio.Queue[Change], stop: asyncio.Event, longest_s: float) -> list[Change]:
    """The changes of one moment, each once; empty after ``longest_s`` without any, or at the stop."""
    first, stopped = asyncio.ensure_future(queue.get()), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({first, stopped}, timeout=max(0.0, longest_s), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        arrived = first.done() or not first.cancel()
    if not arrived:
        return []
    changes = {first.result(): None}
    await asyncio.sleep(_GATHER_S)
    while not queue.empty():
        changes[queue.get_nowait()] = None
    return list(changes)
