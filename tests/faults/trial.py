"""One trial of a scenario: honest under the fault, honest without it, or sabotaged under it."""

import random
import traceback
from pathlib import Path
from typing import Any, Literal

from tests.faults.building import running_world
from tests.faults.scenario import Scenario, wrong
from tests.patience import PATIENCE_S

Kind = Literal["fault", "control", "sabotaged"]
BETWEEN_S = (0.2, 1.0)
"""Load before each round, in seconds at the scenario's rate."""
DEAF_S = 15.0
"""How long a sabotaged collector may take for what it should do at once."""


async def trial(
    scenario: Scenario, folder: Path, kind: Kind, *, rounds: int, rate: int | None = None, seed: int = 1
) -> dict[str, Any]:
    """The oracle's figures, ``wrong``: what does not hold, and ``late``: what of it is about time alone."""
    chance, rate = random.Random(seed), rate or scenario.rate
    sabotage = scenario.sabotage if kind == "sabotaged" else None
    patience_s = DEAF_S if sabotage else PATIENCE_S
    async with running_world(folder, scenario.setting, rate=rate, sabotage=sabotage, patience_s=patience_s) as world:
        done = 0
        late: list[str] = []
        failed: list[str] = []
        try:
            for _ in range(rounds):
                await world.publisher.sends(int(rate * chance.uniform(*BETWEEN_S)))
                if kind != "control":
                    world.round += 1
                    await scenario.strike(world, chance)
                    world.publisher.go()
                done += 1
            if world.collector.pid is None:
                await world.collector.start()
            await world.publisher.sends(rate // 2)
            await world.drained()
        except TimeoutError as error:
            place = waiting_at(error)
            late.append(f"what {place} waits for in round {done + 1} did not come within {patience_s:g} s")
        except AssertionError as error:
            failed.append(f"round {done + 1}: {error}")
        outcome = await world.judged()
        broken = failed + wrong(scenario, world, outcome)
        return {"rounds": done, "rate": rate, **outcome, "wrong": late + broken, "late": late}


def waiting_at(error: BaseException) -> str:
    """Where in the scenario the wait stands that was in vain: file and line, or the trial itself."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if Path(frame.filename).parent.name == "scenarios"]
    last = (own or frames)[-1]
    return f"{Path(last.filename).stem}:{last.lineno} ({last.line})"


def caught(outcome: dict[str, Any]) -> bool:
    """Whether more is wrong than that something came late, as it may on any slow machine."""
    return len(outcome["wrong"]) > len(outcome["late"])
