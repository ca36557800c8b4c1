"""Several collectors on the operator's page: each is seen, their figures stand together, the flooder is named."""

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from accelerator.doctor_broker import listen_once
from accelerator.doctor_spool import spool_step
from bus.client import BrokerAddress
from fleet.topics import reading_topic
from gateway import collectors
from gateway.live import Live
from gateway.words import words
from ingest import filling
from ingest.level import Limits
from ingest.service import IngestConfig, run
from store.base import Store
from tests.gateway import world
from tests.gateway.running import Running, until_text
from tests.ingest.test_forwarder import Flaky
from tests.servers import Broker


def heard(*programs: tuple[str, dict[str, Any]]) -> Live:
    live = Live()
    for name, figures in programs:
        live.hear(f"net/v1/health/{name}", world.health(name, datetime.now(UTC), **figures))
    return live


def loud(member: str, rate: float) -> dict[str, Any]:
    return {"member": member, "rate": rate, "share": 0.4, "waiting": 12}


def test_one_is_expected_and_each_that_was_heard_is_there() -> None:
    assert collectors.names(heard()) == ["ingest"]
    assert collectors.names(heard(("ingest-north", {}), ("analytics", {}))) == ["ingest-north"]
    assert collectors.names(heard(("ingest-b", {}), ("ingest", {}), ("ingester", {}))) == ["ingest", "ingest-b"]


def test_messages_thrown_away_do_not_hide_a_lost_session() -> None:
    live = Live()
    live.hear("net/v1/session/ingest", b'{"at": 1, "program": "ingest", "reason": "lost"}')
    for each in range(60):
        text = f'{{"at": {each}, "program": "ingest", "reason": "thrown away", "messages": 7}}'
        live.hear("net/v1/session/ingest", text.encode())
    assert [(loss.reason, loss.at) for loss in live.losses][::5] == [("thrown away", 59), ("lost", 1)]
    assert len(live.losses) == 6


def test_figures_stand_together() -> None:
    live = heard(("ingest", {"rate": 10.0, "lag_ms": 5}), ("ingest-b", {"rate": 2.5, "lag_ms": 7}))
    assert collectors.figure(live, "rate") == 12.5
    assert collectors.figure(live, "lag_ms", max) == 7
    assert collectors.figure(live, "spool_bytes") is None


def test_the_formats_of_each_can_be_chosen() -> None:
    live = heard(
        ("ingest-a", {"formats": ["tasmota"]}), ("ingest-b", {"formats": ["tasmota", "umh"]}), ("ingest-c", {})
    )
    assert collectors.formats(live) == ["tasmota", "umh"]
    assert collectors.formats(heard()) == []


def test_the_flooder_is_named_the_worst_first() -> None:
    live = heard(("ingest", {"loud": [loud("ash", 900.0)]}), ("ingest-b", {"loud": [loud("<b>oak</b>", 2000.0)]}))
    found = collectors.floods(live, words("en", "Europe/Paris"))
    assert [text for _, text, _ in found] == [
        "<b>oak</b> floods the collector: 2,000\u202fmessages/s, 40% of all messages.",
        "ash floods the collector: 900\u202fmessages/s, 40% of all messages.",
    ]
    assert all("Its readings go apart" in todo for _, _, todo in found)


def test_a_flood_of_what_is_refused_is_not_said_to_go_apart() -> None:
    live = heard(("ingest", {"loud": [{**loud("ash", 900.0), "apart": False}]}))
    for language, said in (("fr", "qui attendent derrière eux"), ("de", "die dahinter warten"), ("en", "wait behind")):
        ((_, _, todo),) = collectors.floods(live, words(language, "Europe/Paris"))
        assert said in todo
        assert not any(word in todo for word in ("à part", "getrennt", "apart"))


def test_a_spool_that_fills_is_told_with_the_time_left_and_who_fills_it() -> None:
    fills = {"spool_full_in_s": 12_000, "filled_by": {"member": "<b>oak</b>", "share": 0.91}}
    live = heard(("ingest", fills), ("ingest-b", {"spool_full_in_s": 90_000}), ("ingest-c", {"spool_full_in_s": None}))
    for language, said in (
        (
            "fr",
            "La file d’attente sur disque de ingest est pleine dans 3\u202fh\u202f20\u202fmin à ce rythme. "
            "91\u202f% des relevés sont de <b>oak</b>.",
        ),
        (
            "de",
            "Die Warteschlange auf der Platte von ingest ist bei diesem Tempo in 3\u202fh\u202f20\u202fmin voll. "
            "91\u202f% der Messwerte sind von <b>oak</b>.",
        ),
        (
            "en",
            "The spool of ingest is full in 3\u202fh\u202f20\u202fmin at this rate. "
            "91% of the readings are from <b>oak</b>.",
        ),
    ):
        ((_, text, _),) = collectors.filling(live, words(language, "Europe/Paris"))
        assert text == said


def test_a_full_spool_is_told_and_a_member_that_sent_little_is_not_named() -> None:
    live = heard(("ingest", {"spool_full_in_s": 0, "filled_by": {"member": "ash", "share": 0.2}}))
    ((_, text, todo),) = collectors.filling(live, words("en", "Europe/Paris"))
    assert text == "The spool of ingest is full."
    assert "all members" in todo


@pytest.mark.parametrize(("left_s", "share"), [(86_399, 0.25), (86_399, 0.24), (86_400, 0.25)])
def test_the_page_and_the_doctor_tell_the_same(left_s: float, share: float) -> None:
    figures = {"spool_full_in_s": left_s, "filled_by": {"member": "ash", "share": share}}
    told = " ".join(text for _, text, _ in collectors.filling(heard(("ingest", figures)), words("en", "Europe/Paris")))
    body = world.health("ingest", datetime.now(UTC), **figures)
    (step,) = spool_step({"net/v1/health/ingest": json.loads(body)})
    assert bool(told) == (step.status == "wrong") == (left_s < 86_400)
    assert ("ash" in told) == ("ash" in step.detail) == (bool(told) and share >= 0.25)


def test_a_full_spool_is_told_once_with_its_reason() -> None:
    says = "the spool takes nothing: 8 bytes wait for the store; the quota is 9"
    live = heard(("ingest", {"spool_full_in_s": 0, "errors": ["another thing", says]}))
    for language, said in (
        ("fr", "La file d’attente sur disque de ingest est pleine\u00a0: 8 bytes wait"),
        ("de", "Die Warteschlange auf der Platte von ingest ist voll: 8 bytes wait"),
        ("en", "The spool of ingest is full: 8 bytes wait"),
    ):
        ((_, text, _),) = collectors.filling(live, words(language, "Europe/Paris"))
        assert text == f"{said} for the store; the quota is 9."
    assert collectors.why_full(live.health["ingest"]) == [says]


def test_an_older_collector_that_is_full_is_told_in_its_own_words() -> None:
    live = heard(("ingest", {"spool_full_in_s": None, "errors": ["the spool takes nothing: so it is"]}))
    assert collectors.why_full(live.health["ingest"]) == []


async def test_the_page_tells_a_full_spool_once(gateway: Running) -> None:
    says = "the spool takes nothing: 8 bytes wait for the store; the quota is 9"
    health = world.health("ingest", datetime.now(UTC), spool_full_in_s=0, errors=[says, "another thing"])
    await gateway.publish("net/v1/health/ingest", health, retain=True)
    page = await until_text(gateway, "/network", "est pleine")
    assert page.count("8 bytes wait for the store") == 1
    assert "La collecte signale\u00a0: another thing" in page


def test_what_an_older_collector_says_is_read() -> None:
    live = heard(("ingest", {}))
    french = words("fr", "Europe/Paris")
    assert (collectors.floods(live, french), collectors.filling(live, french), live.malformed) == ([], [], 0)


async def test_what_a_collector_with_a_name_misses_is_among_the_metrics(gateway: Running) -> None:
    health = world.health("ingest-north", datetime.now(UTC), gaps={"missing": 3})
    await gateway.publish("net/v1/health/ingest-north", health, retain=True)
    await until_text(gateway, "/metrics", 'name="missing",program="ingest-north"} 3.0')


async def test_a_flood_is_named_on_the_page(gateway: Running, mosquitto: Broker, store: Store, tmp_path: Path) -> None:
    """From real messages through a real collector: readings of one member, and what belongs to no machine."""
    config = IngestConfig(
        BrokerAddress.parse(mosquitto.url), gateway.fleet.folder, tmp_path / "data", limits=Limits(min_free_bytes=0)
    )
    stop = asyncio.Event()
    collector = asyncio.create_task(run(config, store, stop=stop))
    try:
        await until_text(gateway, "/metrics", 'resilian_program_alive{program="ingest"} 1.0')
        assert "inonde" not in await gateway.get("/network")
        at = int(datetime.now(UTC).timestamp() * 1000)
        quiet, loud = sorted(gateway.fleet.members)[:2]
        flood = [
            (f"m/{loud}/nowhere/reading", json.dumps({"at": at + number, "power_w": 1}).encode())
            for number in range(3000)
        ]
        await gateway.talk.publish_all([(f"m/{quiet}/nowhere/reading", flood[0][1]), *flood])
        page = await until_text(gateway, "/network", "inonde la collecte")
        assert f"{loud} inonde la collecte" in page
        assert f"{quiet} inonde" not in page
    finally:
        stop.set()
        await collector


async def test_a_spool_that_fills_is_told_on_the_page_before_it_is_full(
    gateway: Running, mosquitto: Broker, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real collector whose store does not answer, and a member that sends nine tenths of what comes."""
    monkeypatch.setattr(filling, "SPAN_S", 5.0)
    monkeypatch.setattr(filling, "LEAST_BYTES", 1_000)
    away = Flaky(store)
    away.open_gate.clear()
    config = IngestConfig(
        BrokerAddress.parse(mosquitto.url), gateway.fleet.folder, tmp_path / "data", limits=Limits(min_free_bytes=0)
    )
    stop, told = asyncio.Event(), asyncio.Event()
    collector = asyncio.create_task(run(replace(config, flush_s=0.1), away, stop=stop))
    quiet, loud = sorted(gateway.fleet.members)[:2]

    async def publishing() -> None:
        number = 0
        while not told.is_set():
            at = int(datetime.now(UTC).timestamp() * 1000)
            for member, count in ((quiet, 1), (loud, 9)):
                machine = gateway.fleet.members[member].machines[0].id
                body = [{"at": at - n, "power_w": 1000 + number % 7} for n in range(count)]
                await gateway.talk.publish_all([(reading_topic(member, machine), json.dumps(body).encode())])
            number += 1

    try:
        await until_text(gateway, "/metrics", 'resilian_program_alive{program="ingest"} 1.0')
        sending = asyncio.create_task(publishing())
        try:
            page = await until_text(gateway, "/network", "La file d’attente sur disque de ingest est pleine dans")
            (step,) = spool_step((await listen_once(config.broker)).retained)
        finally:
            told.set()
            await sending
        assert f"90\u202f% des relevés sont de {loud}." in page
        assert 'name="spool_full_in_s",program="ingest"}' in await gateway.get("/metrics")
        assert step.status == "wrong"
        assert f"90% of the readings are from {loud}" in step.detail
    finally:
        away.open_gate.set()
        stop.set()
        await collector
