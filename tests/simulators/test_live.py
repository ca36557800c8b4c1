"""Living devices: on time, in step with the truth, imperfect as they were told to be."""

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fleet.batch import MachineKey
from fleet.registry import Registry
from fleet.states import STATES
from simulators.device import Device
from simulators.formats import FORMATS, Message
from simulators.history import WEEK_MS, past
from simulators.imperfections import PERFECT, Imperfections
from simulators.live import Live
from simulators.plant import connected, plants_of
from simulators.strays import Strays
from simulators.timeline import Timeline, counting_since
from tests.simulators.conftest import NOW, ms, one_of_each

JOINED = ms(NOW)
MINUTE = 60_000


def devices(speed: float = 1.0, faults: Imperfections = PERFECT) -> list[Device]:
    plants = [replace(plant, imperfections=faults) for plant in one_of_each()]
    return [Device(plant, Timeline(plant, counting_since(NOW.date())), JOINED, speed) for plant in plants]


def drive(live: Live, minutes: int) -> Iterable[tuple[int, Message]]:
    """What is sent at each due time."""
    while live.next_ms < JOINED + minutes * MINUTE:
        at = live.next_ms
        for message in live.speak(at):
            yield at, message


def canonical(speed: float = 1.0, faults: Imperfections = PERFECT) -> list[Device]:
    return [device for device in devices(speed, faults) if device.plant.format is FORMATS["canonical"]]


def test_every_device_speaks_every_five_to_ten_seconds_and_at_each_change() -> None:
    runs: list[tuple[MachineKey, int, int, int]] = []
    live = Live(canonical(), JOINED, (5_000, 10_000), lambda *run: runs.append(run))
    said: dict[str, list[tuple[int, str]]] = {}
    for at, (topic, payload) in drive(live, 90):
        body = json.loads(payload)
        assert body["at"] == at
        said.setdefault(topic.split("/")[2], []).append((at, body["state"]))
    live.finish(JOINED + 90 * MINUTE)
    assert len(said) == 13
    for readings in said.values():
        gaps = [later - sooner for (sooner, _), (later, _) in pairwise(readings)]
        assert max(gaps) <= 10_000
        assert readings[0][0] - JOINED <= 10_000
    changes = 0
    for key, start, _, state in runs:
        if start != JOINED:
            changes += 1
            assert (start, STATES[state].value) in said[key.machine], "each change is told at its instant"
    assert changes > 10


def test_the_truth_told_is_the_truth_of_the_timeline() -> None:
    runs: list[tuple[MachineKey, int, int, int]] = []
    fleet = devices()
    live = Live(fleet, JOINED, (5_000, 10_000), lambda *run: runs.append(run))
    end = JOINED + 120 * MINUTE
    _ = list(drive(live, 120))
    live.finish(end)
    for device in fleet:
        mine = sorted(run[1:] for run in runs if run[0] == device.plant.key)
        true = device.timeline.intervals(JOINED, end)
        expected = list(zip(true.start_ms.tolist(), true.end_ms.tolist(), true.state.tolist(), strict=True))
        assert mine == expected


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_machines_live_as_fast_as_they_are_told(speed: float) -> None:
    runs: list[tuple[MachineKey, int, int, int]] = []
    fleet = devices(speed)
    live = Live(fleet, JOINED, (5_000, 10_000), lambda *run: runs.append(run))
    _ = list(drive(live, 30))
    live.finish(JOINED + 30 * MINUTE)
    total = sum(
        len(device.timeline.intervals(JOINED, device.machine_ms(JOINED + 30 * MINUTE)).state) for device in fleet
    )
    assert len(runs) == pytest.approx(total, abs=len(fleet))
    assert {run[0] for run in runs} == {device.plant.key for device in fleet}


def test_counters_go_on_from_the_history_and_energy_keeps_to_the_clock() -> None:
    for slow, fast in zip(devices(1.0), devices(60.0), strict=True):
        begin = slow.timeline.at(np.array([JOINED]))
        for device in (slow, fast):
            early, late = device.sample(JOINED), device.sample(JOINED + 60 * MINUTE)
            assert early.counter == begin.count[0]
            assert early.energy_wh == pytest.approx(begin.energy_wh[0])
            assert late.counter >= early.counter
            assert 0 <= late.energy_wh - early.energy_wh <= 1.1 * device.plant.rated_w


def test_a_device_with_a_buffer_sends_afterwards_what_it_could_not() -> None:
    faults = Imperfections(dropouts_per_week=400, dropout_minutes=3, buffers=True)
    [device, *_] = canonical(faults=faults)
    seen: list[int] = []
    resent = 0
    for at in range(JOINED, JOINED + 300 * MINUTE, 10_000):
        for _, payload in device.messages(at):
            body = json.loads(payload)
            resent += isinstance(body, list)
            seen += [element["seq"] for element in (body if isinstance(body, list) else [body])]
    assert resent > 3
    assert seen == list(range(1, len(seen) + 1)), "nothing is missing, nothing twice, in order"


def test_a_device_without_a_buffer_loses_what_it_could_not_send() -> None:
    [device, *_] = canonical(faults=Imperfections(dropouts_per_week=400, dropout_minutes=3))
    sent = sum(len(device.messages(at)) for at in range(JOINED, JOINED + 300 * MINUTE, 10_000))
    assert 0 < sent < 300 * 6


def messages(faults: Imperfections, count: int = 2_000) -> list[Message]:
    [device, *_] = canonical(faults=faults)
    return [message for n in range(count) for message in device.messages(JOINED + n * 1_000)]


def test_imperfections_come_as_often_as_they_are_told() -> None:
    assert len(messages(PERFECT)) == 2_000
    assert len(messages(Imperfections(duplicates=0.1))) == pytest.approx(2_200, abs=60)
    times = [json.loads(payload)["at"] for _, payload in messages(Imperfections(reordered=0.1))]
    assert sum(later < sooner for sooner, later in pairwise(times)) == pytest.approx(180, abs=60)
    spoiled = [payload for _, payload in messages(Imperfections(garbage=0.1)) if b'"power_w":"NaN"' in payload]
    assert len(spoiled) == pytest.approx(200, abs=60)
    late = [json.loads(payload)["at"] for _, payload in messages(Imperfections(clock_offset_s=-3600.0), 3)]
    assert late[0] == JOINED - 3_600_000


def test_two_devices_belong_to_nobody() -> None:
    paris = ZoneInfo("Europe/Paris")
    strays = Strays(["b", "a", "c"], JOINED, paris)
    first = strays.speak(JOINED)
    assert len({topic.split("/")[1] for topic, _ in first}) == 2
    assert strays.speak(JOINED + 1) == []
    assert strays.speak(strays.next_ms)
    assert Strays([], JOINED, paris).speak(JOINED) == []


def test_the_plug_that_nobody_claimed_stands_by_and_works() -> None:
    strays = Strays(["a"], JOINED, ZoneInfo("Europe/Paris"))
    sent = [json.loads(strays.speak(strays.next_ms)[0][1]) for _ in range(60)]
    powers = [message["ENERGY"]["Power"] for message in sent]
    totals = [message["ENERGY"]["Total"] for message in sent]
    assert set(powers) >= {310}
    assert max(powers) > 14_000
    assert totals == sorted(totals)


def test_of_a_network_one_device_sends_rubbish_and_one_fell_silent(fleet: Registry) -> None:
    plants = plants_of(1, fleet)
    spoiled = connected(plants, 1, JOINED, imperfect=True)
    assert [plant.key for plant in spoiled] == [plant.key for plant in plants]
    assert sum(plant.imperfections.garbage > 0 for plant in spoiled) == 1
    [mute] = [plant for plant in spoiled if plant.imperfections.mute_from_ms]
    timeline = Timeline(mute, counting_since(NOW.date()))
    _, rows = past(mute, timeline, JOINED - WEEK_MS, JOINED, 900_000)
    assert json.loads(rows[-1])["at"] < JOINED - 25 * 60 * MINUTE
    assert Device(mute, timeline, JOINED, 1.0).messages(JOINED) == []
    assert {plant.imperfections for plant in connected(plants, 1, JOINED, imperfect=False)} == {PERFECT}
