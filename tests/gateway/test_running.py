"""Starting, stopping, and what happens when a part is away."""

import asyncio
import json
import re
import socket
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

import store as stores
from bus.client import BrokerAddress
from fleet import registry
from fleet.registry import Registry
from gateway.config import GatewayConfig, NotLoopback
from gateway.service import PortTaken
from tests.gateway import world
from tests.gateway.running import Running, Starter, serving, until_text
from tests.patience import PATIENCE_S
from tests.servers import Broker, InfluxServer


def empty(folder: Path, now: datetime) -> Registry:
    return registry.init(folder, name="Réseau vide", commune="Haguenau", timezone="Europe/Paris")


async def test_empty_network_is_a_designed_page(start: Starter) -> None:
    running = await start(empty, past=False)
    assert "Aucun membre n’est encore inscrit" in await running.get("/")
    assert "resilian member add" in await running.get("/home")
    await running.get("/network")


@pytest.mark.parametrize(
    "listen",
    [
        "0.0.0.0",  # noqa: S104  # refused, not bound
        "192.168.1.4",
        "::",
        "example.org",
    ],
)
def test_refuses_to_listen_beyond_loopback(listen: str, tmp_path: Path) -> None:
    with pytest.raises(NotLoopback, match=r"no accounts yet and listens on 127\.0\.0\.1"):
        GatewayConfig(BrokerAddress("127.0.0.1"), tmp_path, listen=listen)


async def test_port_in_use_is_one_clear_sentence(start: Starter) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"port {port} of 127.0.0.1 is in use by another program: stop it"):
            await start(empty, past=False, port=port)


async def test_stop_ends_open_streams(gateway: Running) -> None:
    async with gateway.client.get(gateway.url + "/events?member=alsalac") as stream:
        assert (await stream.content.readline()).startswith(b"retry")
        gateway.stop.set()
        await gateway.done
        with pytest.raises((aiohttp.ClientError, ConnectionError)):
            await gateway.client.get(gateway.url + "/healthz")


@pytest.mark.influxd
async def test_store_away_is_said_and_pages_still_render(
    tmp_path: Path, mosquitto: Broker, own_influxd: InfluxServer
) -> None:
    place = own_influxd.organisation()
    store = stores.connect(place.url, token=place.token)
    await store.open()
    start = Starter(tmp_path / "fleet", BrokerAddress.parse(mosquitto.url), store)
    gateway = await start()
    try:
        await serving(gateway)
        own_influxd.kill()
        html = await gateway.get("/machines/alsalac/cabine-1")
        assert "L’historique ne peut pas être lu" in html
        assert "au moins, dans 11 semaines sur 12" in html
        assert "La base de données ne répond pas depuis" in await gateway.get("/")
        ready = json.loads(await gateway.get("/readyz", 503))
        assert ready["store"] is False
        assert ready["reasons"]
        await gateway.get("/healthz")
        await gateway.get("/api/v1/machines/alsalac/cabine-1/hours", 503)
        offer = re.search(r'action="/offers/([0-9a-f]+)"', await gateway.get("/"))
        assert offer is not None
        assert "Rien n’a été changé" in await gateway.post(f"/offers/{offer[1]}", 503, status="talking")
        own_influxd.start()
        await serving(gateway)
        assert "La base de données ne répond pas" not in await gateway.get("/")
    finally:
        await start.end()
        await store.close()


async def test_broker_away_is_said(gateway: Running, mosquitto: Broker) -> None:
    mosquitto.kill()
    html = await until_text(gateway, "/", "Sans liaison avec le courtier")
    assert "Peinture" in html
    assert json.loads(await gateway.get("/readyz", 503))["broker"] is False
    mosquitto.start()
    await serving(gateway)


async def test_progress_of_the_history_is_shown(gateway: Running) -> None:
    await gateway.publish(
        "net/v1/health/analytics", world.health("analytics", datetime.now(UTC), progress={"done": 42, "waiting": 58})
    )
    html = await until_text(gateway, "/", "L’historique est en cours d’arrivée")
    assert "42\u202f%" in html
    assert "<progress" in html


async def test_stopped_collector_is_said_on_every_page(gateway: Running) -> None:
    gone = json.dumps({"program": "ingest", "alive": False, "at": int(time.time() * 1000)}).encode()
    await gateway.publish("net/v1/health/ingest", gone, retain=True)
    await until_text(gateway, "/", "La collecte est arrêtée")
    assert "La collecte est arrêtée" in await gateway.get("/machines/alsalac/cabine-1")


async def test_operator_sees_rejects_and_unclaimed_devices(gateway: Running) -> None:
    now = int(time.time() * 1000)
    newest = {"at": now, "topic": "m/alsalac/x/reading", "reason": "power_w: <NaN>", "field": "power_w"}
    rejects = {"at": now, "total": 3, "by_reason": {"NaN": 3}, "newest": [newest]}
    device = {
        "topic": "m/alsalac/tele/plug",
        "first": now,
        "last": now,
        "messages": 2,
        "prefix": "{secret",
        "guess": None,
    }
    await gateway.publish("net/v1/rejects/alsalac", json.dumps(rejects).encode(), retain=True)
    await gateway.publish(
        "net/v1/unclaimed/alsalac", json.dumps({"at": now, "total": 2, "devices": [device]}).encode(), retain=True
    )
    html = await until_text(gateway, "/network", "m/alsalac/tele/plug")
    assert "3\u202fmessages refusés." in html or "3 messages refusés." in html
    assert "power_w: &lt;NaN&gt;" in html
    assert "{secret" not in html
    body = json.loads(await gateway.get("/api/v1/network"))
    assert body["rejects"] == {"NaN": 3}
    assert body["unclaimed"] == 1


async def test_malformed_messages_are_counted_and_change_nothing(gateway: Running) -> None:
    await gateway.publish("net/v1/touched/alsalac", b"\xff not JSON")
    await gateway.publish("net/v1/health/ingest", b'{"program": 3}')
    await until_text(gateway, "/metrics", "resilian_gateway_malformed 2.0")
    await gateway.get("/")


async def test_events_tell_the_owner_of_a_new_state(gateway: Running) -> None:
    async with gateway.client.get(gateway.url + "/events?machine=alsalac.cabine-1") as stream:
        assert (await stream.content.readline()).startswith(b"retry")
        await gateway.publish(
            "net/v1/touched/alsalac", world.touched("cabine-1", datetime.now(UTC), state="FAULT", power_w=4321.0)
        )
        async with asyncio.timeout(PATIENCE_S):
            async for line in stream.content:
                if line.startswith(b"data: ") and b"en panne" in line:
                    said = json.loads(line[6:])
                    break
    assert said["machine"] == "alsalac.cabine-1"
    assert said["power"] == "4,3\u202fkW"
    assert said["silent"] is False
    assert "en panne</strong>" in await gateway.get("/machines/alsalac/cabine-1")


async def test_forms_from_elsewhere_and_foreign_hosts_are_refused(gateway: Running) -> None:
    await gateway.post("/visit", 403, origin="https://elsewhere.example", role="operator")
    await gateway.get("/", 403, Host="elsewhere.example")
    async with gateway.client.post(gateway.url + "/visit", headers={"Sec-Fetch-Site": "cross-site"}) as answer:
        assert answer.status == 403


async def test_security_headers_everywhere(gateway: Running) -> None:
    for path in ("/", "/static/style.css", "/api/v1/offers", "/nothing", "/healthz"):
        async with gateway.client.get(gateway.url + path) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_problems_of_the_api_name_field_value_and_rule(gateway: Running) -> None:
    body = json.loads(await gateway.get("/api/v1/machines/alsalac/cabine-1/hours?start=hier", 422))
    assert body["errors"][0]["field"] == "start"
    assert body["errors"][0]["value"] == "hier"
    await gateway.get("/api/v1/machines/alsalac/cabine-1/hours?start=2020-01-01T00:00:00Z", 422)
    hours = json.loads(await gateway.get("/api/v1/machines/alsalac/cabine-1/hours"))
    assert all(sum(hour["seconds"].values()) <= 3600 for hour in hours)
    assert len(hours) > 160


async def test_openapi_describes_the_api_and_not_the_pages(gateway: Running) -> None:
    paths = json.loads(await gateway.get("/openapi.json"))["paths"]
    assert "/api/v1/offers" in paths
    assert "/" not in paths
    await gateway.get("/docs", 404)


async def test_outside_the_demo_there_is_no_bar_and_no_role(start: Starter) -> None:
    running = await start(demo=False)
    await serving(running)
    html = await running.as_visitor("coordinator").get("/machines/alsalac/cabine-1")
    assert 'class="demo"' not in html
    await running.post("/visit", 404, role="operator")
