"""Who looked at a machine: roles and recipients, never people. The owner reads it on the machine's page.

Looks are kept in memory and written in batches: at most one write a minute for a machine, and a last one at the stop.
"""

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from fleet.batch import MachineKey
from fleet.records import Document
from store.base import Store, StoreError

log: Final = logging.getLogger(__name__)
KIND: Final = "looked"
EVERY_S: Final = 60.0
_KEPT: Final = 50
_ONE_LOOK: Final = timedelta(minutes=10)
_PATIENCE_S: Final = 5.0

What = Literal["machine", "offer"]


class Look(BaseModel):
    """One look; the same role again within ten minutes is the same look.

    Attributes:
        role: ``owner``, ``coordinator``, ``network`` (the committee's edition) or ``member:<slug>``.
        what: the machine's own page or data, or the offer made of it.
        free: without an account or a role, from the server itself: then ``role`` is whom the page is for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime
    role: str
    what: What
    free: bool = False


class Looked(BaseModel):
    """The document of kind ``looked``: the last looks, oldest first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    looks: tuple[Look, ...] = ()


class Looks:
    """The looks at all machines. ``woken`` is set while some are not written."""

    def __init__(self, store: Store, now: Callable[[], datetime]) -> None:
        self.store = store
        self.now = now
        self.woken = asyncio.Event()
        self._looks: dict[MachineKey, deque[Look]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._unwritten: set[MachineKey] = set()
        self._loaded = False

    def note(self, keys: Iterable[MachineKey], role: str, what: What, *, free: bool = False) -> None:
        """Somebody of that role looks at these machines now."""
        look = Look(at=self.now(), role=role, what=what, free=free)
        for key in keys:
            if not any(_same(look, earlier) for earlier in self._looks[key]):
                self._looks[key].append(look)
                self._unwritten.add(key)
                self.woken.set()

    def of(self, key: MachineKey) -> list[Look]:
        """The looks at one machine, newest first."""
        return list(reversed(self._looks[key])) if key in self._looks else []

    async def keep(self, stop: asyncio.Event) -> None:
        """Write what is noted until the stop, once a minute at most; while the store is away it is tried again."""
        await self._try(self._load)
        while not stop.is_set():
            await _first(self.woken, stop)
            await self._try(self.flush)
            await _within(stop, EVERY_S)

    async def flush(self) -> None:
        """Write what is not written.

        Raises:
            StoreError, TimeoutError: it is not; nothing is forgotten.
        """
        await self._load()
        keys, at = list(self._unwritten), int(self.now().timestamp() * 1000)
        if keys:
            self.woken.clear()
            self._unwritten.clear()
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    await self.store.write_documents([self._document(key, at) for key in keys])
            except BaseException:
                self._unwritten.update(keys)
                self.woken.set()
                raise

    async def finish(self) -> None:
        """The last write, at the stop; a store that is away then loses the looks of the last minute, and it is said."""
        await self._try(self.flush)

    async def _load(self) -> None:
        if self._loaded:
            return
        async with asyncio.timeout(_PATIENCE_S):
            documents = await self.store.read_documents(KIND)
        for document in documents:
            key = MachineKey(document.member, document.machine)
            try:
                kept = Looked.model_validate_json(document.body)
            except ValidationError:
                log.warning("looked of %s.%s cannot be read and begins anew", *key)
                continue
            self._looks[key] = deque([*kept.looks, *self._looks.get(key, ())], maxlen=_KEPT)
        self._loaded = True

    def _document(self, key: MachineKey, at: int) -> Document:
        body = Looked(looks=tuple(self._looks[key])).model_dump_json()
        return Document(member=key.member, machine=key.machine, kind=KIND, at=at, body=body)

    async def _try(self, write: Callable[[], Awaitable[None]]) -> None:
        try:
            await write()
        except (StoreError, TimeoutError) as error:
            log.warning("looks are not written yet: %s", str(error) or type(error).__name__)


def _same(look: Look, earlier: Look) -> bool:
    return (look.role, look.what, look.free) == (earlier.role, earlier.what, earlier.free) and (
        look.at - earlier.at < _ONE_LOOK
    )


async def _first(one: asyncio.Event, other: asyncio.Event) -> None:
    waiting = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


async def _within(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
