"""How much the broker retains, by its own count: Mosquitto 2.0 sets no limit on what a device retains."""

from typing import Final

from accelerator.doctor_broker import listen_once
from accelerator.doctor_machine import Step
from bus.client import BrokerAddress

COUNT: Final = "$SYS/broker/retained messages/count"
_PATIENCE_S: Final = 3.0
_EACH: Final = 50
"""A machine: what its device retains by right (will, births, configuration) and what is found of it."""
_BESIDE: Final = 1000
"""The broker's own figures, health, and what is said of each member."""


async def retained_count(address: BrokerAddress) -> int | None:
    """The broker's own count; None where it tells none, or not to this login."""
    heard = await listen_once(address, (COUNT, "net/v1/command/#"), _PATIENCE_S)
    count = heard.retained.get(COUNT)
    return count if isinstance(count, int) else None


def retained_steps(count: int | None, machines: int) -> list[Step]:
    """One step when far more is retained than these machines need; none when the count is not known."""
    if count is None:
        return []
    enough = _BESIDE + _EACH * machines
    if count <= enough:
        return [Step("retained", "ok", f"the broker retains {count} messages")]
    detail = f"the broker retains {count} messages where {enough} are enough for {machines} machines: a device retains"
    todo = (
        "find the topics: mosquitto_sub -t 'm/#' --retained-only -F %t, with the login `operator`; turn Retain off in "
        "the device, and clear what is left with empty retained messages"
    )
    return [Step("retained", "wrong", f"{detail} what it should only send", todo)]
