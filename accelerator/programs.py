"""Puts the programs together: one of them alone, or all in one process with an embedded broker and store."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import structlog

from accelerator import jobs, lifetime, owner
from accelerator.opening import broker_address, make_folder, open_store
from accelerator.places import broker_beside
from accelerator.problems import Missing, Usage
from accelerator.settings import Settings
from bus.client import BrokerAddress
from bus.embedded import BrokerUnavailable, EmbeddedBroker
from fleet.registry import RegistryMissing
from fleet.topics import collector_program
from store import Store

if TYPE_CHECKING:
    from gateway.config import Door

log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What every program needs: a broker, an open store, the registry's folder, a folder for its own files.

    ``devices`` is where an embedded broker listens for devices, which speak MQTT 3.1.1 as a rule.
    """

    broker: BrokerAddress
    store: Store
    settings: Settings
    devices: BrokerAddress | None = None


@asynccontextmanager
async def assembled(settings: Settings, ports: tuple[int, int] = (0, 0)) -> AsyncIterator[Parts]:
    """The parts of an all-in-one process; embedded where the settings name none.

    Args:
        ports: of an embedded broker, for MQTT 5 and 3.1.1; 0 takes a free one.

    Raises:
        Missing: the folder is in use or cannot be written, or a part cannot be had.
    """
    running = owner.find(settings.run_file)
    if running is not None:
        raise Missing(
            f"{settings.data_dir} is in use by pid {running.pid} ({running.gateway}); "
            "stop it, or choose another folder with RESILIAN_DATA_DIR or --data"
        )
    make_folder(settings.data_dir)
    async with AsyncExitStack() as stack:
        external = settings.store is not None and not settings.store.startswith("duckdb:")
        store = await stack.enter_async_context(open_store(settings, patient=external))
        if settings.broker is None:
            embedded = await stack.enter_async_context(_embedded(settings, ports))
            yield Parts(embedded.address, store, settings, embedded.address_v4)
        else:
            yield Parts(broker_address(settings.broker), store, settings)


@asynccontextmanager
async def _embedded(settings: Settings, ports: tuple[int, int]) -> AsyncIterator[EmbeddedBroker]:
    def restarted(reason: str) -> None:
        log.warning("the embedded broker was started again", reason=reason, lost="what it had not delivered yet")

    broker = EmbeddedBroker(settings.data_dir / "broker", port=ports[0], port_v4=ports[1], on_restart=restarted)
    try:
        await broker.__aenter__()
    except BrokerUnavailable as error:
        raise Missing(f"embedded broker: {error}; or name another broker with RESILIAN_BROKER") from None
    try:
        log.info(
            "embedded broker", data=str(settings.data_dir), mqtt5=str(broker.address), mqtt3=str(broker.address_v4)
        )
        yield broker
    finally:
        await broker.__aexit__()


async def _fleet_there(program: Awaitable[None]) -> None:
    """A program to its end.

    Raises:
        Missing: there is no network, or one that this version cannot read.
    """
    try:
        await program
    except RegistryMissing as error:
        raise Missing(str(error)) from None


def ingest_part(parts: Parts, name: str = "", members: frozenset[str] = frozenset()) -> lifetime.Part:
    """The collector, or one of several: that of this name, which begins with these members."""
    from ingest.errors import MemberClaimed, SpoolFull, SpoolNewer
    from ingest.service import IngestConfig, run

    config = IngestConfig(
        broker=parts.broker,
        fleet_dir=parts.settings.fleet,
        data_dir=parts.settings.data_dir / collector_program(name),
        name=name,
        members=members,
        system_topics=parts.settings.broker is not None,
    )

    async def part(stop: asyncio.Event) -> None:
        try:
            await _fleet_there(run(config, parts.store, stop=stop))
        except (SpoolNewer, SpoolFull) as error:
            raise Missing(f"the spool: {error}") from None
        except MemberClaimed as error:
            raise Usage(f"--members: {error}") from None

    return part


def analytics_part(parts: Parts) -> lifetime.Part:
    """The analytics worker."""
    from analytics.worker import WorkerConfig, run

    config = WorkerConfig(broker=parts.broker, fleet_dir=parts.settings.fleet)
    return lambda stop: _fleet_there(run(config, parts.store, stop=stop))


def gateway_part(parts: Parts, ready: Callable[[str], None], *, demo: bool = False) -> lifetime.Part:
    """The gateway; ``ready`` is called with its URL once it listens."""
    from gateway.service import GatewayConfig, NotLoopback, PortTaken, run

    try:
        config = GatewayConfig(
            broker=parts.broker,
            fleet_dir=parts.settings.fleet,
            listen=parts.settings.listen,
            port=parts.settings.port,
            demo=demo,
            door=_door(parts),
            on_ready=ready,
        )
    except NotLoopback as error:
        raise Missing(f"RESILIAN_LISTEN = {parts.settings.listen}: {error}") from None

    async def part(stop: asyncio.Event) -> None:
        try:
            await _fleet_there(run(config, parts.store, stop=stop))
        except PortTaken as error:
            raise Missing(f"{error}; choose another with --port or RESILIAN_PORT") from None

    return part


def _door(parts: Parts) -> "Door":
    """Where devices connect, and the folder of the broker's logins, or of requests for them, beside the fleet's."""
    from gateway.config import Door

    if parts.devices is not None:
        return Door(parts.devices, anonymous=True)
    beside = broker_beside(parts.settings.fleet)
    folder, asked = (place if place.is_dir() else None for place in (beside / "secrets", beside / "requests"))
    address = replace(parts.broker, user=None, password=None)
    return Door(address, folder, anonymous=parts.broker.user is None, requests=None if folder else asked)


@asynccontextmanager
async def owning(parts: Parts) -> AsyncIterator[Callable[[str], None]]:
    """Serve other commands and write ``run.json`` once the gateway's URL is told to the yielded callable."""
    table = jobs.table(parts.store, parts.settings)
    async with owner.serving(table) as (control, token):

        def told(gateway: str) -> None:
            running = owner.Running(
                pid=os.getpid(),
                broker=parts.broker.url,
                gateway=gateway,
                store=parts.settings.store_url,
                fleet=str(parts.settings.fleet.absolute()),
                control=control,
                token=token,
            )
            owner.write(parts.settings.run_file, running)

        try:
            yield told
        finally:
            owner.remove(parts.settings.run_file)


async def run_alone(program: str, settings: Settings, *, name: str = "", members: frozenset[str] = frozenset()) -> None:
    """Run ingest, analytics or gateway alone, towards an external broker and store.

    Raises:
        Missing: broker or store are not named.
    """
    if settings.broker is None or settings.store is None:
        lacking = " and ".join(
            n for n, v in (("RESILIAN_BROKER", settings.broker), ("RESILIAN_STORE", settings.store)) if v is None
        )
        raise Missing(
            f"{program} alone needs a broker and a store that other programs reach too: set {lacking}; "
            "or run `resilian up`, which brings both embedded"
        )
    make_folder(settings.data_dir)
    stop = asyncio.Event()
    lifetime.stop_on_signals(stop)
    async with open_store(settings, patient=not settings.store.startswith("duckdb:")) as store:
        parts = Parts(broker_address(settings.broker), store, settings)
        chosen = {
            "ingest": lambda: ingest_part(parts, name, members),
            "analytics": lambda: analytics_part(parts),
            "gateway": lambda: gateway_part(parts, lambda url: None),
        }[program]()
        await lifetime.run_parts({program: chosen}, stop)


async def run_up(settings: Settings, *, for_seconds: float | None = None) -> None:
    """Ingest, analytics and gateway in one process, with what the settings leave embedded.

    Raises:
        Missing: the fleet's folder holds no network, or a part cannot be had.
    """
    jobs.ensure_network(settings.fleet)
    jobs.loaded(settings.fleet)
    stop = asyncio.Event()
    lifetime.stop_on_signals(stop)
    port = settings.device_port
    async with assembled(settings, (port, port + 1) if port else (0, 0)) as parts:
        await run_together(parts, {}, stop, for_seconds=for_seconds)


async def run_together(
    parts: Parts,
    before: dict[str, lifetime.Part],
    stop: asyncio.Event,
    *,
    for_seconds: float | None = None,
    demo: bool = False,
) -> None:
    """Run the programs of one process; ``before`` are parts that end first, such as simulated machines."""
    async with owning(parts) as told:
        ready_at: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def ready(url: str) -> None:
            told(url)
            if not ready_at.done():
                ready_at.set_result(url)

        together = {
            **before,
            "ingest": ingest_part(parts),
            "analytics": analytics_part(parts),
            "gateway": gateway_part(parts, ready, demo=demo),
        }
        announcing = asyncio.create_task(announce(ready_at, parts.settings.data_dir))
        try:
            await lifetime.run_parts(together, stop, for_seconds=for_seconds)
        finally:
            announcing.cancel()
            await asyncio.wait({announcing})


async def announce(ready: "asyncio.Future[str]", data: Path) -> None:
    """Print the URL once its first page answers; say so when it does not."""
    url = await ready
    try:
        async with aiohttp.ClientSession() as client, client.get(url) as page:
            status = page.status
    except aiohttp.ClientError as error:
        log.error("the first page does not answer", url=url, reason=str(error))
        return
    if status != 200:
        log.error("the first page answers with an error", url=url, status=status)
        return
    print(f"resilian: {url}  (data in {data}; Ctrl-C ends it)", flush=True)  # noqa: T201 - the one line the user waits for
