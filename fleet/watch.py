"""Follows the registry's files while a program runs, by the kernel's file events."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from watchfiles import Change, awatch

if TYPE_CHECKING:
    from fleet.registry import Registry

_DEBOUNCE_MS: Final = 400  # longest gathering of events: an editor's save is several of them
_STEP_MS: Final = 50  # quiet that ends the gathering sooner


class Watcher:
    """The registry as it is, and each change of it.

    Attributes:
        current: the newest registry; replaced as a whole, so it may be read at any time.

    Raises:
        fleet.registry.RegistryMissing: on construction, when there is no network.
    """

    def __init__(self, folder: Path | str) -> None:
        from fleet.registry import load  # the registry re-exports this class: imported late, or the two form a ring

        self._load = load
        self.folder = Path(folder)
        self.current: Registry = load(self.folder)

    async def changes(self, stop: asyncio.Event) -> AsyncGenerator["Registry", None]:
        """Each new registry whose content or problems differ from the last, until ``stop`` is set.

        The first one may come at once: a change between construction and this call is not missed.
        """
        ended = asyncio.Event()  # awatch sets the event it is given when it is cancelled: never the program's own
        relay = asyncio.create_task(_relay(stop, ended))
        events = awatch(self.folder, watch_filter=_is_registry, debounce=_DEBOUNCE_MS, step=_STEP_MS, stop_event=ended)
        coming = asyncio.ensure_future(anext(events, None))
        try:
            await asyncio.sleep(0)  # lets awatch take its place at the kernel before the files are read again
            while not ended.is_set():
                if await self._reload():
                    yield self.current
                if await coming is None:
                    return
                coming = asyncio.ensure_future(anext(events, None))
        finally:
            ended.set()
            relay.cancel()
            await asyncio.gather(coming, relay, return_exceptions=True)
            await events.aclose()

    async def _reload(self) -> bool:
        """Read the files again; whether anything differs."""
        before = self.current
        self.current = await asyncio.to_thread(self._load, self.folder, before)
        return (before.digest, before.problems) != (self.current.digest, self.current.problems)


async def _relay(stop: asyncio.Event, ended: asyncio.Event) -> None:
    await stop.wait()
    ended.set()


def _is_registry(_: Change, path: str) -> bool:
    name = Path(path).name
    return not name.startswith(".") and (name.endswith(".toml") or name == "members")
