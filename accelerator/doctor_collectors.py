"""The collectors as the doctor sees them: which there are, whose messages each takes, which member floods them."""

from collections.abc import Collection, Mapping
from typing import Any

from accelerator.doctor_health import collectors, health_of
from accelerator.doctor_machine import Step
from fleet.topics import COLLECTOR


def flood_steps(retained: Mapping[str, Any]) -> list[Step]:
    """One step for each member that floods: with readings, which go apart, or with what is refused or nobody's."""
    steps = []
    for name in collectors(retained):
        health = health_of(retained, name)
        for one in health.get("loud", []) if health.get("alive") else []:
            detail = f"{one['member']} floods {name}: {one['rate']:g} messages a second, {one['share']:.0%} of all; "
            todo = f"find the device of {one['member']} that publishes too often, and correct its interval"
            if one.get("apart", True):
                detail += f"its readings go apart ({one['waiting']} wait), so that the others do not wait"
            else:
                detail += "they are refused or belong to no machine, and go among the others' messages, which wait"
                todo += f", or what it sends: resilian rejects list --member {one['member']} --unclaimed shows it"
            steps.append(Step("flood", "wrong", detail, todo))
    return steps


def claim_steps(retained: Mapping[str, Any], members: Collection[str]) -> list[Step]:
    """Whether each member is collected by exactly one of several collectors; nothing while there is only one."""
    heard = {name: health_of(retained, name) for name in collectors(retained)}
    alive = {name: health for name, health in heard.items() if health.get("alive")}
    if list(alive) in ([], [COLLECTOR]):
        return []
    steps = []
    for member in sorted(members):
        owners = [name for name, health in alive.items() if _has(health, member)]
        if any(member in health.get("adopting", ()) for health in alive.values()):
            todo = "wait: it goes on by itself as soon as the broker takes and delivers messages"
            steps.append(Step("collectors", "wrong", f"{member} is on its way to another collector", todo))
        elif not owners:
            todo = f"start `resilian ingest` without a name, or `resilian ingest move {member} --to NAME`"
            steps.append(Step("collectors", "wrong", f"{member} is collected by nobody", todo))
        elif len(owners) > 1:
            todo = f"`resilian ingest move {member}` to the one that shall have it"
            steps.append(Step("collectors", "wrong", f"{member} is collected by {' and '.join(owners)}", todo))
    return steps or [Step("collectors", "ok", f"each member is collected by one of {', '.join(alive)}")]


def _has(health: Mapping[str, Any], member: str) -> bool:
    everyone = health.get("members") is None
    return member not in health.get("elsewhere", {}) if everyone else member in health["members"]
