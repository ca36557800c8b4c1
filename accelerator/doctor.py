"""``resilian doctor``: walks the path of the data, from the registry to the store, and says where it ends."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from accelerator import jobs, owner
from accelerator.doctor_broker import device_steps, walk
from accelerator.doctor_collectors import claim_steps, flood_steps
from accelerator.doctor_findings import finding_steps
from accelerator.doctor_health import collectors, health_of
from accelerator.doctor_logins import logins_step
from accelerator.doctor_losses import losses_step
from accelerator.doctor_machine import Step, judge_machine
from accelerator.doctor_retained import retained_count, retained_steps
from accelerator.doctor_spool import spool_step
from accelerator.opening import broker_address
from accelerator.places import running_demo
from accelerator.printable import printable
from accelerator.problems import Problem, Usage
from accelerator.settings import Settings
from fleet.batch import MachineKey
from fleet.clock import now, now_ms
from fleet.registry import Registry
from fleet.topics import reading_topic

__all__ = ["Step", "as_rows", "conclusion", "examine", "judge_machine"]
_COMMANDS: Final = re.compile(
    r"\bresilian (?:(?:consent|device|feed|finding|machine|member|rejects) [a-z-]+|ingest move\b|[a-z-]+)"
)
_STALE_MS: Final = 60_000
"""A program says every 15 seconds that it lives."""


async def examine(
    settings: Settings, member: str | None, machine: str | None, as_device: str | None = None
) -> list[Step]:
    """Every step of the path; stops where a broken one makes the rest unknowable.

    Args:
        as_device: the broker's URL with a device's login: the path is walked as that device, too.

    Raises:
        Missing: there is no network to examine.
        Usage: the member or machine does not exist, or ``as_device`` is given without both.
    """
    running = owner.find(settings.run_file)
    fleet = jobs.loaded(settings.fleet if running is None else Path(running.fleet))
    if not fleet.problems:  # else the name may stand in the very file that cannot be read
        _known(fleet, member, machine)
    topic = _topic_of(fleet, member, machine) if as_device else ""
    steps = _registry_steps(fleet)
    url = settings.broker or (running.broker if running else None)
    if url is None:
        todo = "start `resilian up`, or set RESILIAN_BROKER to your broker"
        if (demo := running_demo(settings)) is not None:
            todo += f"; for the demo that runs: resilian doctor --data {demo}"
        return [*steps, Step("broker", "wrong", "no broker is set and no `resilian up` runs on this data folder", todo)]
    found, heard = await walk(broker_address(url))
    steps += found
    if not heard.reached:
        return steps
    if as_device:
        steps += await device_steps(broker_address(as_device), broker_address(url), topic)
    steps += [_program_step(name, heard.retained, fleet) for name in (*collectors(heard.retained), "analytics")]
    for name in collectors(heard.retained):
        steps += spool_step(heard.retained, name) + losses_step(heard.retained, now_ms(), name)
    if settings.broker is not None:  # the embedded broker tells no figures
        steps += retained_steps(await retained_count(broker_address(url)), sum(1 for _ in fleet.machines()))
    steps += logins_step(fleet.folder)
    steps += claim_steps(heard.retained, fleet.members) + flood_steps(heard.retained)
    try:
        newest = await jobs.execute("newest", settings, {"member": member})
        findings = await jobs.execute("findings", settings, {"member": member})
    except Problem as problem:
        todo = "start the store, or correct RESILIAN_STORE and its token"
        return [*steps, Step("store", "wrong", str(problem), todo)]
    steps.append(Step("store", "ok", f"answers; {len(newest)} machines have readings"))
    return steps + _machine_steps(fleet, (member, machine), newest, heard.retained, findings)


def _machine_steps(
    fleet: Registry,
    wanted: tuple[str | None, str | None],
    newest: list[Mapping[str, Any]],
    retained: Mapping[str, Any],
    findings: list[Mapping[str, Any]],
) -> list[Step]:
    readings = {MachineKey(row["member"], row["machine"]): row for row in newest}
    found, flagged = [], finding_steps(findings)
    for owner_of, one in fleet.machines():
        key = MachineKey(owner_of.slug, one.id)
        if all(name in (None, own) for name, own in zip(wanted, key, strict=True)):
            local = now().astimezone(fleet.zone(key.member))
            found.append(judge_machine(key, one, readings.get(key), retained, local))
            found += flagged.get(key, [])
    return found


def _topic_of(fleet: Registry, member: str | None, machine: str | None) -> str:
    found = fleet.machine(MachineKey(member or "", machine or ""))
    if found is None:
        raise Usage("--as-device: say whose device it is with --member and --machine")
    return found.feeds[0].topic if found.feeds else reading_topic(member or "", found.id)


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


def _program_step(name: str, retained: Mapping[str, Any], fleet: Registry) -> Step:
    health = health_of(retained, name)
    if not health.get("alive"):
        return Step(name, "wrong", "does not run", f"start `resilian {name}`, or `resilian up`")
    if now_ms() - health.get("at", 0) > _STALE_MS:
        return Step(name, "wrong", "has not spoken for a minute", f"look at its log and start `resilian {name}` again")
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


def naming(steps: list[Step], given: str) -> list[Step]:
    """The steps with the options that this command was given in every command that they name."""
    return [replace(step, todo=_COMMANDS.sub(rf"\g<0>{given}", step.todo)) for step in steps] if given else steps


def conclusion(steps: list[Step]) -> str:
    """One sentence to do."""
    wrong = next((step for step in steps if step.status == "wrong"), None)
    wrong = wrong or next((step for step in steps if step.status == "unknown"), None)
    return "All is well: nothing to do." if wrong is None else sentence(wrong)


def further(steps: list[Step]) -> list[str]:
    """A sentence for each thing that is wrong beside that of the conclusion."""
    return [sentence(step) for step in steps if step.status == "wrong"][1:]


def sentence(step: Step) -> str:
    """What, where, and what to do."""
    stop = "" if step.detail.endswith("?") else "."
    return printable(f"{step.name}: {step.detail}{stop} Do this: {step.todo}.")


def as_rows(steps: list[Step]) -> list[dict[str, str]]:
    """The steps as JSON values."""
    return [asdict(step) for step in steps]
