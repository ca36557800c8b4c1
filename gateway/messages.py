"""What the other programs say on ``net/v1/...``, as the gateway reads it; further fields are kept aside."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Moment = Annotated[int, Field(ge=0)]
LONGEST = 200


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


Brief = Annotated[str, AfterValidator(_shortened)]
"""Text for people, cut when it is longer than 200 characters: part of it may come from a device."""


class Heard(BaseModel):
    """Base: unknown fields are allowed, since a newer program may say more."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TouchedMachine(Heard):
    """The newest reading of one machine; times in epoch ms."""

    at: Moment
    arrived: Moment
    state: str | int | None = None
    power_w: float | None = None
    utilisation: float | None = None
    counter: int | None = None
    hours: list[int] = []


class Touched(Heard):
    """``net/v1/touched/<member>``."""

    at: Moment
    machines: dict[str, TouchedMachine]


class Reject(Heard):
    """One refused message: which field, which value, which rule."""

    at: Moment = 0
    topic: str = ""
    machine: str = ""
    reason: str = ""
    field: str | None = None
    value: Any = None
    rule: str | None = None
    prefix: str | None = None
    sha256: str | None = None


class Rejects(Heard):
    """``net/v1/rejects/<member>``."""

    at: Moment = 0
    total: int = 0
    by_reason: dict[str, int] = {}
    newest: list[Reject] = []


class Fault(Heard):
    """What a format refuses: which field, which value, which rule."""

    reason: str = ""
    field: Brief = ""
    value: Brief = ""
    rule: str = ""


class Guess(Heard):
    """What an unclaimed device seems to be: see ``ingest.guess.Guess``."""

    format: str
    score: float = 0.0
    reads: list[str] = []
    topic: str = ""
    name: str = ""
    channel: str | None = None
    channels: list[str] = []
    power_w: float | None = None
    behind_s: float | None = None
    fault: Fault | None = None


class Device(Heard):
    """A device that speaks but belongs to no machine."""

    topic: str
    first: Moment = 0
    last: Moment = 0
    messages: int = 0
    prefix: str | None = None
    guess: Guess | None = None

    @property
    def last_at(self) -> datetime:
        """When its newest message arrived."""
        return datetime.fromtimestamp(self.last / 1000, UTC)


class Unclaimed(Heard):
    """``net/v1/unclaimed/<member>``."""

    at: Moment = 0
    total: int = 0
    devices: list[Device] = []


class BrokerHealth(Heard):
    """The program's link to the broker."""

    connected: bool = False
    since: int | None = None
    session_losses: int = 0


class StoreHealth(Heard):
    """The program's link to the store."""

    ok: bool = True
    since: int | None = None
    error: str | None = None


class Contradiction(Heard):
    """A payload that named another ``field`` (member or machine) than its topic; the topic counted."""

    at: Moment = 0
    topic: Brief
    field: str
    name: Brief


class Gap(Heard):
    """Numbers ``first`` to ``last`` that never came, between readings of the device times ``after`` and ``before``."""

    first: int
    last: int
    after: Moment
    before: Moment


class Restart(Heard):
    """A count that began again at ``number`` after ``top``."""

    top: int
    number: int


class Missing(Heard):
    """What a machine, or a Sparkplug node, numbered and never came; ``ranges`` has the newest of it."""

    member: Brief = ""
    machine: Brief = ""
    node: Brief = ""
    missing: int = 0
    ranges: list[Gap] = []
    restart: Restart | None = None

    @property
    def who(self) -> str:
        """Its name on pages for the operator."""
        return f"{self.member}.{self.machine or self.node}"


class Gaps(Heard):
    """What a collector knows of numbered readings: totals, and the machines that lack some, newest first."""

    missing: int = 0
    machines: list[Missing] = []


class Loud(Heard):
    """A member that sends far more than the others: messages a second, share of all, readings that wait apart.

    ``apart``: it floods with readings, which go apart; False: with what is refused or nobody's, which cannot.
    """

    member: Brief
    rate: float = 0.0
    share: float = 0.0
    waiting: int = 0
    apart: bool = True


class FilledBy(Heard):
    """Who sent most of the readings since some wait for the store, and what share of them."""

    member: Brief
    share: float = 0.0


class Health(BaseModel):
    """``net/v1/health/<program>``; figures of one program alone stay in ``model_extra``."""

    model_config = ConfigDict(frozen=True, extra="allow")

    program: str
    alive: bool = False
    at: Moment = 0
    version: str | None = None
    pid: int | None = None
    registry_digest: str | None = None
    broker: BrokerHealth = BrokerHealth()
    store: StoreHealth = StoreHealth()
    contradictions: list[Contradiction] = []
    gaps: Gaps = Gaps()
    loud: list[Loud] = []
    filled_by: FilledBy | None = None
    errors: list[Brief] = []

    def figure(self, name: str) -> float | None:
        """A number that this program alone tells, such as ``lag_ms``; None when it does not."""
        value = (self.model_extra or {}).get(name)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


class SessionLoss(Heard):
    """``net/v1/session/<program>``: the broker came back without our session, or threw so many messages away."""

    at: Moment = 0
    program: str = ""
    lost: bool = True
    reason: str = ""
    messages: int | None = None
