"""The short form of the fault bench: a few rounds of each fault, a low rate; ``scripts/bench faults`` is the long one.

The sabotaged control runs for a few kinds here, for all of them there.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fleet.clock import now_ms
from fleet.topics import reading_topic
from tests.accelerator.cli import answer
from tests.faults.building import running_world
from tests.faults.disk import cannot_mount
from tests.faults.scenario import Scenario, wrong
from tests.faults.scenarios import SCENARIOS, SHORT
from tests.faults.trial import caught, trial
from tests.servers import find_influxd, need_mosquitto

pytestmark = [pytest.mark.faults, pytest.mark.mosquitto]
RATE = 1000


@pytest.fixture
def scenario(request: pytest.FixtureRequest) -> Scenario:
    """The scenario of the case, when its parts are on this machine."""
    scenario: Scenario = request.param
    need_mosquitto()
    if scenario.setting.store == "influxdb" and find_influxd() is None:
        pytest.skip("influxd is not built; needs Go and cargo: scripts/build-influxd")
    if scenario.setting.small_disk and cannot_mount():
        pytest.skip(cannot_mount())
    return scenario


def _cases(scenarios: Sequence[Scenario]) -> list[object]:
    return [
        pytest.param(one, id=one.name, marks=[pytest.mark.influxd] if one.setting.store == "influxdb" else [])
        for one in scenarios
    ]


@pytest.mark.parametrize("scenario", _cases(SHORT), indirect=True)
async def test_what_is_promised_holds(scenario: Scenario, tmp_path: Path) -> None:
    outcome = await trial(scenario, tmp_path, "fault", rounds=scenario.short_rounds, rate=RATE)
    assert outcome["wrong"] == []
    assert outcome["published"] > RATE / 2


@pytest.mark.parametrize("scenario", _cases(SHORT[:1]), indirect=True)
async def test_without_a_fault_everything_is_there(scenario: Scenario, tmp_path: Path) -> None:
    outcome = await trial(scenario, tmp_path, "control", rounds=2, rate=RATE)
    assert (outcome["wrong"], outcome["rejected"]) == ([], 0)
    assert outcome["stored"] == outcome["published"] > RATE
    told = await asyncio.to_thread(
        answer, "verify-ledger", str(tmp_path / "ledger.jsonl"), "--store", f"duckdb:///{tmp_path / 'store.duckdb'}",
        data=tmp_path / "data",
    )  # fmt: skip
    assert {name: told[name] for name in ("ok", "published", "stored", "lost", "unsent")} == {
        "ok": True, "published": outcome["published"], "stored": outcome["stored"], "lost": 0, "unsent": 0,
    }  # fmt: skip


@pytest.mark.parametrize("scenario", _cases(SHORT[:1]), indirect=True)
async def test_what_is_refused_or_nobodys_is_accounted_for_by_element(scenario: Scenario, tmp_path: Path) -> None:
    async with running_world(tmp_path, scenario.setting, rate=RATE) as world:
        topic, nobodys = reading_topic("alder", "machine-0"), reading_topic("alder", "not-there")
        at = now_ms()
        good = [{"at": at + number, "power_w": 5.0 + number, "seq": number, "boot": 7} for number in range(3)]
        world.publisher.send(topic, b"no JSON", [_line(topic, b"no JSON", good[0] | {"seq": 100})])
        array = json.dumps([good[0], good[1] | {"power_w": "much"}, good[2]]).encode()
        world.publisher.send(topic, array, [_line(topic, array, one, element=place) for place, one in enumerate(good)])
        alone = json.dumps(good[0]).encode()
        world.publisher.send(nobodys, alone, [_line(nobodys, alone, good[0], machine="not-there")])
        await world.stored_so_far()
        outcome = await world.judged()
    assert wrong(scenario, world, outcome) == []
    assert sorted(one["seq"] for one in outcome["examples"]["rejected"]) == [0, 1, 100]


def _line(topic: str, payload: bytes, reading: Mapping[str, object], **more: object) -> dict[str, object]:
    numbers = {name: reading[name] for name in ("at", "seq", "boot")}
    digest = hashlib.sha256(payload).hexdigest()
    return {"topic": topic, "payload_sha256": digest, "machine": "machine-0", "acked_at": None, **numbers, **more}


@pytest.mark.parametrize("scenario", _cases([one for one in SHORT if one.short_sabotage]), indirect=True)
async def test_the_oracle_catches_a_collector_that_is_broken(scenario: Scenario, tmp_path: Path) -> None:
    outcome = await trial(scenario, tmp_path, "sabotaged", rounds=3, rate=RATE)
    assert caught(outcome), outcome["wrong"]


def test_names_are_unique() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(set(names)) == len(names)
