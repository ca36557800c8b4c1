"""Runs the gateway: hears ``net/v1/#``, keeps the picture fresh, serves pages until told to stop."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import uvicorn

from bus.client import Burst, Session
from bus.health import HealthReport, health_message, health_will, own_version
from fleet.batch import MachineKey
from fleet.registry import Watcher
from gateway.app import create_app
from gateway.config import GatewayConfig, NotLoopback
from gateway.live import SUBSCRIPTION, Change, Live
from gateway.looked import Looks
from gateway.metrics import Metrics
from gateway.picture import Picture
from gateway.web import Site, warm
from store.base import Store

__all__ = ["GatewayConfig", "NotLoopback", "PortTaken", "run"]

log: Final = logging.getLogger(__name__)
_PROGRAM: Final = "gateway"
_REFRESH_AT_MOST_EVERY_S: Final = 2.0
_STORE_AGAIN_S: Final = 2.0
_NETWORK: Final = MachineKey("", "")
_CAUSES: Final = frozenset({"state", "finding", "registry"})


class PortTaken(OSError):
    """The port is not free, or may not be used: the message says what to do."""


async def run(config: GatewayConfig, store: Store, *, stop: asyncio.Event) -> None:
    """Serve until ``stop`` is set; streams end, answers under way are finished.

    Raises:
        PortTaken: another program listens there, or the port needs rights this program does not have.
        fleet.registry.RegistryMissing: there is no network in ``fleet_dir``.
    """
    watcher = Watcher(config.fleet_dir)
    picture = Picture(store, watcher.current)
    site = Site(config, picture, Live(), Metrics(), Looks(store, picture.now), stop=stop, version=own_version())
    session, health = _session(site)
    with _bound(config) as listener:
        async with asyncio.TaskGroup() as tasks:
            for helper in (
                _tell_health(site, health),
                session.run(stop),
                _follow_registry(site, watcher),
                _follow_changes(site, health),
                site.looks.keep(stop),
                asyncio.to_thread(warm, picture.registry.network.languages),
            ):
                tasks.create_task(helper)
            try:
                await _serve(site, listener)
            finally:
                stop.set()
        await site.looks.finish()


@contextlib.contextmanager
def _bound(config: GatewayConfig) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in config.listen else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.listen, config.port))
            listener.listen(128)
        except OSError as error:
            raise PortTaken(_why(error, config)) from error
        yield listener
    finally:
        listener.close()


def _why(error: OSError, config: GatewayConfig) -> str:
    where = f"port {config.port} of {config.listen}"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by another program: stop it, or choose another with --port or RESILIAN_PORT"
    if error.errno == errno.EACCES:
        return f"{where} needs rights this program does not have: choose one from 1024 on with --port or RESILIAN_PORT"
    return f"{where} cannot be listened on: {error.strerror or error}"


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: whoever started the gateway decides when it ends."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


async def _serve(site: Site, listener: socket.socket) -> None:
    def ready() -> None:
        if site.config.on_ready is not None:
            site.config.on_ready(f"http://{site.config.host}:{listener.getsockname()[1]}/")

    config = uvicorn.Config(
        create_app(site), log_config=None, access_log=False, ws="none", lifespan="off", timeout_graceful_shutdown=5
    )
    server = _Server(config, ready)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopped = asyncio.create_task(site.stop.wait())
    try:
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        await serving
    finally:
        stopped.cancel()


def _session(site: Site) -> tuple[Session, HealthReport]:
    def heard(burst: Burst) -> None:
        for delivery in burst.deliveries:
            site.live.hear(delivery.topic, bytes(delivery.payload))
        session.acknowledge(burst)

    def changed(connected: bool, session_present: bool, reason: str) -> None:
        del session_present
        site.connected, site.broker_reason = connected, reason
        site.live.tell(Change("health", MachineKey(_PROGRAM, "")))
        health.changed()

    session = Session(
        site.config.broker,
        client_id="resilian-gateway",
        subscriptions=(SUBSCRIPTION,),
        on_burst=heard,
        on_state=changed,
        will=health_will(_PROGRAM),
        session_expiry_s=0,  # what was said while we were away is in the store, or retained
    )

    def compose() -> dict[str, Any]:
        digest = site.picture.registry.digest
        return health_message(_PROGRAM, session, registry_digest=digest, more=figures(site))

    health = HealthReport(_PROGRAM, session, compose)
    return session, health


def figures(site: Site) -> dict[str, Any]:
    """What the gateway adds to a health message: how the store answers, and how many streams are open."""
    picture = site.picture
    since = round(picture.since.timestamp() * 1000) if picture.since else None
    return {
        "store": {"ok": picture.error is None, "since": since, "error": picture.error},
        "streams": site.live.listening,
    }


async def _follow_registry(site: Site, watcher: Watcher) -> None:
    async for current in watcher.changes(site.stop):
        site.picture.registry = current
        site.live.tell(Change("registry", _NETWORK))


async def _follow_changes(site: Site, health: HealthReport) -> None:
    """Read the documents again when something happened, at most every two seconds; soon again while it fails."""
    async with site.live.changes() as queue:
        while not site.stop.is_set():
            answered = await site.picture.refresh()
            health.changed()
            if answered:
                site.live.tell(Change("picture", _NETWORK))
            await _sleep(site, _REFRESH_AT_MOST_EVERY_S if answered else _STORE_AGAIN_S)
            while answered and not site.stop.is_set():
                change = await _next(site, queue)
                if change is not None and is_cause(change):
                    break
            while not queue.empty():
                queue.get_nowait()


def is_cause(change: Change) -> bool:
    """Whether documents may be new: by what happened to a machine, or by a word of analytics, which writes them."""
    return change.kind in _CAUSES or (change.kind == "health" and change.key.member == "analytics")


async def _next(site: Site, queue: "asyncio.Queue[Change]") -> Change | None:
    getting, stopped = asyncio.ensure_future(queue.get()), asyncio.ensure_future(site.stop.wait())
    try:
        await asyncio.wait({getting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        arrived = getting.done() or not getting.cancel()
    return getting.result() if arrived else None


async def _tell_health(site: Site, health: HealthReport) -> None:
    """Until the stop; silent before the session ends, whose last word is the will."""
    health.start()
    try:
        await site.stop.wait()
    finally:
        health.stop()


async def _sleep(site: Site, seconds: float) -> None:
    """Until the stop, at most so long."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(site.stop.wait(), seconds)
