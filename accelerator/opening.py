"""Opens what the settings name: the broker's address, the store, a folder of our own; failures as one line each."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from accelerator.problems import Missing, Usage
from accelerator.settings import Settings
from bus.client import BrokerAddress
from fleet import registry
from store import Store, StoreRefused, StoreUnavailable, connect

log = structlog.get_logger()
_HANGS_S: Final = 5.0
"""A store that says nothing for so long keeps no collector from its broker."""
_NEXT: Final = "messages wait in the spool until it is back"


def broker_address(url: str, named: str = "RESILIAN_BROKER") -> BrokerAddress:
    """The broker's address, which ``named`` was given for.

    Raises:
        Usage: the URL is wrong; says what.
    """
    try:
        return BrokerAddress.parse(url)
    except ValueError as error:
        raise Usage(f"{named}: {error}") from None


@asynccontextmanager
async def open_store(settings: Settings, *, patient: bool = False) -> AsyncIterator[Store]:
    """The store of the settings, open; with ``patient`` also one on another machine that is away for now.

    Raises:
        Usage: the URL is wrong.
        Missing: a person must act first (token, lock, version), or it is away and only ``wait`` would help.
    """
    try:
        store = connect(settings.store_url, token=settings.token, retention=_retention(settings.fleet))
    except ValueError as error:
        raise Usage(f"RESILIAN_STORE: {error}") from None
    try:
        async with asyncio.timeout(_HANGS_S if patient else None):
            await store.open()
    except TimeoutError:
        log.warning("the store does not answer", store=settings.store_url, next=_NEXT)
    except (StoreRefused, StoreUnavailable) as error:
        if not (patient and isinstance(error, StoreUnavailable)):
            await store.close()
            raise Missing(f"store {settings.store_url}: {error}") from None
        log.warning("the store is away", reason=str(error), next=_NEXT)
    try:
        yield store
    finally:
        await store.close()


def _retention(fleet: Path) -> Callable[[str], int]:
    """Retention in days by member; the registry is read when a member comes up that it did not have before."""
    known: dict[str, int] = {}

    def days(member: str) -> int:
        if member not in known:
            try:
                members = registry.load(fleet).members
            except registry.RegistryMissing:
                return 90
            known.update({slug: found.retention_days for slug, found in members.items()})
        return known.get(member, 90)

    return days


def make_folder(path: Path) -> None:
    """Make a folder of our own.

    Raises:
        Missing: it cannot be made or written.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.stat().st_mode & 0o077:
            log.warning("others of this machine can look into the data folder", folder=str(path), todo="chmod 700 it")
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise Missing(f"{path}: cannot be written: {error.strerror}; choose another with RESILIAN_DATA_DIR") from None
