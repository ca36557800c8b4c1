"""What only InfluxDB can do to a store, on a real one: partial writes, refusals, outages, lost answers."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fleet.batch import MachineKey, ReadingBatch
from store import Store, StoreLost, StoreRefused, StoreRejected, StoreUnavailable, connect
from store.influx import InfluxStore
from tests.servers import InfluxServer, Organisation
from tests.store.conftest import ALL, HOUR, NOW, A, B, C, batch, bucket, document, opened, powers
from tests.store.front import Front

pytestmark = pytest.mark.influxd
DAY = 86_400_000


def days(number: int) -> Callable[[str], int]:
    return lambda member: number


def buckets(influxd: InfluxServer, place: Organisation) -> dict[str, Any]:
    found = influxd.call("GET", f"/api/v2/buckets?orgID={place.id}&limit=100")["buckets"]
    return {one["name"]: one for one in found}


async def insist(store: Store, readings: ReadingBatch) -> None:
    """As the forwarder does; the server answers 500 for an instant for a bucket that another program is making."""
    for _ in range(20):
        try:
            return await store.write_readings(readings)
        except StoreUnavailable:
            await asyncio.sleep(0)
    return await store.write_readings(readings)


async def test_buckets_are_made_with_their_retention(influxd: InfluxServer, place: Organisation) -> None:
    kept = {"alpha": 90, "beta": 0}
    async with opened(place, retention=lambda member: kept[member]) as store:
        await store.write_readings(batch([A, C], [NOW, NOW], power_w=1.0))
        await store.write_hours([bucket(A, HOUR)])
    seconds = {name: one["retentionRules"][0]["everySeconds"] for name, one in buckets(influxd, place).items()}
    seconds = {name: value for name, value in seconds.items() if not name.startswith("_")}
    assert seconds == {"alpha-raw": 90 * 86_400, "beta-raw": 0, "alpha-derived": 0, "network.derived": 0}
    mappings = influxd.call("GET", f"/api/v2/dbrps?orgID={place.id}")["content"]
    assert {one["database"]: one["virtual"] for one in mappings if one["database"] in seconds} == dict.fromkeys(
        seconds, False
    )


async def test_retention_is_lengthened_and_never_shortened(influxd: InfluxServer, place: Organisation) -> None:
    for asked, kept in [(30, 30), (7, 30), (60, 60), (0, 0), (30, 0)]:
        async with opened(place, retention=days(asked)) as store:
            await store.write_readings(batch([A], [NOW], power_w=1.0))
        assert buckets(influxd, place)["alpha-raw"]["retentionRules"][0]["everySeconds"] == kept * 86_400, asked


async def test_readings_older_than_the_retention_are_refused_by_name_and_the_others_kept(place: Organisation) -> None:
    times = [NOW, NOW - 100 * DAY, NOW - 1000, NOW - 91 * DAY, NOW - 80 * DAY]
    async with opened(place, retention=days(90)) as store:
        with pytest.raises(StoreRejected) as refused:
            await store.write_readings(batch([A], times, power_w=np.arange(5.0)))
        assert set(refused.value.rows) == {1, 3}
        assert "90 days that readings of alpha are kept" in refused.value.rows[1]
        assert await powers(store, A) == [4.0, 2.0, 0.0]


async def test_a_partial_write_is_halved_until_every_good_reading_is_in(
    influxd: InfluxServer, place: Organisation
) -> None:
    async with opened(place) as store:
        await store.write_readings(batch([A], [NOW], power_w=[1000.0]))
        made = buckets(influxd, place)["alpha-raw"]
        shorter = {"retentionRules": [{"type": "expire", "everySeconds": 90 * 86_400}]}
        influxd.call(
            "PATCH", f"/api/v2/buckets/{made['id']}", shorter
        )  # behind the store's back: the server alone knows
        times = NOW - np.arange(300) * 1000
        times[[0, 13, 14, 150, 299]] -= 200 * DAY
        with pytest.raises(StoreRejected) as refused:
            await store.write_readings(batch([A, B, C], times, power_w=np.arange(300.0)))
        # 0, 150 are of A, 13 and 14 of B and C: alone C's bucket keeps for ever
        expected = {row for row in (0, 13, 14, 150, 299) if row % 3 != 2}
        assert set(refused.value.rows) == expected
        assert all("retention" in why for why in refused.value.rows.values())
        found = await powers(store, A, B, C)
        assert sorted(found) == [float(row) for row in range(300) if row not in expected] + [1000.0]


async def test_a_field_of_another_type_loses_no_other_reading(influxd: InfluxServer, place: Organisation) -> None:
    async with opened(place) as store:
        await store.write_readings(batch([A], [NOW], state=0))
        line = 'readings,machine=lathe-1,member=alpha power_w="text" ' + str(NOW * 1_000_000)
        influxd.send_lines(place.id, "alpha-raw", line)
        mixed = batch([A], range(NOW + 1, NOW + 9), power_w=[1.0, *[np.nan] * 6, 2.0], state=0)
        with pytest.raises(StoreRejected) as refused:
            await store.write_readings(mixed)
        assert set(refused.value.rows) == {0, 7}
        assert "power_w" in refused.value.rows[0]
        assert (await store.count_readings())[A] == 7


async def test_a_field_that_conflicts_everywhere_takes_few_requests(
    influxd: InfluxServer, front: Front, place: Organisation
) -> None:
    async with opened(place, front.url(place.name)) as store:
        await store.write_readings(batch([A], [NOW], state=0))
        influxd.send_lines(
            place.id, "alpha-raw", 'readings,machine=lathe-1,member=alpha power_w="text" ' + f"{NOW}000000"
        )
        power = np.where(np.arange(900) % 3 == 0, np.nan, 5.0)
        with pytest.raises(StoreRejected) as refused:
            await store.write_readings(batch([A], range(NOW + 1, NOW + 901), power_w=power, state=0))
        assert set(refused.value.rows) == {row for row in range(900) if row % 3}
        assert len(set(refused.value.rows.values())) == 1
        assert "power_w" in refused.value.rows[1]
        assert (await store.count_readings())[A] == 301
        assert len(front.writes) < 10


@pytest.mark.parametrize("wrong", ["token", "org", "another org's"])
async def test_what_needs_a_person_is_refused_at_once(influxd: InfluxServer, place: Organisation, wrong: str) -> None:
    other = influxd.organisation()
    url, token = {
        "token": (place.url, "nonsense"),
        "org": (place.url.replace(place.name, "nobody"), place.token),
        "another org's": (other.url, influxd.token),
    }[wrong]
    store = connect(url, token=token)
    with pytest.raises(StoreRefused, match=r"organisation|token"):
        await store.open()
    await store.close()


async def test_a_token_revoked_while_running_is_refused(influxd: InfluxServer, place: Organisation) -> None:
    async with opened(place) as store:
        await store.write_readings(batch([A], [NOW], power_w=1.0))
        for one in influxd.call("GET", f"/api/v2/authorizations?orgID={place.id}")["authorizations"]:
            influxd.call("DELETE", f"/api/v2/authorizations/{one['id']}")
        with pytest.raises(StoreRefused, match="401"):
            await store.write_readings(batch([A], [NOW + 1], power_w=1.0))
        with pytest.raises(StoreRefused, match="401"):
            await store.read_readings([A], *ALL)


async def test_a_bucket_deleted_behind_its_back_is_made_again(influxd: InfluxServer, place: Organisation) -> None:
    async with opened(place) as store:
        await store.write_readings(batch([A], [NOW], power_w=[1.0]))
        influxd.call("DELETE", f"/api/v2/buckets/{buckets(influxd, place)['alpha-raw']['id']}")
        with pytest.raises(StoreLost, match="alpha-raw is gone"):
            await store.write_readings(batch([A], [NOW + 1], power_w=[2.0]))
        await store.write_readings(batch([A], [NOW + 1], power_w=[2.0]))
        assert await powers(store, A) == [2.0]


async def test_a_query_that_fails_is_never_read_as_nothing(influxd: InfluxServer, place: Organisation) -> None:
    async with opened(place) as store:
        await store.write_readings(batch([A, C], [NOW, NOW], power_w=[1.0, 2.0]))
        assert await powers(store, A, C) == [1.0, 2.0]
        influxd.call("DELETE", f"/api/v2/buckets/{buckets(influxd, place)['beta-raw']['id']}")
        with pytest.raises(StoreUnavailable, match="a query failed"):
            await store.read_readings([A, C], *ALL)


async def test_two_programs_make_the_same_buckets(place: Organisation) -> None:
    async with opened(place) as one, opened(place) as two:
        machines = [MachineKey(f"member-{i}", "x") for i in range(8)]
        await asyncio.gather(
            insist(one, batch(machines, [NOW] * 8, power_w=np.arange(8.0))),
            insist(two, batch(machines, [NOW + 1] * 8, power_w=np.arange(8.0))),
        )
        assert await two.count_readings() == dict.fromkeys(machines, 2)
        await two.write_documents([document(A, "outlook", 2, '"two"')])
        await one.write_documents([document(A, "outlook", 1, '"one"')])
        assert [found.body for found in await one.read_documents("outlook")] == ['"two"']


async def test_compressed_on_the_way(place: Organisation) -> None:
    store = InfluxStore(place.url.removeprefix("influxdb+").partition("?")[0], place.name, place.token, compress=True)
    await store.open()
    many = batch([A], range(NOW, NOW + 3000), power_w=np.arange(3000.0))
    await store.write_readings(many)
    assert await powers(store, A) == list(range(3000))
    await store.close()


def test_a_batch_of_no_rows_has_no_lines() -> None:
    from store.influx_lines import reading_lines

    assert reading_lines(ReadingBatch((A,), batch([A], []).rows), 10) == []
