"""The stream of offers tells a visitor of the offers it may read, and of nothing else."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest

from fleet import edit
from fleet.network import Answer
from fleet.records import Finding, FindingStatus
from gateway import events
from tests.gateway import world
from tests.gateway.running import Running, until_text
from tests.patience import PATIENCE_S

ROLES = ("coordinator", "owner:declare")


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compared more often than in earnest."""
    monkeypatch.setattr(events.OffersVoice, "every_s", 0.3)


@contextlib.asynccontextmanager
async def stream(gateway: Running, role: str, path: str = "/events?offers=1") -> AsyncIterator[aiohttp.StreamReader]:
    async with gateway.client.get(gateway.url + path, cookies={"resilian_visit": role}) as answer:
        assert answer.status == 200
        assert (await answer.content.readline()).startswith(b"retry")
        yield answer.content


async def beats(content: aiohttp.StreamReader, number: int) -> list[str]:
    """The names of the events until so many comparisons have been made."""
    found = []
    async with asyncio.timeout(PATIENCE_S):
        while number:
            line = (await content.readline()).decode()
            number -= line.startswith(":")
            if line.startswith("event: "):
                found.append(line[7:].strip())
    return found


@pytest.mark.parametrize("role", ["startup", "operator"])
async def test_neither_startup_nor_operator_hears_of_offers(gateway: Running, role: str) -> None:
    await gateway.as_visitor(role).get("/events?offers=1", 404)
    await gateway.as_visitor(role).get("/events?offers=1&audience=network", 404)


async def test_a_private_flag_and_a_private_change_are_not_told(gateway: Running) -> None:
    async with contextlib.AsyncExitStack() as stack:
        heard = [await stack.enter_async_context(stream(gateway, role)) for role in ROLES]
        for content in heard:
            await beats(content, 2)
        finding = Finding(
            member="secret", machine="tour-1", rule=world.RULE, status=FindingStatus.FLAGGED, since=gateway.now,
            reason="private", evidence={},
        )  # fmt: skip
        await gateway.publish(f"net/v1/findings/secret/tour-1/{world.RULE}", finding.model_dump_json().encode())
        await gateway.publish("net/v1/touched/secret", world.touched("tour-1", datetime.now(UTC), state="FAULT"))
        answer = Answer(machine="tour-1", rule=world.RULE, answer="wrong", because="réponse privée", at=gateway.now)
        edit.set_answer(gateway.fleet.folder, "secret", answer)
        await until_text(gateway, "/home?member=secret", "réponse privée")
        await until_text(gateway, "/api/v1/machines/secret/tour-1", '"FAULT"')
        for content in heard:
            assert await beats(content, 6) == []


async def test_an_offer_that_changes_is_told_to_those_who_read_it(gateway: Running) -> None:
    async with contextlib.AsyncExitStack() as stack:
        paths = [("coordinator", ""), ("owner:declare", ""), ("coordinator", "&audience=network")]
        heard = [
            await stack.enter_async_context(stream(gateway, role, "/events?offers=1" + more)) for role, more in paths
        ]
        edit.set_consent(
            gateway.fleet.folder,
            "alsalac",
            {"machine": "cabine-1", "recipient": "members", "level": "none", "purpose": "retrait",
             "since": gateway.now.date() - timedelta(days=1)},
        )  # fmt: skip
        for content in heard[1:]:
            async with asyncio.timeout(PATIENCE_S):
                while not await beats(content, 1):
                    pass
        assert await beats(heard[0], 1) == []
