"""``resilian doctor``: walks the path of the data, from the registry to the store, and says where it ends.

:func:`examine` gathers what the broker retains and what the store holds; :func:`judge_machine` is pure.
"""

import asyncio
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from accelerator import jobs, owner
from accelerator.problems import Problem, Usage
from accelerator.programs import broker_address
from accelerator.settings import Settings
from bus.client import BrokerAddress, Burst, Session
from fleet.batch import MachineKey
from fleet.clock import now
from fleet.network import Machine
from fleet.registry import Registry
from fleet.topics import matches, reading_topic

Status = Literal["ok", "wrong", "unknown"]
_PATIENCE_S = 8.0
_CLOCK_TOLERANCE_S = 300.0
_FLAT_SHARE = 0.02


@dataclass(frozen=True)
class Step:
    """One link of the path. ``todo`` is what to do when it is broken."""

    name: str
    status: Status
    detail: str
    todo: str = ""


@dataclass
class Heard:
    """What the broker delivered: newest payload of each retained topic."""

    reached: bool
    reason: str
    retained: dict[str, Any]


async def examine(settings: Settings, member: str | None, machine: str | None) -> list[Step]:
    """Every step of the path; stops where a broken one makes the rest unknowable.

    Raises:
        Missing: there is no network to examine.
        Usage: the member or machine does not exist.
    """
    running = owner.find(settings.run_file)
    fleet = jobs.loaded(settings.fleet if running is None else type(settings.fleet)(running.fleet))
    _known(fleet, member, machine)
    steps = _registry_steps(fleet)
    url = settings.broker or (running.broker if running else None)
    if url is None:
        todo = "start `resilian up`, or set RESILIAN_BROKER to your broker"
        return [*steps, Step("broker", "wrong", "no broker is set and no `resilian up` runs on this data folder", todo)]
    heard = await listen_once(broker_address(url))
    steps.append(_broker_step(url, heard))
    if not heard.reached:
        return steps
    steps += [_program_step(name, heard.retained, fleet) for name in ("ingest", "analytics")]
    try:
        newest = await jobs.execute("newest", settings, {"member": member})
    except Problem as problem:
        return [
            *steps,
            Step("store", "wrong", str(problem), "start the store, or correct RESILIAN_STORE and its token"),
        ]
    steps.append(Step("store", "ok", f"answers; {len(newest)} machines have readings"))
    readings = {MachineKey(row["member"], row["machine"]): row for row in newest}
    for owner_of, one in fleet.machines():
        key = MachineKey(owner_of.slug, one.id)
        if member in (None, key.member) and machine in (None, key.machine):
            steps.append(judge_machine(key, one, readings.get(key), heard.retained, now()))
    return steps


def _known(fleet: Registry, member: str | None, machine: str | None) -> None:
    if member is not None and member not in fleet.members:
        raise Usage(f"--member {member}: no such member; see `resilian member list`")
    if machine is not None and all(one.id != machine for _, one in fleet.machines()):
        raise Usage(f"--machine {machine}: no such machine; see `resilian machine list`")


def _registry_steps(fleet: Registry) -> list[Step]:
    count = sum(1 for _ in fleet.machines())
    if not fleet.problems:
        return [Step("registry", "ok", f"{len(fleet.members)} members, {count} machines in {fleet.folder}")]
    return [
        Step("registry", "wrong", str(p), "correct that line; until then its last good version is in force")
        for p in fleet.problems
    ]


def _broker_step(url: str, heard: Heard) -> Step:
    shown = str(broker_address(url))
    if heard.reached:
        return Step("broker", "ok", f"{shown} accepts the login and delivers")
    return Step("broker", "wrong", f"{shown}: {heard.reason}", "correct RESILIAN_BROKER, or start the broker")


async def listen_once(address: BrokerAddress) -> Heard:
    """What the broker retains below net/v1: all of it once a message of our own came back (delivery, not SUBACK)."""
    heard = Heard(False, "no answer", {})
    probe, came_back = f"net/v1/command/doctor-{os.getpid()}", asyncio.Event()

    def take(burst: Burst) -> None:
        for delivery in burst.deliveries:
            if delivery.topic == probe:
                came_back.set()
            elif delivery.payload:
                heard.retained[delivery.topic] = _json(delivery.payload)
        session.acknowledge(burst)

    session = Session(
        address,
        client_id=f"resilian-doctor-{os.getpid()}",
        subscriptions=("net/v1/#",),
        on_burst=take,
        session_expiry_s=0,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(session.run(stop))
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await session.wait_connected()
            session.publish(probe, b"{}")
            heard.reason = "the login may not read net/v1/# (nothing is delivered): give the programs their own login"
            await came_back.wait()
            heard.reached = True
    except TimeoutError:
        if not session.connected:
            heard.reason = session.state.reason
    finally:
        stop.set()
        await running
    return heard


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return None


def _program_step(name: str, retained: Mapping[str, Any], fleet: Registry) -> Step:
    health = retained.get(f"net/v1/health/{name}")
    if not isinstance(health, dict) or not health.get("alive"):
        return Step(name, "wrong", "does not run", f"start `resilian {name}`, or `resilian up`")
    store = health.get("store") or {}
    if not store.get("ok", True):
        return Step(
            name,
            "wrong",
            f"runs, but its store is away: {store.get('error')}",
            "start the store; nothing is lost meanwhile",
        )
    if health.get("registry_digest") != fleet.digest:
        return Step(
            name, "wrong", "runs with another registry than these files", "give both programs the same RESILIAN_FLEET"
        )
    return Step(name, "ok", "runs")


def judge_machine(
    key: MachineKey, machine: Machine, newest: Mapping[str, Any] | None, retained: Mapping[str, Any], at: datetime
) -> Step:
    """Where the data of one machine ends; pure.

    Args:
        newest: its newest stored reading: ``at`` and ``arrived`` in epoch ms, ``power_w`` or None.
        retained: topic -> newest message of the programs.
    """
    name = f"{key.member}/{key.machine}"
    topics = [feed.topic for feed in machine.feeds] + [reading_topic(*key)]
    age_s = None if newest is None else at.timestamp() - newest["arrived"] / 1000
    if age_s is None or age_s > 3 * machine.every:
        refused = _newest_reject(retained.get(f"net/v1/rejects/{key.member}"), topics)
        if refused is not None:
            field = f"field {refused['field']} = {refused['value']}: " if refused.get("field") else ""
            return Step(
                name,
                "wrong",
                f"its messages are refused: {field}{refused['reason']}",
                "correct the device or its profile",
            )
        return _silent(name, key, topics, age_s, retained)
    assert newest is not None  # noqa: S101 - age_s is None without one
    return _plausible(name, machine, newest, age_s)


def _newest_reject(rejects: Any, topics: list[str]) -> dict[str, Any] | None:
    newest = rejects.get("newest", []) if isinstance(rejects, dict) else []
    found: list[dict[str, Any]] = [row for row in newest if any(matches(topic, row["topic"]) for topic in topics)]
    return found[0] if found else None


def _silent(name: str, key: MachineKey, topics: list[str], age_s: float | None, retained: Mapping[str, Any]) -> Step:
    unclaimed = retained.get(f"net/v1/unclaimed/{key.member}")
    others = [device["topic"] for device in unclaimed.get("devices", [])] if isinstance(unclaimed, dict) else []
    since = "has never sent anything" if age_s is None else f"is silent for {_span(age_s)}"
    if others:
        return Step(
            name,
            "wrong",
            f"{since} on {topics[0]}, but {others[0]} speaks and belongs to no machine",
            "correct its topic",
        )
    todo = f"check the device's power, network, login and topic: it must publish to {topics[0]}"
    return Step(name, "unknown" if age_s is not None else "wrong", since, todo)


def _plausible(name: str, machine: Machine, newest: Mapping[str, Any], age_s: float) -> Step:
    offset_s = (newest["arrived"] - newest["at"]) / 1000
    if abs(offset_s) > max(_CLOCK_TOLERANCE_S, 3 * machine.every):
        side = "behind" if offset_s > 0 else "ahead"
        detail = f"its clock is {_span(abs(offset_s))} {side} (or it resends old readings)"
        return Step(name, "wrong", detail, "set the device's clock by NTP, or its feed's time zone")
    power = newest.get("power_max_w")
    if power is not None and machine.rated_w is not None and 0 < power < _FLAT_SHARE * machine.rated_w:
        detail = (
            f"its highest power of the last day is {power:g} W where {machine.rated_w:g} W are rated: kW sent for W?"
        )
        return Step(name, "wrong", detail, "set scale_w = 1000 on its feed")
    return Step(name, "ok", f"newest reading {_span(age_s)} old")


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def conclusion(steps: list[Step]) -> str:
    """One sentence to do."""
    wrong = next((step for step in steps if step.status == "wrong"), None)
    wrong = wrong or next((step for step in steps if step.status == "unknown"), None)
    if wrong is None:
        return "All is well: nothing to do."
    return f"{wrong.name}: {wrong.detail}. Do this: {wrong.todo}."


def as_rows(steps: list[Step]) -> list[dict[str, str]]:
    """The steps as JSON values."""
    return [asdict(step) for step in steps]
