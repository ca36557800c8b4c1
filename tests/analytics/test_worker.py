"""The worker on a DuckDB store and a real Mosquitto: live, silent, late, caught up, restarted."""

import json
from pathlib import Path

import numpy as np
import pytest

from fleet.batch import Rows
from fleet.records import Outlook
from fleet.states import OFF, PRODUCING, STANDBY, UNKNOWN
from store import Store, StoreUnavailable, connect
from tests.analytics.floor_world import HOUR_MS, WEEK_S, complete, eventually, now_ms, rows, world, write_fleet
from tests.servers import Broker, InfluxServer

pytestmark = pytest.mark.mosquitto

PRESS = 'id = "press"\nname = "Press"'
LATHE = 'id = "lathe"\nname = "Lathe"'
QUICK = PRESS + "\nevery = 0.5"


def weeks(count: int, seed: int = 1) -> Rows:
    """Published states every ten minutes up to now: at work for an hour and a bit on weekdays, else standing by."""
    end = now_ms() - 1000
    at = np.arange(end - count * WEEK_S * 1000, end, 600_000)
    hour = at // HOUR_MS % 24
    weekday = (at // 86_400_000 + 3) % 7
    noise = np.random.default_rng(seed).random(len(at))
    state = np.where((weekday < 5) & (hour == 9) | (noise < 0.01), PRODUCING, np.where(hour < 5, OFF, STANDBY))
    return rows(at, state=state)


async def test_a_touched_reading_is_in_hour_outlook_and_finding(mosquitto: Broker, tmp_path: Path) -> None:
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one, one.worker():
        at = now_ms() - 500
        await one.put("press", rows([at], state=PRODUCING))

        async def told() -> bool:
            outlook = await one.document("outlook", "press")
            return outlook is not None and outlook["state"] == "PRODUCING"

        await eventually(told)
        hours = await one.hours("press")
        assert hours[at // HOUR_MS * 3600].seconds[PRODUCING] > 0
        outlook = await one.body("outlook", "press")
        assert outlook["last_reading"] is not None
        assert outlook["state_since"] == outlook["last_reading"]

        async def judged() -> bool:
            body = one.published.get("net/v1/findings/acme/press/structural-underuse")
            stored = await one.document("finding/structural-underuse", "press") or {}
            return bool(body) and stored == json.loads(body or b"{}") and stored["status"] == "insufficient_evidence"

        await eventually(judged)
        await one.put("press", rows([now_ms() - 1], state=STANDBY))

        async def idle() -> bool:
            outlook = await one.document("outlook", "press")
            return outlook is not None and outlook["state"] == "STANDBY"

        await eventually(idle)


async def test_silence_is_unknown_by_its_deadline(mosquitto: Broker, tmp_path: Path) -> None:
    async with world(mosquitto.url, tmp_path, acme=[QUICK]) as one, one.worker():
        states = []

        async def silent() -> bool:
            outlook = await one.document("outlook", "press")
            states.append(outlook and outlook["state"])
            return states[-1] == "UNKNOWN" and "PRODUCING" in states

        await one.put("press", rows([now_ms() - 100], state=PRODUCING))
        await eventually(silent)
        hours = [bucket for bucket in (await one.hours("press")).values() if bucket.seconds[PRODUCING]]
        assert sum(bucket.seconds[PRODUCING] for bucket in hours) == 1.5
        assert hours[-1].seconds[UNKNOWN] > 0


@pytest.fixture(params=["duck", pytest.param("influx", marks=pytest.mark.influxd)])
def kept(request: pytest.FixtureRequest) -> Store | None:
    """The store a world keeps its readings in; None for its own DuckDB file."""
    if request.param == "duck":
        return None
    server: InfluxServer = request.getfixturevalue("influxd")
    place = server.organisation()
    return connect(place.url, token=place.token)


async def test_history_before_the_start_and_a_restart(mosquitto: Broker, tmp_path: Path, kept: Store | None) -> None:
    async with world(mosquitto.url, tmp_path, kept, acme=[PRESS, LATHE]) as one:
        for seed, machine in enumerate(("press", "lathe")):
            await one.put(machine, weeks(8, seed), announce=False)

        async def derived() -> bool:
            outlook = await one.document("outlook", "lathe")
            return outlook is not None and outlook["utilisation"] is not None and one.health.get("dirty") == 0

        async with one.worker():
            await eventually(derived)
        found = {machine: await one.hours(machine) for machine in ("press", "lathe")}
        for machine, hours in found.items():
            assert complete(hours) == await one.from_scratch(machine)
        mark = await one.body("worker", "", "")
        assert mark["watermark_ms"] == max(row.arrived_ms for row in await one.store.read_dirty(0))
        before = await one.body("finding/structural-underuse", "press")
        outlook = Outlook.model_validate(await one.body("outlook", "press"))
        assert outlook.near
        assert [window.start for window in outlook.near] == [window.start for window in outlook.free][
            : len(outlook.near)
        ]
        assert outlook.near != outlook.free[: len(outlook.near)]  # the last days of the machine are in it
        async with one.worker():
            await eventually(derived)
        for machine, hours in found.items():
            assert complete(await one.hours(machine)).items() >= complete(hours).items()
        after = await one.body("finding/structural-underuse", "press")
        assert {**after, "evidence": None} == {**before, "evidence": None}


async def test_live_late_and_at_once_are_the_same(mosquitto: Broker, tmp_path: Path) -> None:
    """One machine's readings come out of order in pieces while the worker runs, the other's were there before."""
    readings = weeks(8)
    async with world(mosquitto.url, tmp_path, acme=[PRESS], zeta=[PRESS]) as one:
        await one.put("press", readings, member="zeta", announce=False)
        pieces = np.array_split(np.random.default_rng(5).permutation(len(readings)), 25)
        async with one.worker():
            for piece in pieces:
                await one.put("press", readings[piece])

            async def same() -> bool:
                mine, other = await one.hours("press"), await one.hours("press", "zeta")
                kept = {hour: (a.seconds, a.segments, a.carry, a.readings) for hour, a in complete(mine).items()}
                return bool(kept) and kept == {
                    hour: (a.seconds, a.segments, a.carry, a.readings) for hour, a in complete(other).items()
                }

            await eventually(same)

            async def judged_the_same() -> bool:
                found = [
                    await one.document("finding/structural-underuse", "press", member) for member in ("acme", "zeta")
                ]
                return (
                    found[0] is not None
                    and found[1] is not None
                    and all(found[0][name] == found[1][name] for name in ("status", "reason", "evidence"))
                )

            await eventually(judged_the_same)
        assert complete(await one.hours("press")) == await one.from_scratch("press")


async def test_a_lost_announcement_is_made_up_for_by_the_next(mosquitto: Broker, tmp_path: Path) -> None:
    async with world(mosquitto.url, tmp_path, acme=[PRESS], zeta=[PRESS]) as one, one.worker():
        await one.put("press", rows([now_ms() - 4 * HOUR_MS], state=PRODUCING), announce=False)
        await one.put("press", rows([now_ms() - 1000], state=STANDBY), member="zeta")

        async def both() -> bool:
            return bool(await one.hours("press")) and bool(await one.hours("press", "zeta"))

        await eventually(both)


async def test_a_flag_is_retained_and_taken_back(mosquitto: Broker, tmp_path: Path) -> None:
    topic = "net/v1/findings/acme/press/structural-underuse"
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one:
        await one.put("press", weeks(9), announce=False)

        async def flagged() -> bool:
            return bool(one.published.get(topic)) and json.loads(one.published[topic])["status"] == "flagged"

        async def taken_back() -> bool:
            return one.published[topic] == b"" and await one.document("finding/structural-underuse", "press") is None

        async with one.worker():
            await eventually(flagged)
            write_fleet(one.fleet, acme=[PRESS + "\nshareable = false"])
            await eventually(taken_back)


async def test_a_machine_that_comes_to_the_registry_later_has_all_its_hours(mosquitto: Broker, tmp_path: Path) -> None:
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one, one.worker():
        await one.put("lathe", weeks(1))
        await one.put("press", rows([now_ms() - 1000], state=STANDBY))
        await eventually(lambda: one.hours("press"))
        assert not await one.hours("lathe")
        write_fleet(one.fleet, acme=[PRESS, LATHE])

        async def derived() -> bool:
            return complete(await one.hours("lathe")) == await one.from_scratch("lathe")

        await eventually(derived)


class Away:
    """A store that cannot be reached at first, and then every sixth time or so; else the one behind it."""

    def __init__(self, behind: Store) -> None:
        self._behind, self._chance = behind, np.random.default_rng(3)
        self.calls = self.refused = 0

    def __getattr__(self, name: str) -> object:
        method = getattr(self._behind, name)

        async def perhaps(*arguments: object) -> object:
            self.calls += 1
            if self.calls < 4 or self._chance.random() < 0.16:
                self.refused += 1
                raise StoreUnavailable("connection refused")
            return await method(*arguments)

        return perhaps


async def test_a_store_that_is_away_is_waited_for(mosquitto: Broker, tmp_path: Path) -> None:
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one:
        await one.put("press", weeks(1), announce=False)
        store, away = one.store, Away(one.store)
        one.store = away  # type: ignore[assignment]  # it answers to every method of a store
        async with one.worker():
            one.store = store

            async def derived() -> bool:
                return complete(await one.hours("press")) == await one.from_scratch("press")

            await eventually(derived)
            await eventually(lambda: one.document("finding/structural-underuse", "press"))
        assert away.refused > 3


async def test_what_is_retained_is_published_again_to_a_broker_that_forgot(mosquitto: Broker, tmp_path: Path) -> None:
    topic = "net/v1/findings/acme/press/structural-underuse"
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one, one.worker():

        async def retained() -> bool:
            return bool(one.published.get(topic))

        await eventually(retained)
        one.published.clear()
        mosquitto.kill()
        for file in mosquitto.log.parent.glob("*.db*"):
            file.unlink()
        mosquitto.start()
        await eventually(retained)
