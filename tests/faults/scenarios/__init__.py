"""The table of scenarios: a new one is a file here and a line below."""

from typing import Final

from tests.faults.scenario import Scenario
from tests.faults.scenarios import (
    broker_killed,
    disk_full,
    flood,
    killed_anytime,
    killed_at_points,
    lines_that_fail,
    queue_overflow,
    session_lost,
    session_lost_unseen,
    spool_damaged,
    store_away,
    store_in_turn,
    store_lost_it,
    store_refuses,
    upgraded,
    wrong_clocks,
)

SCENARIOS: Final[tuple[Scenario, ...]] = (
    killed_anytime.SCENARIO,
    killed_at_points.BEFORE_COMMIT,
    killed_at_points.AFTER_COMMIT,
    killed_at_points.BEFORE_STORE,
    killed_at_points.INSIDE_BATCH,
    killed_at_points.INSIDE_REQUESTS,
    broker_killed.SCENARIO,
    broker_killed.WITHOUT_PERSISTENCE,
    broker_killed.FORGETFUL_DEVICES,
    session_lost.SCENARIO,
    session_lost_unseen.SCENARIO,
    queue_overflow.SCENARIO,
    store_away.SCENARIO,
    store_refuses.SCENARIO,
    store_lost_it.BUCKET,
    store_lost_it.FILE,
    disk_full.SPOOL,
    disk_full.LAST_BYTE,
    disk_full.STORE,
    disk_full.LOG,
    spool_damaged.SCENARIO,
    lines_that_fail.HALF_OPEN,
    lines_that_fail.TRICKLE,
    lines_that_fail.RESET,
    lines_that_fail.STORE,
    wrong_clocks.HOURS_OFF,
    wrong_clocks.TIME_CHANGES,
    flood.SCENARIO,
    upgraded.SCENARIO,
)
"""What ``scripts/bench faults`` runs, in the order of the faults in ``docs/reliability.md``."""

SHORT: Final = (
    killed_at_points.IN_TURN,
    store_in_turn.SCENARIO,
    *(scenario for scenario in SCENARIOS if scenario.short_rounds),
)
"""What ``scripts/test`` runs."""
