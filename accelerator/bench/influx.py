"""The InfluxDB of a benchmark: buckets made and removed, points counted, for bridges that are not ours."""

import asyncio
from collections.abc import Callable, Iterable
from urllib.parse import parse_qs, urlsplit

from accelerator.bench.load import Load
from store import influx_ql as ql
from store.influx import DERIVED, RAW
from store.influx_admin import InfluxAdmin
from store.influx_http import InfluxHttp

TIMEOUT_S = 60.0


def is_influx(url: str) -> bool:
    """Whether the store is an InfluxDB."""
    return url.startswith("influxdb+")


class Influx:
    """One organisation of a server: ``influxdb+http://host:port?org=NAME`` and a token."""

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        self.address = f"{parts.scheme.removeprefix('influxdb+')}://{parts.hostname}:{parts.port or 8086}"
        self.org = parse_qs(parts.query).get("org", [""])[0]
        self.token = token

    async def make_bucket(self, name: str) -> None:
        """A bucket that keeps for ever."""
        await self._administer(lambda admin: admin.make_bucket(name, 0))

    async def buckets(self) -> set[str]:
        """Names of the buckets."""
        found: set[str] = set()
        await self._administer(lambda admin: found.update(admin.buckets()))
        return found

    async def remove_buckets(self, names: Iterable[str]) -> None:
        """Remove those that are there, with all they hold."""

        def remove(admin: InfluxAdmin) -> None:
            for name in sorted(admin.buckets() & set(names)):
                admin.remove_bucket(name)

        await self._administer(remove)

    async def count(self, bucket: str, measurement: str, field: str, where: str = "") -> int:
        """How many points of a measurement have the field; 0 while the bucket is not there."""
        http = InfluxHttp(self.address, self.org, self.token, timeout_s=TIMEOUT_S, compress=False)
        try:
            await http.query("")
            if bucket not in http.databases:
                return 0
            columns = await http.query(ql.select([f"count({ql.named(field)})"], ql.source(bucket, measurement), where))
        finally:
            await http.close()
        return sum(map(int, columns.get("count", ())))

    async def _administer(self, job: Callable[[InfluxAdmin], object]) -> None:
        admin = InfluxAdmin(self.address, self.org, self.token, TIMEOUT_S)
        try:
            await asyncio.to_thread(job, admin)
        finally:
            await asyncio.to_thread(admin.close)


async def tidy(url: str, token: str, load: Load) -> None:
    """Remove the buckets that a collector made for the members of a load."""
    members = {key.member for key in load.keys}
    await Influx(url, token).remove_buckets({member + end for member in members for end in (RAW, DERIVED)})
