"""What every rule may look at, and the owner's word on what it said."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from analytics.history import History
from fleet.network import Answer, Machine, Member, Network


class WeeklyPrior(NamedTuple):
    """What is believed of a machine's mean weekly utilisation before its own weeks are seen.

    Attributes:
        mean: of the machines it is likened to, 0..1.
        between: standard deviation of the machines' means.
        within: standard deviation of one machine's weeks.
        origin: said in the evidence.
    """

    mean: float
    between: float
    within: float
    origin: str


BUILT_IN_PRIOR: Final = WeeklyPrior(0.5, 0.3, 0.12, "built-in")
"""Weak on purpose: six weeks of a machine's own outweigh it. Other members' machines never enter it."""


@dataclass(frozen=True, slots=True)
class RuleContext:
    """One machine as its rules see it at ``now``; pure data.

    Attributes:
        history: its hours, 12 weeks or more when there are any; hours from ``now`` on are ignored.
        feed_alive: whether the feed is alive now, by session or by its learned period.
        inferable: whether the states rest on an accepted model: published, counted, calibrated, or a fit that passed.
        prior: from the member's own other machines, or the built-in one.
    """

    member: Member
    machine: Machine
    network: Network
    history: History
    now: datetime
    feed_alive: bool
    inferable: bool
    prior: WeeklyPrior = BUILT_IN_PRIOR

    @property
    def timezone(self) -> str:
        """The member's clock, else the network's."""
        return self.member.timezone or self.network.timezone

    def answer(self, rule: str) -> Answer | None:
        """The owner's newest answer to this rule's finding, given by ``now``."""
        given = [a for a in self.member.answers if a.machine == self.machine.id and a.rule == rule and a.at <= self.now]
        return max(given, key=lambda answer: answer.at, default=None)
