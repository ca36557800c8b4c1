"""Who may see what in the fictional network, and what owners answered to flags."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np

from fleet.network import Answer, Consent, Level, Machine
from simulators.plant import load_of

STARTUPS: Final = ("startup:ondelia", "startup:quartz-atelier")
_RULE: Final = "structural-underuse"
_PURPOSE: Final = "Partage de capacités du réseau"


def consents(machines: Sequence[Machine], now: date, rng: np.random.Generator) -> list[Consent]:
    """Offered machines are shown to the coordinator, most of them with hours; some to all members; few are streamed."""
    return [consent for machine in machines for consent in _of(machine, now, rng)]


def _of(machine: Machine, now: date, rng: np.random.Generator) -> Iterator[Consent]:
    dice = rng.random(4).tolist()
    since = now - timedelta(days=int(rng.integers(90, 200)))
    until = since + timedelta(days=730)
    if machine.offer is not None:
        measured = machine.offer.kind == "measured"
        level = Level.HOURS if measured and dice[0] < 0.6 else Level.OFFERS
        yield _consent(machine, "coordinator", level, since, until)
        if dice[1] < 0.3:
            yield _consent(machine, "members", Level.OFFERS, since, until)
    if machine.shareable and dice[2] < 0.06:
        startup = STARTUPS[int(dice[3] * len(STARTUPS))]
        yield Consent(
            machine=machine.id,
            recipient=startup,
            level=Level.STREAM,
            purpose="Essai d’un service de prévision",
            since=since,
            until=now + timedelta(days=180),
            quantities=("state", "power_w") if dice[3] < 0.5 else ("power_w", "count"),
        )


def _consent(machine: Machine, recipient: str, level: Level, since: date, until: date) -> Consent:
    return Consent(machine=machine.id, recipient=recipient, level=level, purpose=_PURPOSE, since=since, until=until)


def answers(seed: int, member: str, machines: Sequence[Machine], now: date, rng: np.random.Generator) -> list[Answer]:
    """What the owner said of about a third of the machines that are likely to be flagged."""
    given = []
    for machine in machines:
        if not machine.shareable or load_of(seed, member, machine) > 0.25 or rng.random() > 0.35:
            continue
        day = datetime.combine(now - timedelta(days=int(rng.integers(3, 30))), time(8, 40), UTC)
        given.append(_answer(machine, day, offered=machine.offer is not None, dice=float(rng.random())))
    return given


def _answer(machine: Machine, at: datetime, *, offered: bool, dice: float) -> Answer:
    if offered:
        return Answer(machine=machine.id, rule=_RULE, answer="propose", at=at)
    if dice < 0.7:
        return Answer(machine=machine.id, rule=_RULE, answer="reserve", because="Secours de la ligne principale", at=at)
    return Answer(machine=machine.id, rule=_RULE, answer="wrong", because="Campagne de printemps à venir", at=at)
