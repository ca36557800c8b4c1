"""The doctor on the logins that the page /connect asks for, where the gateway does not reach the broker's files."""

from pathlib import Path

from accelerator.doctor_machine import Step
from accelerator.places import broker_beside
from bus.login_requests import served


def logins_step(fleet: Path) -> list[Step]:
    """Whether somebody makes them; no step where nobody has to: the broker's files, or nothing, beside the fleet."""
    beside = broker_beside(fleet)
    if (beside / "secrets").is_dir() or not (beside / "requests").is_dir():
        return []
    if served(beside / "requests"):
        return [Step("logins", "ok", "what the page /connect asks for is made")]
    todo = "start it: docker compose up -d logins; until then the operator makes logins by deploy/devices"
    return [Step("logins", "wrong", f"nobody makes the logins that /connect asks for in {beside / 'requests'}", todo)]
