"""What the store and the registry say, in memory: pages are drawn from here and never wait for the store.

Refreshed when something happens (a finding, a health message, a change of the registry), not by a clock.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError

from fleet import clock
from fleet.batch import MachineKey
from fleet.records import Document, Finding, Outlook
from fleet.registry import Registry
from gateway import daily, publish
from gateway import need as needs
from gateway.daily import Feeds
from gateway.need import Need
from gateway.publish import Published
from store.base import Store, StoreError

log: Final = logging.getLogger(__name__)
OFFER_KIND: Final = "offer"
STORE_PATIENCE_S: Final = 5.0
_NETWORK: Final = MachineKey("", "")

Body = TypeVar("Body", bound=BaseModel)

Status = Literal["to-call", "talking", "refused", "reserved", "done"]


class Progress(BaseModel):
    """The document of kind ``offer``: how far the coordinator is with an offer; days are ISO dates or empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: Status = "to-call"
    next_action: str = ""
    last_contact: str = ""
    job_day: str = ""


class Picture:
    """Newest documents by machine.

    Attributes:
        loaded: whether the store has answered once.
        error: why the store does not answer now, None when it does; ``since`` is when that began.
    """

    def __init__(self, store: Store, registry: Registry, now: Callable[[], datetime] = clock.now) -> None:
        self.store = store
        self.registry = registry
        self.now = now
        self.outlooks: dict[MachineKey, Outlook] = {}
        self.findings: dict[MachineKey, dict[str, Finding]] = {}
        self.progress: dict[MachineKey, Progress] = {}
        self.published: dict[MachineKey, Published] = {}
        self.needs: dict[str, Need] = {}
        self.feeds: Feeds | None = None
        self.loaded = False
        self.error: str | None = None
        self.since: datetime | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def zone(self) -> ZoneInfo:
        """The network's time zone: every page's clock."""
        return ZoneInfo(self.registry.network.timezone)

    async def refresh(self) -> bool:
        """Read all documents again; False, and the picture as it was, when the store does not answer."""
        async with self._one_at_a_time:
            try:
                async with asyncio.timeout(STORE_PATIENCE_S):
                    await self._read()
            except (StoreError, TimeoutError) as error:
                self.failed(error)
                return False
            self.answered()
            self.loaded = True
            return True

    async def probe(self) -> None:
        """Ask the store for something small, so that :attr:`error` tells of this moment."""
        try:
            async with asyncio.timeout(STORE_PATIENCE_S):
                await self.store.read_documents("worker")
        except (StoreError, TimeoutError) as error:
            self.failed(error)
        else:
            self.answered()

    def failed(self, error: BaseException) -> None:
        """The store did not answer: say so on every page."""
        reason = str(error) or f"no answer within {STORE_PATIENCE_S:.0f} s"
        if self.error is None:
            self.since = self.now()
            log.warning("the store does not answer: %s", reason)
        self.error = reason

    def answered(self) -> None:
        """The store answered."""
        if self.error is not None:
            log.warning("the store answers again")
        self.error = self.since = None

    async def set_progress(self, key: MachineKey, progress: Progress) -> None:
        """Keep how far the coordinator is with an offer.

        Raises:
            StoreError: it could not be kept; nothing has changed.
        """
        async with self._one_at_a_time:  # a refresh under way would bring back what was read before
            await self.store.write_documents([_document(key, OFFER_KIND, progress, self.now())])
            self.progress[key] = progress

    async def set_need(self, need: Need) -> None:
        """Keep a need, new or changed.

        Raises:
            StoreError: it could not be kept; nothing has changed.
        """
        key = MachineKey("", needs.PREFIX + need.id)
        async with self._one_at_a_time:
            await self.store.write_documents([_document(key, needs.KIND, need, self.now())])
            self.needs[need.id] = need

    async def _read(self) -> None:
        outlooks = _parsed(Outlook, await self.store.read_documents("outlook"))
        findings: dict[MachineKey, dict[str, Finding]] = defaultdict(dict)
        for (key, kind), finding in _parsed(Finding, await self.store.read_documents("finding")).items():
            findings[key][kind.partition("/")[2]] = finding
        progress = _parsed(Progress, await self.store.read_documents(OFFER_KIND))
        published = _parsed(Published, await self.store.read_documents(publish.KIND))
        wanted = _parsed(Need, await self.store.read_documents(needs.KIND))
        current = {key: outlook for (key, _), outlook in outlooks.items()}
        told = {key: document for (key, _), document in published.items()}
        told |= await self._publish_today(current, told)
        feeds = await self._feeds_today(current)
        # all at once: no page sees new outlooks beside old windows
        self.outlooks, self.published, self.findings, self.feeds = current, told, dict(findings), feeds
        self.progress = {key: document for (key, _), document in progress.items()}
        self.needs = {need.id: need for need in wanted.values()}

    async def _publish_today(
        self, outlooks: Mapping[MachineKey, Outlook], told: Mapping[MachineKey, Published]
    ) -> dict[MachineKey, Published]:
        """What others read of the coming weeks is made once a day, at or after 06:00, and again for late history."""
        today = publish.publishing_day(self.now(), self.zone)
        fresh: dict[MachineKey, Published] = {}
        for key, outlook in outlooks.items():
            known = told.get(key)
            if self._offered(key) and publish.is_due(known, outlook, today):
                fresh[key] = publish.publish(outlook, today, self.zone, known.since if known else None)
        if fresh:
            at = self.now()
            await self.store.write_documents(_document(key, publish.KIND, body, at) for key, body in fresh.items())
        return fresh

    async def _feeds_today(self, outlooks: Mapping[MachineKey, Outlook]) -> Feeds:
        known = _parsed(Feeds, await self.store.read_documents(daily.KIND)).get((_NETWORK, daily.KIND))
        now = self.now()
        feeds = daily.renew(known, outlooks, now, publish.publishing_day(now, self.zone))
        if feeds.heard and feeds != known:
            await self.store.write_documents([_document(_NETWORK, daily.KIND, feeds, now)])
        return feeds

    def _offered(self, key: MachineKey) -> bool:
        machine = self.registry.machine(key)
        return machine is not None and machine.offer is not None


def _parsed(model: type[Body], documents: Iterable[Document]) -> dict[tuple[MachineKey, str], Body]:
    """Bodies by machine and kind; one that this program cannot read is left out and said."""
    parsed: dict[tuple[MachineKey, str], Body] = {}
    for document in documents:
        key = MachineKey(document.member, document.machine)
        try:
            parsed[key, document.kind] = model.model_validate_json(document.body)
        except ValidationError as error:
            log.warning(
                "%s of %s.%s cannot be read: %s", document.kind, *key, error.errors(include_url=False)[0]["msg"]
            )
    return parsed


def _document(key: MachineKey, kind: str, body: BaseModel, at: datetime) -> Document:
    return Document(
        member=key.member, machine=key.machine, kind=kind, at=int(at.timestamp() * 1000), body=body.model_dump_json()
    )
