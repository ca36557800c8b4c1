"""HTTP towards InfluxDB 2: one way in for lines, one way out for InfluxQL, and what each answer means to the caller.

| answer | means |
|---|---|
| 204 | durable |
| 422, every line dropped | none is in, all for the reason it names |
| 400, 422 | some line is bad, some others may be in: parted until bad ones stand alone and all others got a 204 |
| 413 | too much at once: halved |
| 401, 403, 404 without a bucket's name | a person must act |
| 404 with a bucket's name | the bucket is to be made |
| 429, 503 | again later, not before ``Retry-After`` |
| anything else, a timeout, a lost connection | again later |
"""

import asyncio
import csv
import io
import itertools
import json
import re
import time
import zlib
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp
from yarl import URL

from store.base import StoreRefused, StoreUnavailable
from store.influx_lines import Columns

_AT_ONCE: Final = 8
"""Requests under way; the server takes half a millisecond of a core for each."""
_LONGEST_QUIET_S: Final = 300.0
_PARSED_INLINE: Final = 100_000
_SENTINEL: Final = "SHOW DATABASES"
"""Sent after each query: a statement that fails gives nothing at all as CSV, and what follows it is left out too."""


class BucketMissing(Exception):
    """The bucket that was written to is not there."""


class _Unacceptable(Exception):
    """The lines cannot be taken as they are: part them, and refuse one that stands alone."""

    def __init__(self, message: str) -> None:
        super().__init__(re.sub(r" dropped=\d+$", "", message))
        dropped = re.search(r"dropped=(\d+)$", message)
        self.dropped = int(dropped[1]) if dropped else 0
        conflict = re.search(r'field type conflict: input field "(.+?)" on measurement', message)
        self.field = conflict[1] if conflict else ""


class InfluxHttp:
    """Keep-alive connections to one server, with one token.

    Args:
        address: ``http://host:port``.
        timeout_s: for one request from first to last byte.
        compress: gzip what is written; saves a network, costs 2 µs a line.
    """

    def __init__(self, address: str, org: str, token: str, *, timeout_s: float, compress: bool) -> None:
        self._address = address
        self._org = org
        self._compress = compress
        encoding = "gzip" if compress else "identity"  # aiohttp asks for gzip by default, at the server's cost
        self._headers = {"Authorization": f"Token {token}", "Accept-Encoding": encoding}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=10)
        self._session: aiohttp.ClientSession | None = None
        self._quiet_s = self._quiet_until = 0.0
        self.databases: frozenset[str] = frozenset()
        """Names of the buckets that InfluxQL sees, as of the newest query."""

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def write(self, bucket: str, lines: Sequence[str], at_once: int) -> dict[int, str]:
        """Makes the lines durable but for those that the server never takes: index -> why.

        ``at_once`` is the largest number of lines in one request.

        Raises:
            StoreUnavailable, StoreRefused, BucketMissing: some lines may be in.
        """
        refused: dict[int, str] = {}
        for first in range(0, len(lines), at_once):
            part = lines[first : first + at_once]
            await self._write_part(bucket, part, range(first, first + len(part)), refused)
        return refused

    async def write_text(self, bucket: str, text: str) -> dict[int, str]:
        """As :meth:`write`, in one request, for lines that are joined already and have no newline inside."""
        refused: dict[int, str] = {}
        try:
            await self._post_lines(bucket, text.encode())
        except _Unacceptable as error:
            lines = text.split("\n")
            await self._write_parts(bucket, lines, range(len(lines)), refused, error)
        return refused

    async def _write_part(
        self, bucket: str, lines: Sequence[str], numbers: Sequence[int], refused: dict[int, str]
    ) -> None:
        """Makes ``lines`` durable, which the caller knows by ``numbers``, but for those put in ``refused``."""
        try:
            await self._post_lines(bucket, "\n".join(lines).encode())
        except _Unacceptable as error:
            await self._write_parts(bucket, lines, numbers, refused, error)

    async def _write_parts(
        self,
        bucket: str,
        lines: Sequence[str],
        numbers: Sequence[int],
        refused: dict[int, str],
        error: _Unacceptable,
    ) -> None:
        """As :meth:`_write_part`, for lines that were not taken together."""
        others = [number for number, line in enumerate(lines) if error.field and not _has_field(line, error.field)]
        if len(lines) == 1 or (error.dropped == len(lines) and not others):
            refused |= dict.fromkeys(numbers, str(error))
            return
        if not 0 < len(others) < len(lines):
            others = list(range(len(lines) // 2))
        rest = sorted(set(range(len(lines))) - set(others))
        for part in (others, rest):
            some = [lines[number] for number in part]
            await self._write_part(bucket, some, [numbers[number] for number in part], refused)

    async def _post_lines(self, bucket: str, body: bytes) -> None:
        if time.monotonic() < self._quiet_until:
            raise StoreUnavailable(f"store {self._address}: asked to be left alone for {self._quiet_s:.0f} s")
        headers = {}
        if self._compress:
            packer = zlib.compressobj(1, wbits=31)
            body, headers["Content-Encoding"] = packer.compress(body) + packer.flush(), "gzip"
        url = URL(f"{self._address}/api/v2/write").with_query(org=self._org, bucket=bucket, precision="ns")
        status, text, retry_after = await self._post(url, headers, body)
        if status == 204:
            return
        if status in (400, 413, 422):
            raise _Unacceptable(_message(text))
        if status == 404 and "bucket" in text:
            raise BucketMissing(bucket)
        if status in (429, 503):
            self._quiet_s, self._quiet_until = retry_after, time.monotonic() + retry_after
        raise self._error(status, text)

    async def query(self, influxql: str) -> Columns:
        """The columns of a statement's rows; without any row, no columns.

        Raises:
            StoreUnavailable, StoreRefused: as answered, or the statement failed.
        """
        form = aiohttp.FormData({"q": f"{influxql};{_SENTINEL}" if influxql else _SENTINEL, "epoch": "ns"})
        status, text, _ = await self._post(URL(f"{self._address}/query"), {"Accept": "application/csv"}, form)
        if status != 200:
            raise self._error(status, text)
        blocks = await asyncio.to_thread(_blocks, text) if len(text) > _PARSED_INLINE else _blocks(text)
        if not blocks or "time" in blocks[-1]:
            _, why, _ = await self._post(URL(f"{self._address}/query"), {}, aiohttp.FormData({"q": influxql}))
            raise StoreUnavailable(f"store {self._address}: a query failed: {why[-300:].strip()} of {influxql[:200]}")
        self.databases = frozenset(blocks.pop()["name"])
        return blocks[0] if blocks else {}

    async def _post(self, url: URL, headers: dict[str, str], body: bytes | aiohttp.FormData) -> tuple[int, str, float]:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=_AT_ONCE)
            self._session = aiohttp.ClientSession(connector=connector, headers=self._headers, timeout=self._timeout)
        try:
            async with self._session.post(url, data=body, headers=headers) as answer:
                text = "" if answer.status == 204 else await answer.text("utf-8")
                return answer.status, text, _seconds(answer.headers.get("Retry-After", ""))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise StoreUnavailable(f"store {self._address}: {str(error) or type(error).__name__}") from error

    def _error(self, status: int, text: str) -> StoreUnavailable | StoreRefused:
        why = f"store {self._address}: answered {status}: {_message(text)}"
        if status in (401, 403):
            return StoreRefused(f"{why}; check the token and its rights")
        if status == 404:
            return StoreRefused(f"{why}; check the address and the organisation {self._org!r}")
        return StoreUnavailable(why)


def _has_field(line: str, name: str) -> bool:
    return f",{name}=" in line or f" {name}=" in line


def _blocks(text: str) -> list[dict[str, list[str]]]:
    """The tables of an answer, column by column; an empty line stands between two."""
    csv.field_size_limit(2**31 - 1)  # of the process; its default of 128 KiB is less than a long document
    blocks = []
    for filled, lines in itertools.groupby(csv.reader(io.StringIO(text, newline="")), key=bool):
        if filled:
            header = next(lines)
            columns: list[list[str]] = [[] for _ in header]
            while rows := list(
                itertools.islice(lines, 1000)
            ):  # few at once: row lists that live make the collector work
                for column, values in zip(columns, zip(*rows, strict=True), strict=True):
                    column.extend(values)
            blocks.append(dict(zip(header, columns, strict=True)))
    return blocks


def _message(text: str) -> str:
    """What the server says is wrong; the first words of an answer that is not its own."""
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200].strip() or "nothing more"


def _seconds(retry_after: str) -> float:
    """Seconds of a ``Retry-After``, a number or a date (RFC 9110, 10.2.3); 1 when it is neither."""
    if retry_after.isdigit():
        return min(float(retry_after), _LONGEST_QUIET_S)
    try:
        wait = parsedate_to_datetime(retry_after).timestamp() - time.time()
    except ValueError:
        return 1.0
    return min(max(wait, 0.0), _LONGEST_QUIET_S)
