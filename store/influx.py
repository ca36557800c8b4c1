"""InfluxDB 2: two buckets a member, ``<member>-raw`` and ``<member>-derived``, and ``network.derived`` for the rest.

Retention and permissions stop at the bucket, hence one pair a member. Lines are written by code of our own and read as
InfluxQL's CSV; influxdb-client makes and lengthens buckets and deletes. The token must be allowed to read and write
buckets and DBRP mappings and to read its organisation.

Writing a reading again replaces its arrival time by the newer one; that is outside a reading's equality.
"""

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import numpy as np

from fleet.batch import MachineKey, ReadingBatch, empty_rows
from fleet.records import Document, HourBucket
from store import columns as shared
from store import influx_lines as lines
from store import influx_ql as ql
from store.base import DirtyHour, StoreLost, StoreRefused, StoreRejected, StoreUnavailable
from store.influx_admin import InfluxAdmin
from store.influx_http import BucketMissing, InfluxHttp

T = TypeVar("T")

NETWORK: Final = "network.derived"
"""Bucket of the dirty hours of all members and of the network's own documents; a slug has no dot, so no member's."""
RAW: Final = "-raw"
DERIVED: Final = "-derived"
KINDS: Final = "kind,machine,member"
LINES_AT_ONCE: Final = 20_000
"""Of one request at most."""
DAY_NS: Final = 86_400 * 10**9


class InfluxStore:
    """Keeps :class:`store.base.Store` on InfluxDB 2.

    Args:
        address: ``http://host:port``.
        retention: days that a member's readings are kept, 0 for ever; for ever when None.
        timeout_s: for one request; after it the outcome is unknown and the caller repeats.
        compress: gzip what is written; None: unless the server is on this machine.
    """

    def __init__(
        self,
        address: str,
        org: str,
        token: str,
        retention: Callable[[str], int] | None = None,
        *,
        timeout_s: float = 30.0,
        compress: bool | None = None,
    ) -> None:
        compress = not _is_loopback(address) if compress is None else compress
        self.address = address
        self._org = org
        self._http = InfluxHttp(address, org, token, timeout_s=timeout_s, compress=compress)
        self._admin = InfluxAdmin(address, org, token, timeout_s)
        self._retention = retention or (lambda member: 0)
        self._clock = shared.ArrivalClock()
        self._kept_days: dict[str, float] = {}

    async def open(self) -> None:
        buckets = await asyncio.to_thread(self._admin.buckets)
        await self._make(NETWORK)
        if not {*buckets, NETWORK} <= await self._databases():
            raise StoreRefused(
                f"store {self.address}: the token does not belong to the organisation {self._org!r}, and InfluxQL "
                "asks the token's own whatever is named; make a token in that organisation"
            )

    async def close(self) -> None:
        await self._http.close()
        await asyncio.to_thread(self._admin.close)

    async def write_readings(self, batch: ReadingBatch) -> None:
        refused = shared.refused_rows(batch)
        if refused:
            batch, whole = shared.without_rows(batch, refused)
        else:
            whole = np.arange(len(batch), dtype=np.intp)
        too_old = await self._outside_retention(batch)
        if too_old:
            refused |= {int(whole[row]): why for row, why in too_old.items()}
            batch, left = shared.without_rows(batch, too_old)
            whole = whole[left]
        blocks = lines.reading_lines(batch, LINES_AT_ONCE)
        answers = await _all(self._write_block(block) for block in blocks)
        for block, answer in zip(blocks, answers, strict=True):
            refused |= {int(whole[block.rows[line]]): why for line, why in answer.items()}
        if len(batch):
            await self._write_whole(NETWORK, lines.dirty_lines(batch, self._clock.stamp()))
        if refused:
            raise StoreRejected(refused)

    async def _outside_retention(self, batch: ReadingBatch) -> dict[int, str]:
        """Rows that the server would refuse for their age: told apart here, it takes one request and not hundreds."""
        members = sorted({key.member for key in batch.machines})
        days = dict(zip(members, await _all(self._make(member + RAW) for member in members), strict=True))
        now = time.time_ns()
        oldest = [now - days[key.member] * DAY_NS if days[key.member] else -(2**63) for key in batch.machines]
        rows = batch.rows
        old = np.flatnonzero(rows["at_ns"] < np.array(oldest, dtype=np.int64)[rows["machine"]])
        members_of = {int(row): batch.machines[rows["machine"][row]].member for row in old}
        return {
            row: f"older than the {days[member]:g} days that readings of {member} are kept"
            for row, member in members_of.items()
        }

    async def read_readings(self, machines: Sequence[MachineKey], start_ms: int, end_ms: int) -> ReadingBatch:
        start, end = shared.key_range(start_ms, end_ms)
        return await self._select_readings(tuple(dict.fromkeys(machines)), f"time >= {start} AND time < {end}")

    async def last_reading(self, machine: MachineKey, before_ms: int) -> ReadingBatch:
        end = shared.key_range(0, before_ms)[1]
        return await self._select_readings((machine,), f"time < {end}", " ORDER BY time DESC LIMIT 1")

    async def _select_readings(self, machines: tuple[MachineKey, ...], times: str, order: str = "") -> ReadingBatch:
        sources = await self._sources("readings", {key.member + RAW for key in machines})
        where = f"{times}{ql.among(machines)}"
        columns = await self._http.query(ql.select(map(ql.named, lines.READING_FIELDS), sources, where) + order)
        if not columns:
            return ReadingBatch(machines, empty_rows(0))
        return await asyncio.to_thread(lines.readings_of, machines, columns)  # a microsecond a row: not in the loop

    async def known_machines(self) -> list[MachineKey]:
        columns = await self._http.query(ql.select(["last(arrived)"], await self._all_sources("readings")))
        return sorted(map(lines.machine_of, columns.get("tags", ())))

    async def count_readings(self) -> dict[MachineKey, int]:
        columns = await self._http.query(ql.select(["count(arrived)"], await self._all_sources("readings")))
        counts = zip(columns.get("tags", ()), columns.get("count", ()), strict=True)
        return dict(sorted((lines.machine_of(tags), int(count)) for tags, count in counts))

    async def read_dirty(self, since_ms: int) -> list[DirtyHour]:
        where = f"time >= {lines.dirty_since_ns(since_ms)} AND arrived >= {since_ms}"
        columns = await self._http.query(ql.select(['"hour"', "arrived"], ql.source(NETWORK, "dirty"), where))
        return lines.dirty_of(columns) if columns else []

    async def write_hours(self, hours: Iterable[HourBucket]) -> None:
        members: dict[str, list[HourBucket]] = {}
        for bucket in shared.distinct_hours(hours):
            members.setdefault(bucket.member, []).append(bucket)
        await _all(
            self._write_whole(member + DERIVED, lines.hour_lines(buckets), 5_000) for member, buckets in members.items()
        )

    async def read_hours(self, machines: Sequence[MachineKey] | None, start: int, end: int) -> list[HourBucket]:
        if machines is None:
            sources = await self._all_sources("hours")
        else:
            sources = await self._sources("hours", {key.member + DERIVED for key in machines})
        first, after = shared.key_range(start * 1000, end * 1000)
        where = f"time >= {first} AND time < {after}{ql.among(machines or ())}"
        columns = await self._http.query(ql.select(map(ql.named, lines.HOUR_FIELDS), sources, where))
        return await asyncio.to_thread(lines.hours_of, columns, machines) if columns else []

    async def write_documents(self, documents: Iterable[Document]) -> None:
        buckets: dict[str, list[Document]] = {}
        for document in shared.newest(documents).values():
            buckets.setdefault(_bucket_of(document.member), []).append(document)
        await _all(self._write_newest(bucket, found) for bucket, found in buckets.items())

    async def _write_newest(self, bucket: str, documents: Sequence[Document]) -> None:
        sources = await self._sources("documents", {bucket})
        columns = await self._http.query(ql.select(['"at"'], sources, group_by=KINDS))
        made = dict(zip(columns.get("tags", ()), map(int, columns.get("at", ())), strict=True))
        newer = [document for document in documents if made.get(lines.document_tags(document), -(2**63)) <= document.at]
        await self._write_whole(bucket, [lines.document_line(document) for document in newer], 200)

    async def read_documents(self, kind: str, member: str | None = None) -> list[Document]:
        if member is None:
            sources = await self._all_sources("documents")
        else:
            sources = await self._sources("documents", {_bucket_of(member)})
        columns = await self._http.query(ql.select(['"at"', "body"], sources, ql.of_kind(kind), group_by=KINDS))
        found = lines.documents_of(columns) if columns else []
        return [document for document in found if member is None or document.member == member]

    async def forget(self, member: str, machine: str, before_ms: int) -> int:
        if member + RAW in await self._databases():
            predicate = f'_measurement="readings" AND machine="{machine}"'
            await asyncio.to_thread(self._admin.delete, member + RAW, before_ms, predicate)
        return -1

    async def _write_block(self, block: lines.Block) -> dict[int, str]:
        bucket = block.member + RAW
        return await self._written(bucket, lambda: self._http.write_text(bucket, block.text))

    async def _written(self, bucket: str, write: Callable[[], Awaitable[dict[int, str]]]) -> dict[int, str]:
        """What ``write`` answers, the bucket being there."""
        await self._make(bucket)
        try:
            return await write()
        except BucketMissing as error:
            self._kept_days.pop(bucket, None)
            await self._make(bucket)
            text = f"store {self.address}: bucket {bucket} is gone with all that was in it, and was made again"
            raise StoreLost(text) from error

    async def _write_whole(self, bucket: str, texts: Sequence[str], at_once: int = LINES_AT_ONCE) -> None:
        refused = await self._written(bucket, lambda: self._http.write(bucket, texts, at_once))
        if refused:
            raise StoreRefused(
                f"store {self.address}: bucket {bucket} takes no such lines: {next(iter(refused.values()))}"
            )

    async def _make(self, bucket: str) -> float:
        """Days that points of the bucket are kept, 0 for ever; it is made when it is not there."""
        if bucket not in self._kept_days:
            days = self._retention(bucket.removesuffix(RAW)) if bucket.endswith(RAW) else 0
            self._kept_days[bucket] = await asyncio.to_thread(self._admin.make_bucket, bucket, days)
        return self._kept_days[bucket]

    async def _databases(self) -> frozenset[str]:
        await self._http.query("")
        return self._http.databases

    async def _sources(self, measurement: str, buckets: set[str]) -> str:
        """What follows FROM: those of the buckets that are there; one that never has a row when none is."""
        if not buckets <= self._http.databases:
            await self._databases()
        there = sorted(buckets & self._http.databases)
        return ",".join(ql.source(name, measurement) for name in there) or ql.source(NETWORK, "nothing")

    async def _all_sources(self, measurement: str) -> str:
        suffix = RAW if measurement == "readings" else DERIVED
        databases = await self._databases()
        return await self._sources(measurement, {name for name in databases if name.endswith(suffix)} | {NETWORK})


async def _all(requests: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results in order; when some failed, after all have ended, the error that needs a person before the others."""
    answers = await asyncio.gather(*requests, return_exceptions=True)
    errors = [answer for answer in answers if isinstance(answer, BaseException)]
    for error in sorted(errors, key=lambda error: isinstance(error, StoreUnavailable)):
        raise error
    return [answer for answer in answers if not isinstance(answer, BaseException)]


def _bucket_of(member: str) -> str:
    return member + DERIVED if member else NETWORK


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
