"""What the chances of free windows rest on, in words, for the machine's owner."""

from typing import Final

from fleet.network import Machine
from fleet.records import Outlook
from gateway.words import Words

_MENTIONED: Final = 0.1
"""A smaller part that is the trade's is not worth a sentence."""


def basis_in_words(outlook: Outlook | None, machine: Machine, words: Words) -> str:
    """One to three sentences; empty when no chance is told."""
    basis = outlook.chance_basis if outlook else None
    if outlook is None or basis is None:
        return ""
    trade = words.trade_inside(machine.trade)
    days, share = round(7 * basis.own_weeks), words.percent(round(basis.trade_share, 1))
    leans = basis.trade_share >= _MENTIONED
    if not days:
        said = [
            words.say(
                "Aucun état connu encore : ces chances reposent sur ce que l'on suppose de son métier (%(trade)s).",
                trade=trade,
            )
        ]
    elif leans:
        said = [
            words.say(
                "Ces chances reposent sur %(time)s de cette machine et, pour %(share)s environ, sur ce que "
                "l'on suppose de son métier (%(trade)s).",
                time=_time(days, words),
                share=share,
                trade=trade,
            )
        ]
    else:
        said = [words.say("Ces chances reposent sur %(time)s de cette machine.", time=_time(days, words))]
    if leans and basis.siblings:
        said.append(words.say("Vos autres machines de la même famille de métiers y comptent aussi."))
    if outlook.assumed:
        said.append(words.say("Vous seul les voyez : rien n'en est publié avant deux semaines de relevés."))
    return " ".join(said)


def _time(days: int, words: Words) -> str:
    if days < 14:
        return words.count("%(num)s jour de relevés", "%(num)s jours de relevés", days)
    return words.count("%(num)s semaine de relevés", "%(num)s semaines de relevés", days // 7)
