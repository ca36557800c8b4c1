"""What earlier programs stored is read, and written anew in today's form: hours of before energy was told by state."""

from pathlib import Path

import duckdb
import pytest

from store import connect
from store.columns import SECONDS
from store.influx_http import InfluxHttp
from tests.faults import upgrade_cases as cases
from tests.servers import Organisation
from tests.store.conftest import HOUR, A, bucket, document, opened

EARLIER = bucket(A, HOUR, energy_by_state=None, metered_s=0.0)


async def test_a_file_of_the_first_version_is_brought_to_this_one(tmp_path: Path) -> None:
    path = tmp_path / "store.duckdb"
    cases.unpack_store(path)
    with duckdb.connect(str(path)) as file:
        assert file.execute("SELECT version FROM schema_version").fetchall() == [(1,)]
        (count,) = file.execute("SELECT count(*) FROM machines").fetchall()[0]
        file.execute("INSERT INTO machines VALUES (?, ?, ?)", [count, *A])
        row = [count, HOUR, *EARLIER.seconds, 1500.5, 12, 60, 0, 0, 2100.25, "power", "0:0", EARLIER.carry, "1"]
        file.execute(f"INSERT INTO hours VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608  # question marks only
    for _ in range(2):  # opened again, it is left as it is
        store = connect(f"duckdb://{path}")
        await store.open()
        assert (await store.read_hours([A], HOUR, HOUR + 1)) == [EARLIER]
        assert sum((await store.count_readings()).values()) == cases.STORED
        await store.close()
    store = connect(f"duckdb://{path}")
    await store.open()
    await store.write_hours([bucket(A, HOUR), bucket(A, HOUR + 3600)])
    assert await store.read_hours([A], HOUR, HOUR + 7200) == [bucket(A, HOUR), bucket(A, HOUR + 3600)]
    await store.close()


@pytest.mark.influxd
async def test_points_without_the_newer_fields_are_hours(place: Organisation) -> None:
    seconds = ",".join(f"{name}={value!r}" for name, value in zip(SECONDS, EARLIER.seconds, strict=True))
    counts = "energy_wh=1500.5,pieces=12i,readings=60i,conflicts=0i,resets=0i,power_max_w=2100.25"
    texts = r'basis="power",segments="0:0",carry="{\"state\": 0}",model="1",absent=""'
    point = f"hours,machine=lathe-1,member=alpha {seconds},{counts},{texts} {HOUR * 10**9}"
    async with opened(place) as store:
        await store.write_documents([document(A, "note", 1, "{}")])  # makes the bucket
        address, org = place.url.removeprefix("influxdb+").split("?org=")
        http = InfluxHttp(address, org, place.token, timeout_s=30.0, compress=False)
        assert await http.write("alpha-derived", [point], 10) == {}
        await http.close()
        assert await store.read_hours([A], HOUR, HOUR + 1) == [EARLIER]
        await store.write_hours([bucket(A, HOUR + 7200)])
        assert await store.read_hours([A], HOUR, HOUR + 7201) == [EARLIER, bucket(A, HOUR + 7200)]
        await store.write_hours([bucket(A, HOUR)])
        assert await store.read_hours([A], HOUR, HOUR + 1) == [bucket(A, HOUR)]
