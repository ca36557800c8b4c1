"""One member sends twenty times its share: nothing is lost, of nobody, and the flooder is named.

How late the others' readings are beside it is measured by ``scripts/bench fairness``.
"""

import random
from typing import Any, Final

from fleet.batch import MachineKey
from fleet.clock import now_ms
from tests.faults.parts import MEMBERS
from tests.faults.scenario import Scenario
from tests.faults.world import Setting, World

FLOODER: Final = "torrent"
MACHINES: Final = tuple(MachineKey(FLOODER, f"gate-{number}") for number in range(20))
TIMES: Final = 20
_NAMES: Final = "".join(f'\n[[machines]]\nid = "{key.machine}"\nname = "{key.machine}"\n' for key in MACHINES)


async def strike(world: World, chance: random.Random) -> None:
    """Twenty times what another member sends in a second, at once and beside the others; until all of it is stored."""
    count = TIMES * world.publisher.rate // len(MEMBERS)
    newest = world.notes.setdefault("newest", dict.fromkeys(MACHINES, 0))
    world.notes["floods"] = world.notes.get("floods", 0) + 1
    for number in range(count):
        key = MACHINES[number % len(MACHINES)]
        newest[key] = world.publisher.publish(key, at=max(now_ms(), newest[key] + 1))
    await world.watch.until(lambda: FLOODER in loud(world.watch.health))
    for key, at in newest.items():
        await world.watch.stored(key, at)


def loud(health: dict[str, Any]) -> list[str]:
    """The members that the collector names."""
    return [one["member"] for one in health.get("loud", ())]


def holds(world: World, outcome: dict[str, Any]) -> list[str]:
    """Nobody else is named, and nothing waits apart any more."""
    named = loud(world.watch.health)
    wrong = [f"{member} is named as a flooder" for member in named if member != FLOODER]
    waiting = [one for one in world.watch.health.get("loud", ()) if one["waiting"]]
    return wrong + [f"waits apart still: {waiting}"] * bool(waiting)


SCENARIO: Final = Scenario(
    fault=12, name="flood", strike=strike, sabotage="flood-dropped", holds=holds,
    setting=Setting(members={FLOODER: _NAMES}), short_rounds=2, short_sabotage=True,
)  # fmt: skip
