"""The likeliest machine behind a device without one, out of everything that is kept of its messages. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass

from fleet.claim import Proposal, usual_interval
from fleet.trade_guess import guess_trade
from ingest.guess import Guess, guess, powers


@dataclass(frozen=True)
class Speaking:
    """A topic that belongs to no machine.

    Attributes:
        first_ms, last_ms: of its messages, epoch ms.
        samples: (arrival in epoch ms, payload or its first bytes), oldest first; at least one.
        guess: what the collector takes it for, or None.
    """

    topic: str
    first_ms: int
    last_ms: int
    messages: int
    samples: tuple[tuple[int, bytes], ...]
    guess: Guess | None = None


def propose(device: Speaking) -> Proposal | None:
    """The likeliest machine behind a topic; None when no format reads anything of its newest message.

    The collector saw each message whole; where it said nothing, what is kept of the newest one is looked at here.
    """
    at_ms, payload = device.samples[-1]
    found = device.guess or guess(device.topic, payload, at_ms)
    if found is None:
        return None
    power = max(_powers(device, found), default=None)
    return Proposal(
        found.topic, found.format, found.channel, found.score, found.reason, found.name,
        guess_trade(device.topic, power), usual_interval(device.first_ms, device.last_ms, device.messages),
    )  # fmt: skip


def _powers(device: Speaking, found: Guess) -> Iterator[float]:
    if found.power_w is not None:
        yield found.power_w
    for at_ms, payload in device.samples:
        try:
            yield from powers(found.format, found.channel, device.topic, payload, at_ms)
        except KeyError:  # a format of the fleet's own, or of a newer collector
            return
