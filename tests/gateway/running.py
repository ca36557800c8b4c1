"""A gateway as people meet it: real files, a real store, a real broker, real HTTP on a free port."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bus.client import BrokerAddress, Session
from fleet.registry import Registry
from gateway.config import Door, GatewayConfig
from gateway.service import run
from store.base import Store
from tests.gateway import world, world_registry
from tests.patience import PATIENCE_S


@dataclass
class Running:
    """A gateway that answers: ``get`` and ``post`` speak for a visitor who wants French unless told otherwise."""

    url: str
    fleet: Registry
    now: datetime
    client: aiohttp.ClientSession
    talk: Session
    stop: asyncio.Event
    done: "asyncio.Task[None]"
    cookies: dict[str, str] = field(default_factory=dict)

    def as_visitor(self, role: str) -> "Running":
        """The same gateway seen in a role of the demo."""
        return replace(self, cookies={"resilian_visit": role})

    async def get(self, path: str, expect: int = 200, language: str = "fr", **headers: str) -> str:
        wanted = {"Accept-Language": language, **headers}
        async with self.client.get(
            self.url + path, headers=wanted, cookies=self.cookies, allow_redirects=False
        ) as answer:
            text = await answer.text()
            assert answer.status == expect, f"{path}: {answer.status}\n{text[:2000]}"
            return text

    async def post(self, path: str, expect: int = 303, origin: str | None = None, **fields: str) -> str:
        headers = {"Origin": origin or self.url, "Accept-Language": "fr"}
        async with self.client.post(
            self.url + path, data=fields, headers=headers, cookies=self.cookies, allow_redirects=False
        ) as answer:
            text = await answer.text()
            assert answer.status == expect, f"{path}: {answer.status}\n{text[:2000]}"
            return str(answer.headers.get("Location", text))

    async def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        await self.talk.publish_all([(topic, payload)], retain=retain)


@dataclass
class Starter:
    """Starts gateways on one broker and one store; each ends with the test."""

    folder: Path
    broker: BrokerAddress
    store: Store
    started: list[tuple[Running, "asyncio.Task[None]"]] = field(default_factory=list)

    async def __call__(
        self,
        write: Callable[[Path, datetime], Registry] = world_registry.write_registry,
        *,
        past: bool = True,
        demo: bool = True,
        port: int = 0,
        logins: Path | None = None,
        requests: Path | None = None,
    ) -> Running:
        now = datetime.now(UTC)
        fleet = write(self.folder, now)
        if past:
            await world.furnish(self.store, fleet, now)
        stop, urls = asyncio.Event(), asyncio.Queue[str]()
        config = GatewayConfig(
            broker=self.broker,
            fleet_dir=self.folder,
            port=port,
            demo=demo,
            door=Door(self.broker, logins, requests=requests),
            on_ready=urls.put_nowait,
        )
        done = asyncio.create_task(run(config, self.store, stop=stop))
        url = asyncio.create_task(urls.get())
        await asyncio.wait({url, done}, return_when=asyncio.FIRST_COMPLETED)
        if done.done():
            url.cancel()
            await done
        talk = Session(self.broker, client_id=f"talk-{len(self.started)}", session_expiry_s=0)
        talking = asyncio.create_task(talk.run(stop))
        running = Running(
            url.result().rstrip("/"),
            fleet,
            now,
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)),
            talk,
            stop,
            done,
        )
        self.started.append((running, talking))
        return running

    async def end(self) -> None:
        for running, talking in self.started:
            running.stop.set()
            await asyncio.gather(running.done, talking)
            await running.client.close()


async def serving(running: Running) -> None:
    """Return when store and broker are there and the first picture is made."""
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            async with running.client.get(running.url + "/readyz") as answer:
                if answer.status == 200 and "au moins, dans" in await running.get("/machines/alsalac/cabine-1"):
                    return


async def until_text(running: Running, path: str, text: str) -> str:
    """The page in French, as soon as it is there and says the text; each turn waits for the gateway's answer."""
    wanted = {"Accept-Language": "fr"}
    async with asyncio.timeout(PATIENCE_S):
        for _ in iter(int, 1):
            async with running.client.get(running.url + path, headers=wanted, cookies=running.cookies) as answer:
                if text in (html := await answer.text()):
                    return html
    raise AssertionError
