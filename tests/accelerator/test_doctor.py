"""Where the data of a machine ends, said from what the broker retains and the store holds."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from accelerator.doctor import Step, conclusion, further, judge_machine
from accelerator.doctor_broker import listen_once
from accelerator.doctor_losses import losses_step
from accelerator.doctor_spool import spool_step
from bus.client import Session
from bus.embedded import EmbeddedBroker
from fleet.batch import MachineKey
from fleet.network import Machine, Offer

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
KEY = MachineKey("zorn", "cabine-1")
MACHINE = Machine.model_validate(
    {
        "id": "cabine-1",
        "name": "Cabine 1",
        "every": 60,
        "rated_w": 45_000,
        "feeds": [{"topic": "m/zorn/booth1/tele/SENSOR", "format": "tasmota"}],
    }
)


def newest(age_s: float, offset_s: float = 0, power_w: float | None = 12_000) -> dict[str, Any]:
    arrived = NOW_MS - int(age_s * 1000)
    return {"at": arrived - int(offset_s * 1000), "arrived": arrived, "power_max_w": power_w}


REJECTS = {
    "net/v1/rejects/zorn": {
        "newest": [
            {"topic": "m/zorn/booth1/tele/SENSOR", "reason": "not a number", "field": "ENERGY.Power", "value": '"NaN"'},
        ]
    }
}
ONE_OF_TWO = {
    "net/v1/rejects/zorn": {"newest": [{**REJECTS["net/v1/rejects/zorn"]["newest"][0], "at": NOW_MS - 12_000}]}
}
"""Refused two seconds before another message was read."""
LONG_PAST = {
    "net/v1/rejects/zorn": {"newest": [{**ONE_OF_TWO["net/v1/rejects/zorn"]["newest"][0], "at": NOW_MS - 90_000}]}
}
FUTURE = {
    "net/v1/rejects/zorn": {
        "newest": [
            {"topic": "m/zorn/booth1/tele/SENSOR", "reason": "future", "field": "Time", "value": "x",
             "rule": "at most 5 minutes in the future: the device's clock is 3599 s ahead"},
        ]
    }
}  # fmt: skip
GAPS = {
    "net/v1/health/ingest": {
        "gaps": {
            "machines": [
                {"member": "zorn", "node": "cabine-1", "missing": 7, "ranges": [], "restart": None},
                {
                    "member": "zorn",
                    "machine": "cabine-1",
                    "missing": 12,
                    "ranges": [
                        {
                            "boot": 3,
                            "first": 811,
                            "last": 821,
                            "after": NOW_MS - 7_080_000,
                            "before": NOW_MS - 6_900_000,
                        },
                        {
                            "boot": 3,
                            "first": 830,
                            "last": 830,
                            "after": NOW_MS - 7_060_000,
                            "before": NOW_MS - 7_000_000,
                        },
                    ],
                    "restart": None,
                },
            ]
        }
    }
}
NORTHERN = {"net/v1/health/ingest-north": GAPS["net/v1/health/ingest"]}
RESTART = {
    "net/v1/health/ingest": {
        "gaps": {
            "machines": [
                {
                    "member": "zorn",
                    "machine": "cabine-1",
                    "missing": 0,
                    "ranges": [],
                    "restart": {"at_ms": 1, "top": 822, "number": 0},
                }
            ]
        }
    }
}
UNCLAIMED = {"net/v1/unclaimed/zorn": {"devices": [{"topic": "m/zorn/both1/tele/SENSOR"}]}}


@pytest.mark.parametrize(
    ("reading", "retained", "status", "said"),
    [
        (newest(10), {}, "ok", "newest reading 10 s old"),
        (newest(7200), {}, "unknown", "silent for 2 h"),
        (None, {}, "wrong", "has never sent anything"),
        (None, REJECTS, "wrong", 'field ENERGY.Power = "NaN": not a number'),
        (newest(10), ONE_OF_TWO, "wrong", 'field ENERGY.Power = "NaN": not a number'),
        (newest(10), LONG_PAST, "ok", "newest reading"),
        (None, UNCLAIMED, "wrong", "m/zorn/both1/tele/SENSOR speaks and belongs to no machine"),
        (newest(10, offset_s=3600), {}, "wrong", "clock is 1 h behind"),
        (newest(10, offset_s=-3600), {}, "wrong", "clock is 1 h ahead"),
        (newest(10) | {"ahead_ms": 3_600_000}, {}, "wrong", "clock is 1 h ahead"),
        (newest(10, offset_s=3600) | {"ahead_ms": -900}, {}, "ok", "newest reading"),
        (None, FUTURE, "wrong", "the device's clock is 1 h ahead"),
        (newest(10), GAPS, "unknown", "12 readings are missing between 10:02 and 10:05 (seq 811-821, 830)"),
        (newest(10), NORTHERN, "unknown", "12 readings are missing"),
        (newest(10), RESTART, "unknown", "its seq began again at 0 after 822, with the same boot"),
        (newest(10, power_w=12.0), {}, "wrong", "kW sent for W?"),
        (newest(10, power_w=None), {}, "ok", "newest reading"),
        (newest(10) | {"conflicts": 3}, {}, "unknown", "contradicted each other 3 times"),
    ],
)
def test_each_broken_link_is_named(
    reading: dict[str, Any] | None, retained: dict[str, Any], status: str, said: str
) -> None:
    step = judge_machine(KEY, MACHINE, reading, retained, NOW)
    assert (step.status, said in step.detail) == (status, True), step
    assert bool(step.todo) == (status != "ok")


def test_the_conclusion_is_the_first_thing_to_do() -> None:
    steps = [Step("registry", "ok", ""), Step("broker", "wrong", "refused", "start it"), Step("x", "wrong", "y", "z")]
    assert conclusion(steps) == "broker: refused. Do this: start it."
    assert further(steps) == ["x: y. Do this: z."]
    assert conclusion(steps[:1]) == "All is well: nothing to do."


async def test_many_findings_hide_no_program_from_it(tmp_path: Path) -> None:
    async with EmbeddedBroker(tmp_path) as broker:
        session, stop = Session(broker.address, client_id="programs"), asyncio.Event()
        running = asyncio.create_task(session.run(stop))
        for number in range(1_000):
            session.publish(f"net/v1/findings/zorn/machine-{number}/rule", b"{}", retain=True)
        session.publish("net/v1/health/ingest", b'{"alive": true}', retain=True)
        await session.flush()
        stop.set()
        await running
        heard = await listen_once(broker.address)
    assert heard.reached
    assert heard.retained["net/v1/health/ingest"] == {"alive": True}


def test_a_declared_offer_needs_no_telemetry() -> None:
    declared = MACHINE.model_copy(update={"offer": Offer(kind="declared")})
    step = judge_machine(KEY, declared, None, {}, NOW)
    assert (step.status, step.detail) == ("ok", "a declared offer, without telemetry")


@pytest.mark.parametrize(
    ("said", "status", "detail"),
    [
        ({"full": "0 bytes are free on the disk"}, "wrong", "takes nothing"),
        (
            {"full": "the quota", "filled_by": {"member": "oak", "share": 0.91}},
            "wrong",
            "the quota; 91% of the readings are from oak",
        ),
        (
            {
                "spool_full_in_s": 12_000,
                "spool_bytes": 10**9,
                "spool_quota_bytes": 8 * 10**9,
                "filled_by": {"member": "oak", "share": 0.91},
            },
            "wrong",
            "1000 MB wait (12% of its quota), and at this rate it is full in 3 h 20 min; 91% of the readings are from",
        ),
        (
            {"spool_full_in_s": 20, "filled_by": {"member": "oak", "share": 0.1}, "spool_quota_bytes": 1},
            "wrong",
            "it is full in 1 min; then the messages of all members",
        ),
        ({"spool_full_in_s": 90_000, "spool_readings": 5, "filled_by": None}, "ok", "5 readings wait"),
        ({"spool_full_in_s": None, "spool_readings": 5, "filled_by": None}, "ok", "5 readings wait"),
        ({"quarantine": {"batches": 2, "readings": 71}}, "wrong", "71 acknowledged readings in 2 batches"),
        ({"quarantine": {"batches": 0, "readings": 0}, "spool_readings": 5}, "ok", "5 readings wait"),
    ],
)
def test_the_spool(said: dict[str, Any], status: str, detail: str) -> None:
    (step,) = spool_step({"net/v1/health/ingest": {"alive": True, "full": None, **said}})
    assert (step.status, detail in step.detail) == (status, True)
    assert spool_step({}) == []


AT = 1_790_000_000_000


@pytest.mark.parametrize(
    ("losses", "detail", "todo"),
    [
        ([], "", ""),
        ([{"at": AT - 2 * 86_400_000, "reason": "long ago", "since": None}], "", ""),
        (
            [{"at": AT - 1_000, "reason": "session lost", "since": AT - 61_000}],
            "session lost; what was sent between 2026-09-21 14:12:19 UTC and 2026-09-21 14:13:19 UTC may be missing",
            "persistence true",
        ),
        (
            [{"at": AT - gone, "reason": "y", "since": None, "messages": 7} for gone in (9_000, 0)],
            "y (7 messages); what was sent before 2026-09-21 14:13:20 UTC may be missing, 2 such losses in a day",
            "max_queued_messages",
        ),
    ],
)
def test_what_the_broker_lost(losses: list[dict[str, Any]], detail: str, todo: str) -> None:
    steps = losses_step({"net/v1/health/ingest": {"alive": True, "losses": losses}}, AT)
    assert [(step.status, step.detail) for step in steps] == ([("wrong", detail)] if detail else [])
    assert all(todo in step.todo for step in steps)
    assert losses_step({}, AT) == []


def test_a_lost_session_is_said_beside_messages_thrown_away() -> None:
    lost = {"at": AT - 9_000, "reason": "session lost", "since": None}
    away = [{"at": AT - left, "reason": "thrown away", "since": None, "messages": 7} for left in (8_000, 0)]
    steps = losses_step({"net/v1/health/ingest": {"alive": True, "losses": [lost, *away]}}, AT)
    assert [step.detail.split(";")[0] for step in steps] == ["session lost", "thrown away (7 messages)"]
