"""The worker's models of power: learned, moved, marked by the owner, changed while it was away."""

import json
from pathlib import Path

import numpy as np
import pytest

from analytics.states import monday_ms
from fleet.records import Document
from tests.analytics.floor_world import HOUR_MS, complete, eventually, now_ms, rows, world, write_fleet
from tests.servers import Broker

pytestmark = pytest.mark.mosquitto

PRESS = 'id = "press"\nname = "Press"'


async def test_power_is_learned_from_and_then_derived_again(mosquitto: Broker, tmp_path: Path) -> None:
    end = now_ms() - 1000
    at = np.arange(end - 23 * 86_400_000, end, 300_000)
    power = np.where(at // HOUR_MS % 24 < 8, 4200.0, 35.0)
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one, one.worker():
        for piece in np.array_split(np.arange(len(at)), 4):
            await one.put("press", rows(at[piece], power_w=power[piece]))

        async def inferred() -> bool:
            hours = complete(await one.hours("press"))
            if len(hours) < 23 * 24 - 1 or {bucket.basis for bucket in hours.values()} != {"power"}:
                return False
            model = await one.body("model", "press")  # of what had come by then: it is learned again when all is there
            return model["power"][0]["levels_w"] == [42, 4200] and hours == await one.from_scratch("press")

        await eventually(inferred)


async def test_what_an_older_program_learned_is_learned_again_at_once(mosquitto: Broker, tmp_path: Path) -> None:
    end = now_ms() - 1000
    at = np.arange(end - 3 * 86_400_000, end, 300_000)
    old = json.dumps({"reference_w": 4200.0, "counter_moves": True, "samples": 600, "until_ms": monday_ms(end)})
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one:
        await one.put("press", rows(at, power_w=np.where(at // HOUR_MS % 24 < 8, 4200.0, 35.0)), announce=False)
        await one.store.write_documents([Document(member="acme", machine="press", kind="model", at=1, body=old)])

        async def inferred() -> bool:
            hours = complete(await one.hours("press"))
            return len(hours) > 60 and {bucket.basis for bucket in hours.values()} == {"power"}

        async with one.worker():
            await eventually(inferred)


async def test_a_moved_clamp_is_learned_anew_and_the_old_model_keeps_its_hours(
    mosquitto: Broker, tmp_path: Path
) -> None:
    end = monday_ms(now_ms())
    at = np.arange(end - 8 * 7 * 86_400_000, end, 900_000)
    moved = end - 3 * 7 * 86_400_000
    power = np.where(at // HOUR_MS % 24 < 8, 4200.0, 35.0)
    async with world(mosquitto.url, tmp_path, acme=[PRESS + "\nevery = 900"]) as one, one.worker():
        await one.put("press", rows(at[at < moved], power_w=power[at < moved]))

        async def whole() -> bool:
            hours = complete(await one.hours("press"))
            return len(hours) > 800 and {bucket.basis for bucket in hours.values()} == {"power"}

        await eventually(whole)
        kept = (moved - HOUR_MS) // 1000
        before = {hour: bucket for hour, bucket in (await one.hours("press")).items() if hour < kept}
        await one.put("press", rows(at[at >= moved], power_w=power[at >= moved] / 3))

        async def again() -> bool:
            model = await one.body("model", "press")
            hours = complete(await one.hours("press"))
            return len(model["power"]) == 2 and len({bucket.model for bucket in hours.values()}) == 2

        await eventually(again)
        hours = await one.hours("press")
        assert {hour: hours[hour] for hour in before} == before
        later = {bucket.model for hour, bucket in hours.items() if hour * 1000 >= moved}
        assert later.isdisjoint({bucket.model for bucket in before.values()})
        assert complete(hours) == await one.from_scratch("press")


async def test_a_calibration_in_the_file_is_in_force_at_once(mosquitto: Broker, tmp_path: Path) -> None:
    end = now_ms() - 1000
    at = np.arange(end - 2 * HOUR_MS, end, 60_000)
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one, one.worker():
        await one.put("press", rows(at, power_w=np.where(np.arange(len(at)) % 40 < 20, 900.0, 300.0)))

        async def basis(wanted: str) -> bool:
            return {bucket.basis for bucket in complete(await one.hours("press")).values()} == {wanted}

        async def untold(wanted: str) -> bool:
            outlook = await one.document("outlook", "press")
            return outlook is not None and outlook["untold"] == wanted

        await eventually(lambda: basis("none"))
        await eventually(lambda: untold("few"))
        write_fleet(one.fleet, acme=[PRESS + "\n[machines.calibration]\nworking_w = 900\nstandby_w = 300\n"])
        await eventually(lambda: basis("power"))
        await eventually(lambda: untold(""))
        assert complete(await one.hours("press")) == await one.from_scratch("press")


async def test_a_model_that_changed_while_the_worker_was_away(mosquitto: Broker, tmp_path: Path) -> None:
    """New readings and a new calibration at the same time: the hours before rest on the old model and change, too."""
    end = now_ms() - 1000
    at = np.arange(end - 12 * HOUR_MS, end, 60_000)
    power = rows(at, power_w=np.where(np.arange(len(at)) % 40 < 20, 900.0, 300.0))
    async with world(mosquitto.url, tmp_path, acme=[PRESS]) as one:

        async def basis(wanted: str) -> bool:
            return {bucket.basis for bucket in complete(await one.hours("press")).values()} == {wanted}

        await one.put("press", power[:-90], announce=False)
        async with one.worker():
            await eventually(lambda: basis("none"))
        await one.put("press", power[-90:], announce=False)
        write_fleet(one.fleet, acme=[PRESS + "\n[machines.calibration]\nworking_w = 900\nstandby_w = 300\n"])
        async with one.worker():
            await eventually(lambda: basis("power"))
        assert complete(await one.hours("press")) == await one.from_scratch("press")
