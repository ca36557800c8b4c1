"""What no one foresaw: a designed page in the visitor's language, and nothing of the inside on it."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.types import Message

from bus.client import BrokerAddress
from fleet import clock
from gateway.app import create_app
from gateway.config import GatewayConfig
from gateway.live import Live
from gateway.looked import Looks
from gateway.metrics import Metrics
from gateway.picture import Picture
from gateway.web import Site
from store.base import Store
from tests.gateway import world_registry

SECRET = "password=hunter2"


@pytest.fixture
def app(tmp_path: Path, store: Store) -> FastAPI:
    fleet = world_registry.write_registry(tmp_path / "fleet", clock.now())
    config = GatewayConfig(BrokerAddress.parse("mqtt://127.0.0.1:1"), fleet.folder)
    made = create_app(Site(config, Picture(store, fleet), Live(), Metrics(), Looks(store, clock.now)))

    async def broken() -> None:
        raise RuntimeError(SECRET)

    made.add_api_route("/broken", broken)
    made.add_api_route("/api/v1/broken", broken)
    return made


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.ERROR, logger="gateway.problems"):
        yield caplog


async def get(app: FastAPI, path: str, language: str) -> tuple[int, dict[str, str], str]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"host", b"127.0.0.1"), (b"accept-language", language.encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    answered = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:]).decode()


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("fr", "Quelque chose s’est mal passé ici"),
        ("de", "Hier ist etwas schiefgegangen"),
        ("en", "Something went wrong here"),
    ],
)
async def test_a_page_in_the_visitors_language_without_internals(
    app: FastAPI, quiet: pytest.LogCaptureFixture, language: str, title: str
) -> None:
    status, headers, text = await get(app, "/broken", language)
    assert status == 500
    assert title in text
    assert "default-src 'none'" in headers["content-security-policy"]
    assert SECRET not in text
    assert "Traceback" not in text
    assert "RuntimeError" not in text
    reference = quiet.records[0].getMessage().split()[1].rstrip(":")
    assert reference in text
    assert SECRET in (quiet.text)


async def test_the_api_answers_a_problem(app: FastAPI, quiet: pytest.LogCaptureFixture) -> None:
    status, headers, text = await get(app, "/api/v1/broken", "fr")
    assert (status, headers["content-type"]) == (500, "application/problem+json")
    assert json.loads(text)["title"] == "unforeseen"
    assert SECRET not in text
    assert len(quiet.records) == 1


async def test_even_a_frame_that_fails_leaves_a_sentence(app: FastAPI, quiet: pytest.LogCaptureFixture) -> None:
    app.state.site.picture.registry = None
    status, _, text = await get(app, "/", "de")
    assert status == 500
    assert "Hier ist etwas schiefgegangen" in text
    assert "NoneType" not in text
    assert len(quiet.records) == 2
