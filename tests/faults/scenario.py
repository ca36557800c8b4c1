"""What a scenario of the fault bench is."""

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.world import Setting, World

Strike = Callable[[World, random.Random], Awaitable[None]]
Holds = Callable[[World, dict[str, Any]], list[str]]


def nothing_more(world: World, outcome: dict[str, Any]) -> list[str]:
    """The ledger is all that must hold."""
    return []


@dataclass(frozen=True)
class Scenario:
    """One fault of ``docs/reliability.md``, and how it is made.

    Attributes:
        fault: its number in the table there.
        name: of the scenario, as ``--only`` takes it.
        strike: one round of the fault, under load; the collector may be dead after it, the servers are up.
        sabotage: of :data:`tests.faults.sabotage.SABOTAGES`, or :data:`tests.faults.world.FORGETFUL`; the oracle must
            catch it under this fault.
        holds: what must hold beyond the ledger, from world and outcome; the sentences of what does not.
        may_lose: the broker itself loses messages under this fault, so ``holds`` accounts for each that is lost.
        setting: of the world.
        rate: messages a second, of 130 bytes.
        sabotaged_rounds: how many rounds the sabotage is given at most.
        short_rounds: of the short form in ``scripts/test``; 0: it is too slow for it, or another covers it there.
        short_sabotage: whether the short form runs the sabotaged control, too.
    """

    fault: int
    name: str
    strike: Strike
    sabotage: str
    holds: Holds = nothing_more
    may_lose: bool = False
    setting: Setting = field(default_factory=Setting)
    rate: int = 5000
    sabotaged_rounds: int = 6
    short_rounds: int = 0
    short_sabotage: bool = False


def wrong(scenario: Scenario, world: World, outcome: dict[str, Any]) -> list[str]:
    """Everything that does not hold after a trial, in sentences; empty when all is well."""
    names = ("duplicates", "unsent", "altered") if scenario.may_lose else ("lost", "duplicates", "unsent", "altered")
    found = [f"{outcome[name]} {name}: {outcome['examples'][name][:5]}" for name in names if outcome[name]]
    if outcome["exit_code"] != 0:
        found.append(f"the collector ended with exit code {outcome['exit_code']}")
    return found + scenario.holds(world, outcome)


def untold(outcome: dict[str, Any]) -> list[str]:
    """Readings that are lost and lie in no loss that the store knows, in a sentence.

    A loss covers what was sent after the newest message that had arrived at its ``since``, and before its ``at``.
    """
    places = []
    for loss in outcome["sessions"]:
        safe = [
            number for number, at in outcome["arrived"].items() if loss["since"] is not None and at <= loss["since"]
        ]
        places.append((max(safe, default=-1), loss["at"]))
    left = [
        one
        for one in outcome["examples"]["lost"]
        if not any(number < one["seq"] and one["at"] <= at for number, at in places)
    ]
    return [f"{len(left)} were lost outside of what was told: {left[:5]}; told: {places[:5]}"] if left else []
