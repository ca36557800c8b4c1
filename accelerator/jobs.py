"""Jobs on a store: what ``report``, ``export`` and ``verify-ledger`` do, here or in the process that owns the store."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np

from accelerator import export_file, ledger_check, logs, owner
from accelerator.problems import Missing, Usage
from accelerator.settings import Settings
from accelerator.waiting import pending
from fleet import registry
from fleet.batch import MachineKey
from fleet.clock import now
from fleet.offset import ahead_ms
from store import Store, StoreUnavailable

_FAR_MS = 2**62 // 1_000_000


def table(store: Store, settings: Settings) -> dict[str, owner.Job]:
    """Job name -> the function that executes it on this store."""

    async def report(arguments: Mapping[str, Any]) -> Any:
        from analytics.report import rows

        fleet = loaded(settings.fleet)
        start, end = (_time(arguments.get(name)) for name in ("from", "to"))
        return [_jsonable(row) for row in await rows(store, fleet, start, end, now())]

    async def verify_ledger(arguments: Mapping[str, Any]) -> Any:
        return await ledger_check.check(store, Path(arguments["ledger"]), [Path(name) for name in arguments["rejects"]])

    async def findings(arguments: Mapping[str, Any]) -> Any:
        found = await store.read_documents("finding", arguments.get("member"))
        return [json.loads(document.body) for document in found]

    async def newest(arguments: Mapping[str, Any]) -> Any:
        member = arguments.get("member")
        keys = [key for key in await store.known_machines() if member in (None, key.member)]
        known = loaded(settings.fleet)
        found = [(key, known.machine(key)) for key in keys]
        return [await _newest(store, key, machine.every if machine else 300) for key, machine in found]

    async def export(arguments: Mapping[str, Any]) -> Any:
        start, end = (_time(arguments.get(name)) for name in ("from", "to"))
        wanted = (arguments.get("member"), arguments.get("machine"))
        hours = arguments.get("hours", False)
        known = await (_with_hours(store) if hours else store.known_machines())
        keys = [key for key in known if wanted[0] in (None, key.member) and wanted[1] in (None, key.machine)]
        if any(wanted) and not keys:
            raise Missing(f"no reading of {'/'.join(name or '*' for name in wanted)} is in the store")
        if hours:
            return await export_file.write_hours(store, keys, start, end or now(), Path(arguments["path"]))
        return await export_file.write(store, keys, start, end or now(), Path(arguments["path"]), arguments["format"])

    async def waits(_: Mapping[str, Any]) -> Any:
        return await pending(store)

    return {
        "report": report,
        "pending": waits,
        "verify-ledger": verify_ledger,
        "findings": findings,
        "newest": newest,
        "export": export,
    }


def ensure_network(folder: Path) -> None:
    """Write a first ``network.toml`` where there is none yet, in this machine's time zone, and say so."""
    file = folder / "network.toml"
    if not file.exists():
        registry.init(folder, name="Résilian", commune="à préciser", timezone=_system_zone())
        logs.note(f"resilian: note: wrote a first network, name it: {file}")


def _system_zone() -> str:
    _, found, zone = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
    return zone if found else "UTC"


def loaded(folder: Path) -> registry.Registry:
    """The registry; what is wrong in its files is said on stderr.

    Raises:
        Missing: the folder holds no network.
    """
    try:
        found = registry.load(folder)
    except registry.RegistryMissing as error:
        raise Missing(str(error)) from None
    for problem in found.problems:
        logs.note(f"resilian: note: {problem}")
    return found


async def execute(name: str, settings: Settings, arguments: Mapping[str, Any], *, store_url: str | None = None) -> Any:
    """Execute a job: through a running owner of the data folder when it holds that store, else by opening the store.

    Raises:
        Problem: the job's, or why the store cannot be opened.
    """
    from accelerator.opening import open_store

    running = owner.find(settings.run_file)
    if running is not None and store_url in (None, running.store):
        _same_registry(settings, running)
        return await owner.ask(running, name, arguments)
    _there(settings.store_url)
    async with open_store(settings) as store:
        try:
            return await table(store, settings)[name](arguments)
        except StoreUnavailable as error:
            raise Missing(f"store {settings.store_url}: {error}") from None


def _same_registry(settings: Settings, running: owner.Running) -> None:
    named = settings.origin.get("fleet") != "default"
    if named and settings.fleet.resolve() != Path(running.fleet).resolve():
        raise Usage(
            f"{settings.fleet} is not the registry of the running program (pid {running.pid}), which is "
            f"{running.fleet}; leave --fleet and RESILIAN_FLEET out, or name another data folder"
        )


def _there(store_url: str) -> None:
    """A command that only reads never makes a store."""
    path = Path(unquote(urlsplit(store_url).path))
    if store_url.startswith("duckdb:") and path.name != ":memory:" and not path.exists():
        raise Missing(f"store {store_url}: there is no such file; nothing has been collected there")


async def _with_hours(store: Store) -> list[MachineKey]:
    """Machines that have hours; the readings of some may be forgotten."""
    told = {MachineKey(document.member, document.machine) for document in await store.read_documents("outlook")}
    return sorted(told.union(await store.known_machines()))


async def _newest(store: Store, key: MachineKey, every_s: float) -> dict[str, Any]:
    """Times of the newest reading of a machine (epoch ms); of the day before it the highest power (watts), the median
    distance of readings (seconds), the coverage: the share of the time from its first reading on in which it spoke, and
    the instants at which readings contradict each other, how far its clock is ahead, learned from live messages, what
    the states of its newest hour rest on, and what was learned of its signals.
    """
    last = await store.last_reading(key, _FAR_MS)
    at_ms = int(last.rows["at_ns"][0]) // 1_000_000
    day = await store.read_readings([key], at_ms - 86_400_000, at_ms + 1)
    powers = day.rows["power_w"][~np.isnan(day.rows["power_w"])]
    highest = float(powers.max()) if len(powers) else None
    steps = np.diff(np.unique(day.rows["at_ns"])) / 1e9
    coverage = float(np.minimum(steps, 3 * every_s).sum() / steps.sum()) if len(steps) else None
    hours = await store.read_hours([key], at_ms // 1000 - 86_400, at_ms // 1000 + 1)
    return {
        "member": key.member, "machine": key.machine, "at": at_ms, "arrived": int(last.rows["arrived_ms"][0]),
        "power_max_w": highest, "coverage": coverage, "median_s": float(np.median(steps)) if len(steps) else None,
        "ahead_ms": ahead_ms(day.rows["at_ns"] // 1_000_000, day.rows["arrived_ms"]),
        "conflicts": sum(hour.conflicts for hour in hours),
        "basis": hours[-1].basis if hours else None, "model": await _model(store, key),
    }  # fmt: skip


async def _model(store: Store, key: MachineKey) -> Any:
    """What analytics has learned of the machine's signals, or None."""
    bodies = [one.body for one in await store.read_documents("model", key.member) if one.machine == key.machine]
    return json.loads(bodies[0]) if bodies and bodies[0] else None


def _time(text: Any) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _jsonable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    return value
