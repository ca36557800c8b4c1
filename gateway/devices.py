"""Devices that speak but belong to no machine, for the engineer of their member: what each is taken for, and why."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from fleet.claim import Proposal, usual_interval
from fleet.network import Machine, Trade
from fleet.plausible import doubt
from fleet.topics import matches, reading_topic
from fleet.trade_guess import TradeGuess, guess_trade
from fleet.trades import TRADES
from gateway import sheets
from gateway.access import Scope
from gateway.catalog import later
from gateway.messages import Device, Guess, Unclaimed
from gateway.troubles import CLOCK_S, Trouble, clock, of_trade, power, refused
from gateway.words import Words

PAYLOAD_SHOWN: Final = 400
_STILL_S: Final = 900.0
_SURE: Final = ((0.65, later("presque sûr")), (0.45, later("probable")), (0.1, later("possible")))
_UNSURE: Final = later("à vérifier")
_READS: Final = {
    "state": later("l'état"),
    "utilisation": later("le taux d'utilisation"),
    "power_w": later("la puissance"),
    "energy_wh": later("l'énergie"),
    "count": later("le compteur"),
}
_METRICS: Final = later("d'autres mesures, mais rien qui dise l'état")
_TIME: Final = later("l'heure de l'appareil")


@dataclass
class Group:
    """One device: the topic that carries readings, and further topics of the same device."""

    device: Device
    others: list[str] = field(default_factory=list)

    @property
    def guess(self) -> Guess | None:
        """What the topic is taken for."""
        return self.device.guess

    @property
    def trade(self) -> TradeGuess:
        """What kind of machine it seems to be on."""
        return guess_trade(self.device.topic, self.guess.power_w if self.guess else None)

    def proposal(self, wire_format: str, channel: str | None) -> Proposal:
        """The machine it would become, read as this format; the feed is guessed for the guessed format alone."""
        guess, device = self.guess, self.device
        own = guess if guess is not None and guess.format == wire_format else None
        return Proposal(
            own.topic if own and own.topic else device.topic, wire_format, channel, own.score if own else 0.0, "",
            own.name if own and own.name else device.topic.rsplit("/", 1)[-1], self.trade,
            usual_interval(device.first, device.last, device.messages),
        )  # fmt: skip


def waiting(scope: Scope) -> tuple[list[Group], list[str]]:
    """The devices of the owner's member that wait for a machine, newest first, and topics that carry no reading and
    belong to a device that has one.

    Raises:
        Hidden: another audience asks, or there is no such member.
    """
    machines = [own.machine for own in scope.own_machines()]
    said = scope.live.unclaimed.get(scope.member, Unclaimed())
    feeds = [topic for machine in machines for topic in _feeds(scope.member, machine)]
    unclaimed = [device for device in said.devices if not any(matches(feed, device.topic) for feed in feeds)]
    return grouped(unclaimed, feeds)  # what was claimed a moment ago is no longer said to wait


def grouped(devices: Sequence[Device], feeds: Iterable[str]) -> tuple[list[Group], list[str]]:
    """Topics by device: those that no format reads go with the device beside them, be it claimed or not."""
    newest = sorted(devices, key=lambda device: -device.last)
    groups: list[Group] = []
    for device in (one for one in newest if one.guess is not None):
        same = next(
            (group for group in groups if group.guess and device.guess and _same(group.guess, device.guess)), None
        )
        if same is None:
            groups.append(Group(device))
        else:
            same.others.append(device.topic)
    folded: list[str] = []
    roots = {_root(feed) for feed in feeds}
    for device in (one for one in newest if one.guess is None):
        beside = next((group for group in groups if _root(group.device.topic) == _root(device.topic)), None)
        if beside is not None:
            beside.others.append(device.topic)
        elif _root(device.topic) in roots:
            folded.append(device.topic)
        else:
            groups.append(Group(device))
    return sorted(groups, key=lambda group: -group.device.last), folded


def _same(one: Guess | None, other: Guess | None) -> bool:
    if one is None or other is None or not one.topic:
        return False
    return (one.topic, one.format) == (other.topic, other.format)


def _root(topic: str) -> tuple[str, ...]:
    """The levels that name the device, as a rule: the member's and the one below it; a Sparkplug node's the fourth."""
    levels = topic.split("/")
    return (levels[0], levels[1], *levels[3:4]) if levels[0] == "spBv1.0" else tuple(levels[:3])


def _feeds(member: str, machine: Machine) -> list[str]:
    return [feed.topic for feed in machine.feeds] or [reading_topic(member, machine.id)]


def card(group: Group, now: datetime, words: Words) -> dict[str, Any]:
    """One device as the page shows it."""
    device, guess, trade = group.device, group.guess, group.trade
    payload = device.prefix or ""
    return {
        "id": hashlib.blake2s(device.topic.encode(), digest_size=5).hexdigest(),
        "title": guess.name if guess and guess.name else device.topic.rsplit("/", 1)[-1],
        "topic": device.topic,
        "others": group.others,
        "first": _moment(device.first),
        "last": _moment(device.last),
        "messages": words.number(device.messages),
        "count": device.messages,
        "payload": payload if len(payload) <= PAYLOAD_SHOWN else payload[: PAYLOAD_SHOWN - 1] + "…",
        "format": sheets.name_of(guess.format, words) if guess else None,
        "sure": sureness(guess.score if guess else 0.0, words),
        "score": words.say("%(score)s sur 1", score=words.number(guess.score, 2)) if guess else None,
        "why": _why(guess, words) if guess else None,
        "power": words.power(guess.power_w) if guess and guess.power_w is not None else None,
        "trade": words.trade(trade.trade) if trade.trade is not Trade.OTHER else None,
        "trade_sure": sureness(trade.score, words),
        "trade_score": words.say("%(score)s sur 1", score=words.number(trade.score, 2)),
        "trade_why": _trade_why(trade, words),
        "troubles": troubles(group, now, words),
        "example": f"{words.trade(trade.trade)} 1" if trade.trade is not Trade.OTHER else None,
    }


def sureness(score: float, words: Words) -> str:
    """A score in words."""
    return words.say(next((said for least, said in _SURE if score >= least), _UNSURE))


def _why(guess: Guess, words: Words) -> str:
    if guess.fault is not None and not guess.reads:
        return words.say("ce format connaît cette forme de message, mais refuse ce qu'elle contient")
    read = [words.say(_READS[name]) for name in guess.reads if name in _READS] or [words.say(_METRICS)]
    if guess.behind_s is not None:
        text = words.say("il y lit %(what)s", what=words.listed([*read, words.say(_TIME)]))
    else:
        text = words.say(
            "il y lit %(what)s ; l'appareil n'envoie pas d'heure, celle de l'arrivée la remplace",
            what=words.listed(read),
        )
    if guess.channels:
        text += words.say(" ; le message porte plusieurs voies : %(names)s", names=", ".join(guess.channels[:8]))
    return text


def _trade_why(trade: TradeGuess, words: Words) -> str:
    word = (
        words.say("le sujet contient « %(word)s »", word=trade.word)
        if trade.word
        else words.say("aucun mot du sujet ne le dit")
    )
    if trade.power_w is None:
        return words.say("%(word)s ; aucune puissance encore", word=word)
    drawn = words.power(trade.power_w)
    if trade.trade is Trade.OTHER:
        return words.say("%(word)s ; %(power)s au plus jusqu'ici, ce qui convient à plusieurs", word=word, power=drawn)
    usual = words.power(TRADES[trade.trade].working_w)
    return words.say(
        "%(word)s ; %(power)s au plus jusqu'ici, %(usual)s sont courants en production",
        word=word,
        power=drawn,
        usual=usual,
    )


def troubles(group: Group, now: datetime, words: Words) -> list[Trouble]:
    """What is wrong with a device that no machine has, the surest first."""
    guess, device = group.guess, group.device
    found: list[Trouble] = []
    if guess is None:
        found.append(_unread(device, words))
    else:
        found += [refused(guess.fault, words)] if guess.fault else []
        found += [clock(guess.behind_s, words)] if guess.behind_s is not None and abs(guess.behind_s) > CLOCK_S else []
        trade = group.trade.trade
        doubted = doubt(trade, None, guess.power_w)
        found += [power(doubted, words, of_trade(trade, words))] if doubted else []
    silent = now - _moment(device.last)
    if silent.total_seconds() > max(_STILL_S, 3 * usual_interval(device.first, device.last, device.messages)):
        text = words.say("Il se tait depuis %(time)s.", time=words.duration(silent.total_seconds()))
        found.append(Trouble(text, words.say("Vérifiez son alimentation, son réseau et son mot de passe.")))
    return found


def _unread(device: Device, words: Words) -> Trouble:
    payload = (device.prefix or "").lstrip()
    if payload[:1] in ("{", "["):
        text = words.say("Aucun format connu n'y trouve de grandeur : état, puissance, énergie ou compteur.")
    else:
        text = words.say("Aucun format connu ne lit ce message.")
    return Trouble(text, words.say("Choisissez son format s'il en a un, sinon un profil du réseau le décrit."))


def known_formats(said: Collection[str], groups: Iterable[Group], words: Words) -> list[tuple[str, str]]:
    """The formats to choose from: those the collectors say they read, else those this program has a name for."""
    names = [*said] if said else [*sheets.NAMES, *sheets.FORMATS]
    names = [name for name in names if name != "zigbee2mqtt"]
    names += [group.guess.format for group in groups if group.guess and group.guess.format not in names]
    return sorted(((name, sheets.name_of(name, words)) for name in names), key=lambda pair: words.order(pair[1]))


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
