"""The collectors as the doctor sees them: which there are, whose messages each takes, which member floods them."""

from collections.abc import Mapping
from typing import Any, Final

from accelerator.doctor_machine import Step

_HEALTH: Final = "net/v1/health/"
ALONE: Final = "ingest"


def collectors(retained: Mapping[str, Any]) -> list[str]:
    """Every collector that was heard of; the one without a name of its own while there is no other."""
    heard = sorted(topic.removeprefix(_HEALTH) for topic in retained if topic.startswith(f"{_HEALTH}{ALONE}"))
    return [name for name in heard if name == ALONE or name.startswith(f"{ALONE}-")] or [ALONE]


def flood_steps(retained: Mapping[str, Any]) -> list[Step]:
    """One step for each member that sends so much more than the others that its readings go apart."""
    steps = []
    for name in collectors(retained):
        health = retained.get(f"{_HEALTH}{name}")
        for one in health.get("loud", []) if isinstance(health, dict) and health.get("alive") else []:
            detail = (
                f"{one['member']} floods {name}: {one['rate']:g} messages a second, {one['share']:.0%} of all; its "
                f"readings go apart ({one['waiting']} wait), so that the others do not wait"
            )
            todo = f"find the device of {one['member']} that publishes too often, and correct its interval"
            steps.append(Step("flood", "wrong", detail, todo))
    return steps
