"""One batch to the store: again until every row is there or refused for good; how the store answers meanwhile."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from fleet.batch import ReadingBatch
from fleet.clock import now_ms
from ingest.twins import ReadingSink
from store import StoreLost, StoreRefused, StoreRejected, StoreUnavailable

_log = structlog.get_logger(__name__)
_FEWEST_ROWS: Final = 500
"""A write that failed is tried again with half the rows, down to this: a slow store must be able to finish one."""


@dataclass(frozen=True, slots=True)
class Pace:
    """When the forwarder writes and how it waits.

    Attributes:
        rows, linger_s: a write waits for so many rows, but no longer than this.
        memory_rows: as many may wait in memory; beyond, they are read from the spool.
        first_delay_s, longest_delay_s: backoff while the store is unavailable; with jitter.
        refused_delay_s: while a person must act.
        slow_s: a store that owes an answer for so long is said to be away, while the write goes on.
        write_timeout_s: a store that says nothing for so long is unavailable.
    """

    rows: int = 20_000
    linger_s: float = 0.25
    memory_rows: int = 200_000
    first_delay_s: float = 0.2
    longest_delay_s: float = 10.0
    refused_delay_s: float = 15.0
    slow_s: float = 3.0
    write_timeout_s: float = 120.0


@dataclass(slots=True)
class StoreState:
    """How the store answers; ``since`` is epoch ms of the last change of ``ok``."""

    ok: bool = True
    since: int = 0
    error: str | None = None


class Writer:
    """Writes to a store that may be away, slow or refusing.

    Args:
        on_state: told of each change of ``state``.
        on_lost: told in a sentence that the store lost what it had confirmed.

    Attributes:
        state: how the store answers.
    """

    def __init__(
        self, store: ReadingSink, pace: Pace, on_state: Callable[[], None], on_lost: Callable[[str], None]
    ) -> None:
        self.state = StoreState(since=now_ms())
        self._store, self._pace = store, pace
        self._on_state, self._on_lost = on_state, on_lost
        self._rows = pace.rows

    async def write(self, batch: ReadingBatch) -> dict[int, str]:
        """Write every row, as often as it takes; the rows that the store never takes, with the reason."""
        refused: dict[int, str] = {}
        done = failures = 0
        while done < len(batch):
            end = min(done + self._rows, len(batch))
            part = batch if end - done == len(batch) else batch.part(done, end)
            try:
                await self._write(part)
            except StoreRejected as error:
                refused |= {done + row: why for row, why in error.rows.items()}
            except (StoreUnavailable, StoreRefused, TimeoutError) as error:
                failures += 1
                if isinstance(error, StoreLost):
                    self._on_lost(f"{error}: `resilian repush` sends what the spool still keeps of it")
                self._rows = max(_FEWEST_ROWS, len(part) // 2)
                text = str(error) or f"no answer within {self._pace.write_timeout_s:g} s"
                self._store_fails(text, for_a_person=isinstance(error, StoreRefused))
                await self._pause(failures, for_a_person=isinstance(error, StoreRefused))
                continue
            self._store_answers()
            self._rows = min(self._pace.rows, self._rows * 2)
            done, failures = end, 0
        return refused

    async def _write(self, part: ReadingBatch) -> None:
        text = f"has not answered a write for {self._pace.slow_s:g} s"
        slow = asyncio.get_running_loop().call_later(self._pace.slow_s, self._store_fails, text)
        try:
            async with asyncio.timeout(self._pace.write_timeout_s):
                await self._store.write_readings(part)
        finally:
            slow.cancel()

    def _store_fails(self, text: str, for_a_person: bool = False) -> None:
        if not self.state.ok and self.state.error == text:
            return
        since = now_ms() if self.state.ok else self.state.since
        self.state = StoreState(ok=False, since=since, error=text)
        if for_a_person:
            _log.error("the store refuses; readings wait in the spool until someone acts", reason=text)
        else:
            _log.warning("the store is unavailable; readings wait in the spool", reason=text)
        self._on_state()

    async def _pause(self, failures: int, for_a_person: bool) -> None:
        delay = min(self._pace.longest_delay_s, self._pace.first_delay_s * 2 ** min(failures - 1, 16))
        if for_a_person:
            delay = self._pace.refused_delay_s
        await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, no secret

    def _store_answers(self) -> None:
        if not self.state.ok:
            self.state = StoreState(ok=True, since=now_ms())
            _log.info("the store takes readings again")
            self._on_state()
