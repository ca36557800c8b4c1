"""Exact points of a collector's work at which it kills itself (SIGKILL): nothing of Python runs after that."""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from bus.mark import Mark
from bus.presence import Presence
from fleet.batch import ReadingBatch
from ingest import losses
from ingest.forwarder import Forwarder
from ingest.losses import Loss, Losses
from ingest.spool import Spool

Passed = Callable[[], None]
"""Called each time the point is passed."""


def die_at(point: str, on_call: int) -> None:
    """From now on the process ends when it passes ``point`` (a key of :data:`POINTS`) for the ``on_call``-th time."""
    left, lock = on_call, threading.Lock()

    def passed() -> None:
        nonlocal left
        with lock:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    POINTS[point](passed)


def replace(owner: object, name: str, function: Callable[..., Any]) -> None:
    """Put ``function`` in the place of the product's own: of a class, or of a module that has imported it."""
    setattr(owner, name, function)


def _around_commit(before: Passed, after: Passed) -> None:
    commit = Spool.commit

    def committing(self: Spool, *arguments: Any) -> int | None:
        before()
        batch_id = commit(self, *arguments)
        after()
        return batch_id

    replace(Spool, "commit", committing)


def _before_commit(passed: Passed) -> None:
    _around_commit(passed, lambda: None)


def _after_commit(passed: Passed) -> None:
    _around_commit(lambda: None, passed)  # in the spool's thread: the event loop cannot have acknowledged yet


def _before_store(passed: Passed) -> None:
    """A batch goes to the store at the earliest in the turn of the event loop after the one that wrote its PUBACKs."""
    deliver = Forwarder._deliver

    async def delivering(self: Forwarder, ids: list[int], batch: ReadingBatch) -> None:
        passed()
        await deliver(self, ids, batch)

    replace(Forwarder, "_deliver", delivering)


def _inside_batch(passed: Passed) -> None:
    """DuckDB: readings inserted, dirty hours not, nothing committed. InfluxDB: around a member's request."""
    from store import duck
    from store.duck_file import insert_new_readings
    from store.influx_http import InfluxHttp

    post = InfluxHttp._post_lines

    def inserting(*arguments: Any) -> None:
        insert_new_readings(*arguments)
        passed()

    async def posting(self: InfluxHttp, bucket: str, body: bytes) -> None:
        readings = bucket.endswith("-raw")
        if readings:
            passed()
        await post(self, bucket, body)
        if readings:
            passed()

    replace(duck, "insert_new_readings", inserting)
    replace(InfluxHttp, "_post_lines", posting)


def _welcomed(passed: Passed) -> None:
    """The CONNACK is read, and nothing else: neither asked nor subscribed."""
    welcomed = Presence.welcomed

    def welcoming(self: Presence, session_present: bool) -> None:
        passed()
        welcomed(self, session_present)

    replace(Presence, "welcomed", welcoming)


def _asked(passed: Passed) -> None:
    """The broker has taken one filter from the mark of a kept session, which has not got it back."""
    heard = Mark._heard

    def hearing(self: Mark, *arguments: Any) -> None:
        passed()
        heard(self, *arguments)

    replace(Mark, "_heard", hearing)


def _subscribed(passed: Passed) -> None:
    """The devices are subscribed; which session it is may not be known yet."""
    answered = Presence.answered

    def answering(self: Presence) -> None:
        passed()
        answered(self)

    replace(Presence, "answered", answering)


def _around_record(before: Passed, after: Passed) -> None:
    mark, told_when = losses._mark, Losses._told_when

    def marking(*arguments: Any, **more: Any) -> None:
        before()
        mark(*arguments, **more)

    async def telling(self: Losses, recorded: Awaitable[None], new: list[Loss]) -> None:
        await recorded
        after()
        await told_when(self, asyncio.sleep(0), new)

    replace(losses, "_mark", marking)
    replace(Losses, "_told_when", telling)


def _before_record(passed: Passed) -> None:
    """It is known which session it is, and about to be written, with the loss of the one before if there was one."""
    _around_record(passed, lambda: None)


def _after_record(passed: Passed) -> None:
    """It is written and not told."""
    _around_record(lambda: None, passed)


POINTS: Final[Mapping[str, Callable[[Passed], None]]] = {
    "before-commit": _before_commit,
    "after-commit": _after_commit,
    "before-store": _before_store,
    "inside-batch": _inside_batch,
    "welcomed": _welcomed,
    "asked": _asked,
    "subscribed": _subscribed,
    "before-record": _before_record,
    "after-record": _after_record,
}
