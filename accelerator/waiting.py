"""Waiting until the worker has derived every reading that the store has, so that a report is of all of them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypedDict

from store import Store

_LOOK_S = 0.5
_STUCK_S = 15.0
"""A worker that has got on with nothing for that long is not running."""


class Pending(TypedDict):
    """What waits for the worker: hours with readings that it has not derived, and a text that changes as it gets on."""

    hours: int
    sign: str


async def pending(store: Store) -> Pending:
    """What the store holds that is not derived yet."""
    documents = await store.read_documents("worker")
    said = json.loads(documents[0].body) if documents else {"watermark_ms": -1}
    # What the worker has seen and not derived may bear the watermark itself: it says how much that is.
    later = {(row.machine, row.hour) for row in await store.read_dirty(int(said["watermark_ms"]) + 1)}
    return {"hours": max(len(later), int(said.get("waiting", 0))), "sign": json.dumps(said)}


async def until_derived(ask: Callable[[], Awaitable[Pending]], patience_s: float) -> int:
    """Ask until nothing waits, the worker no longer gets on, or patience ends; the hours that still wait."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + patience_s
    found = await ask()
    moved = loop.time()
    while found["hours"] and loop.time() < min(ends, moved + _STUCK_S):
        await asyncio.sleep(_LOOK_S)
        before, found = found, await ask()
        if found != before:
            moved = loop.time()
    return found["hours"]
