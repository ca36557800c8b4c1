"""What is wrong with a device, each in one sentence with what to do about it; before its claim and after it alike."""

from datetime import UTC, datetime
from typing import Final, NamedTuple

from fleet.network import Machine, Trade
from fleet.offset import LARGEST_MS
from fleet.plausible import PowerDoubt, doubt
from gateway import refusals
from gateway.live import Now
from gateway.messages import Fault, Reject
from gateway.present import patience
from gateway.words import Words

CLOCK_S: Final = 300.0
"""A clock is said to be wrong beyond five minutes, as the doctor does."""


class Trouble(NamedTuple):
    """What is wrong with a device, in one sentence, and what to do about it; ``kilowatts`` has a button of its own."""

    text: str
    todo: str
    kilowatts: bool = False


def refused(fault: Fault, words: Words) -> Trouble:
    """A value that the format refuses: field, value, rule."""
    as_reject = Reject(reason=fault.reason, field=fault.field, value=fault.value, rule=fault.rule)
    said = refusals.told(as_reject, words)
    rule = said["rule"] or said["reason"]
    if fault.field:
        text = words.say(
            "Champ %(field)s, valeur « %(value)s » : %(rule)s.", field=fault.field, value=fault.value, rule=rule
        )
    else:
        text = words.say("Message refusé : %(rule)s.", rule=rule)
    return Trouble(text, said["todo"])


def clock(behind_s: float, words: Words) -> Trouble:
    """The device's clock is off by so many seconds, positive when it is slow."""
    off = words.duration(abs(behind_s))
    text = (
        words.say("L'horloge de l'appareil retarde de %(time)s.", time=off)
        if behind_s > 0
        else words.say("L'horloge de l'appareil avance de %(time)s.", time=off)
    )
    return Trouble(text, words.say("Réglez l'horloge de l'appareil, son fuseau et son serveur de temps (NTP)."))


def power(doubted: PowerDoubt, words: Words, of: str) -> Trouble:
    """The unit of power is doubtful; ``of`` says what it is judged by."""
    drawn, usual = words.unit(doubted.highest_w, "W", 1), words.power(doubted.usual_w)
    if doubted.kind == "impossible":
        text = words.say("%(power)s : impossible %(of)s (%(usual)s).", power=drawn, of=of, usual=usual)
        return Trouble(text, words.say("Corrigez l'unité : l'appareil doit envoyer des watts."))
    text = words.say(
        "%(power)s au plus, quand %(usual)s sont attendus %(of)s : l'appareil envoie-t-il des kilowatts ?",
        power=drawn, of=of, usual=usual,
    )  # fmt: skip
    todo = words.say("Si la machine travaillait, dites que la puissance arrive en kW.")
    return Trouble(text, todo, kilowatts=True)


def of_trade(trade: Trade, words: Words) -> str:
    """What a power is judged by when only the trade is known."""
    return words.say("pour ce métier (%(trade)s)", trade=words.trade_inside(trade))


def own_power(machine: Machine, highest_w: float | None, words: Words) -> Trouble | None:
    """The same for a machine, by what its owner rated or marked, else by its trade."""
    marked_w = machine.calibration.working_w  # read from the same device, in the same unit
    if marked_w is not None and highest_w is not None:
        highest_w = max(highest_w, marked_w)
    found = doubt(machine.trade, machine.rated_w or marked_w, highest_w)
    of = words.say("pour cette machine") if found and found.sure else of_trade(machine.trade, words)
    return power(found, words, of) if found else None


def slow_clock(machine: Machine, heard: Now | None, now: datetime, words: Words) -> Trouble | None:
    """The clock of a machine's device seems to be slow: what arrives now is dated by more than five minutes back.

    What is too old for a clock is history, which is old by right.
    """
    if heard is None or now - datetime.fromtimestamp(heard.arrived / 1000, UTC) > patience(machine):
        return None
    late_ms = heard.arrived - heard.at
    if not CLOCK_S * 1000 < late_ms <= LARGEST_MS:
        return None
    said = clock(late_ms / 1000, words)
    resent = words.say("S'il renvoie seulement ce qu'il avait gardé, cela passe de soi-même.")
    return said._replace(todo=f"{said.todo} {resent}")
