"""Why the states of a machine that speaks are not known: one reason, for its owner's page and for the doctor. Pure."""

from typing import Final, Literal

from analytics.power_rule import Reason
from analytics.states import Learned, resolve
from fleet.network import Machine

Untold = Reason | Literal["moved", "nothing", "counter-slow", "counter-still"]
"""Beside the reasons of power, of which ``no-power`` is told as ``few``: ``moved``: the levels are others than the
owner marked; ``nothing``: it sends neither state nor counter nor power; ``counter-slow``, ``counter-still``: it sends a
counter alone that is no evidence."""

PASSING: Final = frozenset({"few"})
"""Reasons that time alone takes away."""


def untold(machine: Machine, learned: Learned, basis: str | None, *, power: bool) -> Untold:
    """The reason, "" when there is none.

    Args:
        basis: of its newest hour; None when there is none.
        power: whether its power was read lately.
    """
    if basis in (None, "state", "counter"):
        return ""
    if not power:
        return "counter-slow" if learned.counter_slow else "nothing" if learned.counter_moves else "counter-still"
    model = resolve(machine, learned)
    if model.on_w is not None:
        marked = machine.calibration.working_w is not None
        return "moved" if marked and model.source != "calibration" else ""
    reason = learned.power[-1].reason
    return "few" if reason in ("", "no-power") else reason  # nothing learned yet: the first day is not over
