"""A real InfluxDB that is away, slow, overloaded or loses its answers."""

from typing import Any

import numpy as np
import pytest

from store import StoreRejected, StoreUnavailable, connect
from store.influx import InfluxStore
from tests.servers import InfluxServer, Organisation
from tests.store.conftest import ALL, HOUR, NOW, A, C, batch, bucket, opened, powers
from tests.store.front import Front, answer_with, at_most, hang, lose_the_answer, pass_on

pytestmark = pytest.mark.influxd


async def test_a_killed_server_is_unavailable_and_back_after_its_restart(own_influxd: InfluxServer) -> None:
    place = own_influxd.organisation()
    async with opened(place) as store:
        await store.write_readings(batch([A], [NOW], power_w=[1.0]))
        own_influxd.kill()
        with pytest.raises(StoreUnavailable):
            await store.write_readings(batch([A, C], [NOW + 1, NOW + 2], power_w=[2.0, 3.0]))
        with pytest.raises(StoreUnavailable):
            await store.read_readings([A], *ALL)
        with pytest.raises(StoreUnavailable):
            await store.read_dirty(0)
        away = connect(place.url, token=place.token)
        with pytest.raises(StoreUnavailable):
            await away.open()
        await away.close()
        own_influxd.start()
        await store.write_readings(batch([A, C], [NOW + 1, NOW + 2], power_w=[2.0, 3.0]))
        assert await powers(store, A, C) == [1.0, 2.0, 3.0]
        assert {dirty.machine for dirty in await store.read_dirty(0)} == {A, C}


async def test_a_lost_answer_is_unavailable_and_the_repetition_changes_nothing(
    front: Front, place: Organisation
) -> None:
    async with opened(place, front.url(place.name)) as store:
        front.on_write = lose_the_answer
        one = batch([A], range(NOW, NOW + 50), power_w=np.arange(50.0))
        with pytest.raises(StoreUnavailable):
            await store.write_readings(one)
        assert await powers(store, A) == list(range(50))
        assert await store.read_dirty(0) == []  # not said durable before the readings are
        front.on_write = pass_on
        await store.write_readings(one)
        assert await powers(store, A) == list(range(50))
        assert len(await store.read_dirty(0)) == len(one.dirty_hours())


async def test_a_hanging_server_is_unavailable(front: Front, place: Organisation) -> None:
    store = InfluxStore(f"http://127.0.0.1:{front.port}", place.name, place.token, timeout_s=2.0)
    await store.open()
    front.on_write = hang
    with pytest.raises(StoreUnavailable, match=r"[Tt]ime"):
        await store.write_readings(batch([A], [NOW], power_w=1.0))
    await store.close()


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
async def test_an_overloaded_server_is_unavailable(front: Front, place: Organisation, status: int) -> None:
    async with opened(place, front.url(place.name)) as store:
        front.on_write = answer_with(status, '{"message":"engine is tired"}')
        with pytest.raises(StoreUnavailable, match=f"{status}.*engine is tired"):
            await store.write_readings(batch([A], [NOW], power_w=1.0))
        with pytest.raises(StoreUnavailable):
            await store.write_hours([bucket(A, HOUR)])


async def test_a_server_that_asks_for_quiet_is_left_alone(front: Front, place: Organisation) -> None:
    async with opened(place, front.url(place.name)) as store:
        front.on_write = answer_with(429, "", **{"Retry-After": "30"})
        with pytest.raises(StoreUnavailable):
            await store.write_readings(batch([A], [NOW], power_w=1.0))
        front.on_write = pass_on
        with pytest.raises(StoreUnavailable, match="left alone for 30 s"):
            await store.write_readings(batch([A], [NOW], power_w=1.0))
        assert front.writes == [429]
        assert await powers(store, A) == []  # reading goes on


async def test_what_is_too_large_is_split(front: Front, place: Organisation) -> None:
    async with opened(place, front.url(place.name)) as store:
        front.on_write = at_most(2000)
        large = batch([A], range(NOW, NOW + 100), power_w=np.arange(100.0), metrics={41: '{"m":1' + " " * 5000 + "}"})
        with pytest.raises(StoreRejected) as refused:
            await store.write_readings(large)
        assert refused.value.rows == {41: "too large"}
        assert sorted(await powers(store, A)) == [float(row) for row in range(100) if row != 41]
        assert len([status for status in front.writes if status == 413]) > 10


async def test_a_line_that_the_server_cannot_read_stands_alone(front: Front, place: Organisation) -> None:
    async def unreadable_17(request: Any, body: bytes, forward: Any) -> Any:
        bad = any(line.split(b"power_w=")[-1].startswith(b"17.0") for line in body.splitlines())
        return (
            await answer_with(400, '{"message":"unable to parse"}')(request, body, forward) if bad else await forward()
        )

    async with opened(place, front.url(place.name)) as store:
        front.on_write = unreadable_17
        with pytest.raises(StoreRejected) as refused:
            await store.write_readings(batch([A, C], range(NOW, NOW + 40), power_w=np.arange(40.0)))
        assert refused.value.rows == {17: "unable to parse"}
        assert sorted(await powers(store, A, C)) == [float(row) for row in range(40) if row != 17]


async def test_one_member_s_outage_leaves_the_others_written(front: Front, place: Organisation) -> None:
    async def alpha_is_away(request: Any, body: bytes, forward: Any) -> Any:
        return await answer_with(503)(request, body, forward) if b"member=alpha" in body else await forward()

    async with opened(place, front.url(place.name)) as store:
        front.on_write = alpha_is_away
        with pytest.raises(StoreUnavailable):
            await store.write_readings(batch([A, C], [NOW, NOW + 1], power_w=[1.0, 2.0]))
        assert await powers(store, A, C) == [2.0]
        assert await store.read_dirty(0) == []
