"""What every rule may look at, and the owner's word on what it said."""

from dataclasses import dataclass
from datetime import datetime

from analytics.history import History
from analytics.level import BUILT_IN_PRIOR, WeeklyPrior
from fleet.network import Answer, Machine, Member, Network


@dataclass(frozen=True, slots=True)
class RuleContext:
    """One machine as its rules see it at ``now``; pure data.

    Attributes:
        history: its hours, 12 weeks or more when there are any; hours from ``now`` on are ignored.
        feed_alive: whether the feed is alive now, by session or by its learned period.
        inferable: whether the states rest on an accepted model: published, counted, calibrated, or a fit that passed.
        untold: why its states are not known (``analytics.untold``), "" when they are.
        prior: from the member's own other machines (``analytics.level.prior_of``), or the built-in one.
    """

    member: Member
    machine: Machine
    network: Network
    history: History
    now: datetime
    feed_alive: bool
    inferable: bool
    prior: WeeklyPrior = BUILT_IN_PRIOR
    untold: str = ""

    @property
    def timezone(self) -> str:
        """The member's clock, else the network's."""
        return self.member.timezone or self.network.timezone

    def answer(self, rule: str) -> Answer | None:
        """The owner's newest answer to this rule's finding, given by ``now``."""
        given = [
            answer
            for answer in self.member.answers
            if answer.machine == self.machine.id and answer.rule == rule and _instant(answer.at, self.now) <= self.now
        ]
        return max(given, key=lambda answer: _instant(answer.at, self.now), default=None)


def _instant(at: datetime, like: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=like.tzinfo)
