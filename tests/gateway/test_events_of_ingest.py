"""What the collector says was attempted or damaged is seen by the operator: from a real message to page and metrics."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

from bus.client import BrokerAddress
from gateway import status
from gateway.messages import LONGEST, Health
from gateway.words import words
from ingest.service import IngestConfig, run
from ingest.spool import Limits
from store.base import Store
from tests.gateway import world
from tests.gateway.running import Running, until_text
from tests.servers import Broker

TOPIC = "m/alsalac/cabine-1/reading"


async def test_a_payload_that_names_another_member(
    gateway: Running, mosquitto: Broker, store: Store, tmp_path: Path
) -> None:
    assert "autre membre" not in await gateway.get("/network")
    stop = asyncio.Event()
    config = IngestConfig(
        BrokerAddress.parse(mosquitto.url), gateway.fleet.folder, tmp_path / "data", limits=Limits(min_free_bytes=0)
    )
    collector = asyncio.create_task(run(config, store, stop=stop))
    try:
        await until_text(gateway, "/metrics", 'name="claims",program="ingest"} 0.0')
        at = int(datetime.now(UTC).timestamp() * 1000)
        body = {"at": at, "power_w": 1.0, "member": "<b>other</b>"}
        await gateway.publish(TOPIC, json.dumps(body).encode())
        metrics = await until_text(gateway, "/metrics", 'name="claims",program="ingest"} 1.0')
        assert 'name="errors",program="ingest"} 0.0' in metrics
        assert "cabine" not in metrics
        html = await gateway.get("/network")
        assert "nomme un autre membre ou une autre machine que son sujet." in html
        assert f"{TOPIC} nomme «\u00a0&lt;b&gt;other&lt;/b&gt;" in html
        assert "Nachricht nennt ein anderes Mitglied" in await gateway.get("/network", language="de")
        assert "message names another member" in await gateway.get("/network", language="en")
        for seq in (1, 5):
            numbered = {"at": at + seq, "power_w": 1.0, "seq": seq, "boot": at}
            await gateway.publish(TOPIC, json.dumps(numbered).encode())
        html = await until_text(gateway, "/network", "relevés manquent")
        assert "alsalac.cabine-1" in html
        assert "2-4)." in html
        await until_text(gateway, "/metrics", 'name="missing",program="ingest"} 3.0')
    finally:
        stop.set()
        await collector


def heard(**figures: object) -> Health:
    return Health.model_validate_json(world.health("ingest", datetime.now(UTC), **figures))


def test_damage_is_said_in_each_language() -> None:
    known = "registry: members/x.toml: name: missing"
    health = heard(errors=["batch 3 of the spool is put aside", known], damages=1)
    for language, text in (("fr", "La collecte signale"), ("de", "Die Erfassung meldet"), ("en", "The collector")):
        spoken = words(language, "Europe/Paris")
        ((cost, line, todo),) = status.reports(health, spoken, {known})
        assert line.startswith(text)
        assert line.endswith("batch 3 of the spool is put aside")
        assert todo
        assert cost > 80, "damage costs more than a store that is away"


def test_texts_of_devices_are_cut() -> None:
    health = heard(
        claims=1, contradictions=[{"at": 1, "topic": "m/" + "x" * 9_000, "field": "member", "name": "y" * 999}]
    )
    ((_, _, todo),) = status.reports(health, words("en", "Europe/Paris"))
    assert len(todo) < 2 * LONGEST + 200


def test_a_collector_that_is_gone_or_content_reports_nothing() -> None:
    spoken = words("fr", "Europe/Paris")
    assert status.reports(None, spoken) == []
    assert status.reports(heard(), spoken) == []
    assert status.reports(heard(alive=False, errors=["old"]), spoken) == []
