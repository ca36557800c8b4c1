"""Input that no browser sends: refused in a designed way, with every security header, and told to nobody else."""

import asyncio
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import store as stores
from bus.client import BrokerAddress
from gateway.security import HEADERS
from tests.gateway.running import Running, Starter, until_text
from tests.servers import Broker, free_port

HOURS = "/api/v1/machines/alsalac/cabine-1/hours"


async def raw(running: Running, head: str) -> tuple[int, str, str]:
    """Status, head and body of the answer to a request as it stands."""
    address = urlsplit(running.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    writer.write((head + "Connection: close\r\n\r\n").encode())
    text = (await reader.read()).decode()
    writer.close()
    answered, _, body = text.partition("\r\n\r\n")
    return int(answered.split()[1]), answered.lower(), body


HOSTS = ("[", "[::1", "[::1]]", "[127.0.0.1", "", "::1:80:80", "127.0.0.1:http", "\u2603")
ORIGINS = ("http://[", "http://[::1", "null", "//")
FILTERS = (
    "hours=inf", "hours=1e400", "hours=nan", "hours=1e300", "km=1e300", "size=1e300x1e300", "size=inf",
    "first=0001-01-01", "last=9999-12-31", "first=2101-01-01",
)  # fmt: skip
INSTANTS = (
    "end=0001-01-01T00:00:00Z", "end=9999-12-31T23:59:59-23:59", "start=0001-01-01T00:00:00%2B14:00",
    "start=1999-12-31T00:00:00Z", "start=2101-01-01T00:00:00Z&end=2101-01-02T00:00:00Z", "end=1e400",
)  # fmt: skip
NO_ROLES = (
    "coordinator:\u2603", "coordinator:", "coordinator:alsalac", "operator:x", "foo:alsalac", ":alsalac", "owner:",
    "owner", "owner:nobody", "owner:alsalac:x", "network", "Coordinator", " coordinator",
)  # fmt: skip


async def test_an_unreadable_host_is_refused(gateway: Running, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        for host in HOSTS:
            status, answered, body = await raw(gateway, f"GET / HTTP/1.1\r\nHost: {host}\r\n")
            assert status == 403, host
            for name in (*HEADERS, "Cache-Control"):
                assert f"\r\n{name.lower()}: " in answered, host
            assert "Traceback" not in body, host
    assert not caplog.records


async def test_an_unreadable_origin_is_refused(gateway: Running) -> None:
    for origin in ORIGINS:
        await gateway.post("/visit", 403, origin=origin, role="operator")


async def test_a_filter_out_of_bounds_is_named_and_left_aside(gateway: Running) -> None:
    unfiltered = (await gateway.get("/")).count('class="offer"')
    for query in FILTERS:
        html = await gateway.get(f"/?{query}")
        assert "Filtre laissé de côté" in html, query
        assert html.count('class="offer"') == unfiltered, query


async def test_an_instant_out_of_bounds_is_a_problem(gateway: Running) -> None:
    for query in INSTANTS:
        async with gateway.client.get(f"{gateway.url}{HOURS}?{query}") as answer:
            assert answer.status == 422, query
            assert answer.headers["Cache-Control"] == "no-store"
            assert set(HEADERS) <= set(answer.headers)
            assert json.loads(await answer.text())["title"] == "invalid value"


async def test_only_exact_roles_are_taken(gateway: Running) -> None:
    for role in NO_ROLES:
        assert "n’existe pas" in await gateway.post("/visit", 404, role=role), role


async def test_exact_roles_are_taken_and_a_forged_cookie_is_none(gateway: Running) -> None:
    for role in ("", "coordinator", "operator", "startup", "owner:alsalac"):
        await gateway.post("/visit", role=role)
    for role in ("coordinator:x", "foo:alsalac", "owner:nobody"):
        html = await gateway.as_visitor(role).get("/")
        assert "selected>" not in html.split("</aside>")[0]


async def test_a_day_out_of_bounds_is_not_kept(gateway: Running) -> None:
    html = await gateway.get("/")
    offer = html.split('action="/offers/')[1].split('"')[0]
    await gateway.post(f"/offers/{offer}", status="reserved", job_day="0001-01-01", last_contact="9999-12-31")
    assert "9999" not in await gateway.get("/")
    await gateway.post("/requests", 422, trade="paint", hours="inf", before="2030-01-01")
    await gateway.post("/requests", 422, trade="paint", hours="8", before="9999-12-31")


async def test_texts_of_the_store_are_the_operators_alone(tmp_path: Path, mosquitto: Broker) -> None:
    port = free_port()
    store = stores.connect(f"influxdb+http://127.0.0.1:{port}?org=nobody", token="none")
    start = Starter(tmp_path / "fleet", BrokerAddress.parse(mosquitto.url), store)
    gateway = await start(past=False)
    try:
        assert str(port) in await gateway.as_visitor("operator").get("/readyz", 503)
        for role in ("", "coordinator", "startup", "owner:alsalac"):
            visitor = gateway.as_visitor(role)
            answers = [await visitor.get("/readyz", 503)]
            if role in ("", "owner:alsalac"):
                answers.append(await visitor.get(HOURS, 503))
            for text in answers:
                assert "store: it does not answer" in text
                assert str(port) not in text.replace(gateway.url, "")
        assert json.loads(await gateway.get("/readyz", 503))["store"] is False
    finally:
        await start.end()
        await store.close()


async def test_a_hostile_topic_is_cut_and_rows_are_bounded(gateway: Running) -> None:
    now = int(datetime.now(UTC).timestamp() * 1000)
    long = "m/alsalac/" + "x" * 60_000
    newest = {"at": now, "topic": long, "reason": long, "field": long}
    rejects = {
        "at": now,
        "total": 3,
        "by_reason": {f"{number}{long}": 3 for number in range(40)},
        "newest": [newest] * 40,
    }
    guess = {"format": long, "score": 0.5, "reason": long}
    devices = [{"topic": f"{number}{long}", "first": now, "last": now, "guess": guess} for number in range(90)]
    await gateway.publish("net/v1/rejects/alsalac", json.dumps(rejects).encode(), retain=True)
    await gateway.publish(
        "net/v1/unclaimed/alsalac", json.dumps({"at": now, "total": 90, "devices": devices}).encode(), retain=True
    )
    loss = {"at": now, "program": long, "reason": long}
    await gateway.publish("net/v1/session/ingest", json.dumps(loss).encode())
    html = await until_text(gateway, "/network", "Sessions perdues")
    html = await until_text(gateway, "/network", "0m/alsalac")
    assert "x" * 100 in html
    assert "x" * 121 not in html
    assert len(html) < 100_000
