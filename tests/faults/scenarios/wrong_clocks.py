"""Devices whose clocks are wrong, and the two changes of the legal time in a year.

The ledger says at which true instant each reading must be stored; one that no declared rule can put right must be in
the rejects, and be counted there.
"""

import json
import random
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final
from zoneinfo import ZoneInfo

from fleet.batch import MachineKey
from fleet.clock import now_ms
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World

PARIS: Final = ZoneInfo("Europe/Paris")
HOUR_MS: Final = 3_600_000
EACH: Final = 20
"""Readings of each device and round."""
LAST_MS: Final = 4_294_967_295_000
"""The year 2106: the last second that 32 bits hold."""
_FEED: Final = """
[[machines]]
id = "{0}"
name = "{0}"
[[machines.feeds]]
topic = "m/dune/{0}/{1}"
format = "{2}"
{3}
"""
MACHINES: Final = "".join(
    _FEED.format(*parts)
    for parts in (
        ("ahead", "reading", "canonical", ""),
        ("behind", "reading", "canonical", ""),
        ("zero", "reading", "canonical", ""),
        ("overflow", "reading", "canonical", ""),
        ("declared-ahead", "reading", "canonical", "clock_ahead_s = 3600"),
        ("declared-behind", "reading", "canonical", "clock_ahead_s = -3600"),
        ("legal", "tele/SENSOR", "tasmota", 'timezone = "Europe/Paris"'),
        ("winter", "tele/SENSOR", "tasmota", 'timezone = "Etc/GMT-1"'),
        ("unaware", "tele/SENSOR", "tasmota", 'timezone = "Europe/Paris"'),
    )
)
SETTING: Final = Setting(members={"dune": MACHINES})


def send(world: World, machine: str, topic: str, body: dict[str, Any], at: int, values: dict[str, Any]) -> None:
    """Publish a reading of a device, which must be stored under ``at``."""
    payload, topic = json.dumps(body).encode(), f"m/dune/{machine}/{topic}"
    line = {
        "topic": topic, "payload_sha256": sha256(payload).hexdigest(), "machine": machine,
        "at": at, "seq": body.get("seq"), "boot": body.get("boot"), "values": values, "acked_at": None,
    }  # fmt: skip
    world.publisher.send(topic, payload, [line])


def refusable(world: World, count: int = 1) -> None:
    """So many readings more that must be refused."""
    world.notes["refused"] = world.notes.get("refused", 0) + count


async def hours_off(world: World, chance: random.Random) -> None:
    """Seven devices beside the load: an hour ahead, an hour behind, both of them declared, epoch 0, the year 2106."""
    devices = {
        "ahead": (HOUR_MS, 0), "behind": (-HOUR_MS, 0), "declared-ahead": (HOUR_MS, HOUR_MS),
        "declared-behind": (-HOUR_MS, -HOUR_MS),
    }  # fmt: skip
    for _ in range(EACH):
        seq = world.notes["seq"] = world.notes.get("seq", 0) + 1
        shared = {"power_w": chance.randint(1, 5000), "seq": seq, "boot": world.publisher.boot}
        values = {"power_w": shared["power_w"]}
        for machine, (off, declared) in devices.items():
            said = now_ms() + off
            send(world, machine, "reading", {"at": said, **shared}, said - declared, values)
        for machine, said in (("zero", 0), ("overflow", LAST_MS)):
            send(world, machine, "reading", {"at": said, **shared}, said, values)
        refusable(world, 3)


def plug(world: World, machine: str, said: datetime, true: datetime) -> int:
    """A plug that tells its local time ``said`` at the instant ``true``; that instant, epoch ms."""
    count = world.notes["seq"] = world.notes.get("seq", 0) + 1
    at = round(true.timestamp() * 1000)
    body = {"Time": said.strftime("%Y-%m-%dT%H:%M:%S"), "ENERGY": {"Total": count / 1000, "Power": count % 4000}}
    send(world, machine, "tele/SENSOR", body, at, {"power_w": float(count % 4000), "energy_wh": float(count)})
    return at


def change(year: int, month: int) -> datetime:
    """The last Sunday of March or October, 01:00 UTC: when the European Union changes its clocks."""
    last = datetime(year, month, 31, 1, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


async def legal_time_changes(world: World, chance: random.Random) -> None:
    """A collector that lives through a change: half a minute before, after, and where the hour was repeated."""
    rounds = world.notes["rounds"] = world.notes.get("rounds", -1) + 1
    spring = rounds % 2 == 1
    instant = change(2027 + (rounds + 1) // 2, 3 if spring else 10)
    await world.stored_so_far()
    for seconds in (-30, 30) if spring else (-30, 30, 3570):
        life = instant + timedelta(seconds=seconds)
        await world.collector.stop()
        await world.restart_collector(clock=life.isoformat())
        at = 0
        for back in range(EACH, 0, -1):
            true = life - timedelta(seconds=back)
            winter = true + timedelta(hours=1)
            plug(world, "winter", winter, true)
            if spring and seconds > 0:
                plug(world, "unaware", winter, true)  # this device says a time that does not exist
                refusable(world)
            at = plug(world, "legal", true.astimezone(PARIS), true)
        await world.publisher.quiet()
        await world.watch.stored(MachineKey("dune", "legal"), at)
    await world.collector.stop()
    await world.restart_collector()


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """Exactly what no rule can put right is refused."""
    expected = world.notes.get("refused", 0)
    found = outcome["rejected"]
    return [] if found == expected else [f"{found} readings were refused, and {expected} should have been"]


HOURS_OFF: Final = Scenario(
    fault=11, name="clock-an-hour-off", strike=hours_off, sabotage="clocks-believed", holds=holds, setting=SETTING,
    short_rounds=2, short_sabotage=True,
)  # fmt: skip
TIME_CHANGES: Final = Scenario(
    fault=11, name="legal-time-changes", strike=legal_time_changes, sabotage="local-as-utc", holds=holds,
    setting=SETTING, sabotaged_rounds=2, short_rounds=1,
)  # fmt: skip
