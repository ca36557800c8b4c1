"""What is assumed of each trade until the owner says otherwise, and what it is called.

The figures are defaults for a first day, not measurements: every one can be set machine by machine
(``minimum_hours``, ``changeover_hours``, ``hold_after_hours``, ``rated_w``).
"""

from enum import StrEnum
from typing import Final, Literal, NamedTuple

from fleet.network import Machine, Trade

Language = Literal["fr", "de", "en"]


class Family(StrEnum):
    """The five families that network totals are told by; finer cells could be traced to a member."""

    SURFACE = "surface"
    CUTTING = "cutting"
    FORMING = "forming"
    HEAT = "heat"
    TESTING = "testing"


class TradeFacts(NamedTuple):
    """Defaults of a trade.

    Attributes:
        fr, de, en: its name on the pages.
        minimum_hours: shortest useful job (L_min), hours.
        changeover_hours: changeover plus safety (b), hours.
        hold_after_hours: curing, cooling or a mounted die, hours by which it extends busy.
        threshold: utilisation on staffed hours below which a flag is considered (tau), 0..1.
        working_w: typical power while producing, watts.
        family: for totals; None when the trade is never shared.
    """

    fr: str
    de: str
    en: str
    minimum_hours: float
    changeover_hours: float
    hold_after_hours: float
    threshold: float
    working_w: float
    family: Family | None

    def name(self, language: str) -> str:
        """The trade's name; English for a language that the pages do not speak."""
        return {"fr": self.fr, "de": self.de}.get(language, self.en)


_S, _C, _F, _H, _T = Family

TRADES: Final[dict[Trade, TradeFacts]] = {
    # names, then L_min, b, hold_after (hours), tau, watts, family
    Trade.PAINT: TradeFacts("peinture", "Lackieren", "painting", 4.0, 1.0, 2.0, 0.40, 18_000, _S),
    Trade.MACHINING: TradeFacts("usinage", "Fräsen", "machining", 4.0, 1.5, 0.0, 0.40, 12_000, _C),
    Trade.TURNING: TradeFacts("tournage", "Drehen", "turning", 4.0, 1.5, 0.0, 0.40, 9_000, _C),
    Trade.LASER: TradeFacts("découpe laser", "Laserschneiden", "laser cutting", 2.0, 0.5, 0.0, 0.40, 25_000, _F),
    Trade.PRESS: TradeFacts("presse", "Pressen", "press work", 4.0, 2.0, 1.0, 0.40, 30_000, _F),
    Trade.FURNACE: TradeFacts("four", "Wärmebehandlung", "furnace", 8.0, 1.0, 4.0, 0.40, 60_000, _H),
    Trade.TEST: TradeFacts("banc d'essai", "Prüfstand", "test bench", 4.0, 2.0, 0.0, 0.40, 15_000, _T),
    Trade.WELDING: TradeFacts("soudage", "Schweißen", "welding", 4.0, 1.0, 0.5, 0.40, 8_000, _F),
    Trade.EDM: TradeFacts("électroérosion", "Erodieren", "EDM", 8.0, 1.0, 0.0, 0.40, 6_000, _C),
    Trade.WASHING: TradeFacts("lavage", "Reinigen", "washing", 2.0, 0.5, 0.5, 0.40, 20_000, _S),
    Trade.INJECTION: TradeFacts("injection", "Spritzguss", "injection moulding", 8.0, 3.0, 1.0, 0.40, 25_000, _H),
    Trade.GRINDING: TradeFacts("rectification", "Schleifen", "grinding", 4.0, 1.0, 0.0, 0.40, 8_000, _C),
    Trade.UTILITY: TradeFacts("utilité", "Versorgung", "utility", 4.0, 0.0, 0.0, 0.40, 30_000, None),
    Trade.OTHER: TradeFacts("autre", "Sonstiges", "other", 4.0, 1.0, 0.0, 0.40, 10_000, _T),
}

FAMILY_NAMES: Final[dict[Family, dict[Language, str]]] = {
    Family.SURFACE: {"fr": "surface", "de": "Oberfläche", "en": "surface"},
    Family.CUTTING: {"fr": "usinage", "de": "Zerspanung", "en": "cutting"},
    Family.FORMING: {"fr": "tôle et assemblage", "de": "Blech und Fügen", "en": "sheet metal and joining"},
    Family.HEAT: {"fr": "thermique et injection", "de": "Wärme und Spritzguss", "en": "heat and moulding"},
    Family.TESTING: {"fr": "essais et autres", "de": "Prüfen und Sonstiges", "en": "testing and other"},
}


def minimum_hours(machine: Machine) -> float:
    """Shortest useful job (L_min), hours: the machine's own, else its trade's."""
    own = machine.minimum_hours
    return TRADES[machine.trade].minimum_hours if own is None else own


def changeover_hours(machine: Machine) -> float:
    """Changeover plus safety (b), hours: the machine's own, else its trade's."""
    own = machine.changeover_hours
    return TRADES[machine.trade].changeover_hours if own is None else own


def hold_after_hours(machine: Machine) -> float:
    """Hours by which a job extends busy: the machine's own, else its trade's."""
    own = machine.hold_after_hours
    return TRADES[machine.trade].hold_after_hours if own is None else own


def threshold(machine: Machine) -> float:
    """Utilisation on staffed hours below which a flag is considered (tau), 0..1."""
    return TRADES[machine.trade].threshold
