"""Why the states of a machine that speaks are not known, and the one thing to do; for its owner alone."""

from typing import Any, Final

from gateway.catalog import later
from gateway.words import Words

_OR_MARK: Final = later("Attendez, ou étalonnez la machine : une marque « en production » suffit.")
_MARK: Final = later("Étalonnez la machine : une marque « en production » suffit.")
_METER: Final = later(
    "Placez la pince sur cette seule machine ou prenez un compteur plus fin ; si rien n'y manque, étalonnez la machine."
)
_FORMAT: Final = later("Faites envoyer l'état ou la puissance par l'appareil, ou corrigez le format de ses messages.")
_WHY: Final = {
    "few": (
        later("Son état ne se déduit pas encore : il y a moins d'un jour de puissance, ou moins de cent relevés."),
        _OR_MARK,
    ),
    "one-level": (
        later("Son état ne se déduit pas : sa puissance est restée à un seul niveau, toujours au travail ou jamais."),
        _OR_MARK,
    ),
    "close": (
        later("Son état ne se déduit pas : ses niveaux de puissance sont trop proches pour séparer travail et repos."),
        _METER,
    ),
    "seldom": (
        later("Son état ne se déduit pas : un de ses niveaux de puissance a été vu moins de sept heures."),
        _OR_MARK,
    ),
    "restless": (
        later(
            "Son état ne se déduit pas : elle n'a jamais été vue quatre heures au repos, "
            "et son niveau bas est peut-être du travail."
        ),
        _MARK,
    ),
    "counter": (
        later("Son état ne se déduit pas : sa puissance et son compteur se contredisent plus d'un dixième du temps."),
        later("Vérifiez que les deux sont bien ceux de cette machine, puis étalonnez-la."),
    ),
    "ambiguous": (
        later("Son état ne se déduit pas : un niveau entre repos et pleine puissance est du travail ou de l'attente."),
        _MARK,
    ),
    "idle": (
        later(
            "Son état ne se déduit pas : sa puissance est restée sous 15 % de sa puissance nominale. "
            "Elle n'a pas été vue au travail, ou la pince n'en prend qu'une partie."
        ),
        later("Vérifiez la pince et la puissance nominale inscrite, puis étalonnez la machine."),
    ),
    "moved": (
        later(
            "Vos marques ne servent plus : les niveaux de puissance ont changé depuis. "
            "La pince a été déplacée, ou la machine modifiée."
        ),
        later("Vérifiez la pince, puis étalonnez la machine de nouveau."),
    ),
    "nothing": (later("Son état est inconnu : elle n'envoie ni état, ni compteur, ni puissance."), _FORMAT),
    "counter-slow": (
        later("Son état est inconnu : elle n'envoie qu'un compteur, qui monte moins d'une fois par heure."),
        _FORMAT,
    ),
    "counter-still": (later("Son état est inconnu : elle n'envoie qu'un compteur, qui ne bouge pas."), _FORMAT),
}
"""Reason (``analytics.untold``) -> what is the matter, what to do."""
_ELSE: Final = (later("Son état ne se déduit pas de ses relevés."), _MARK)


def told(reason: str, words: Words) -> dict[str, Any] | None:
    """What is the matter, what to do, and whether by marks; None when the states are known."""
    if not reason:
        return None
    text, todo = _WHY.get(reason, _ELSE)
    return {"text": words.say(text), "todo": words.say(todo), "marks": todo != _FORMAT}
