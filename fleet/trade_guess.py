"""Which trade a device's topic and power speak of: words say much, power little. Pure.

Half of the trades draw 8 to 25 kW, so power alone seldom gives a trade.
"""

import math
import re
from typing import Final, NamedTuple

from fleet.network import Trade
from fleet.trades import TRADES

WORDS: Final[dict[Trade, tuple[str, ...]]] = {
    Trade.PAINT: ("booth", "cabine", "paint", "peint", "laque", "lack", "spray"),
    Trade.MACHINING: ("cnc", "mill", "frais", "fräs", "usinage", "machining", "vmc"),
    Trade.TURNING: ("lathe", "tour", "dreh", "turning"),
    Trade.LASER: ("laser",),
    Trade.PRESS: ("press", "plieuse", "bending"),
    Trade.FURNACE: ("furnace", "four", "ofen", "oven", "etuve"),
    Trade.TEST: ("banc", "bench", "testbench", "pruef", "prüf"),
    Trade.WELDING: ("weld", "soud", "schweiss", "schweiß"),
    Trade.EDM: ("edm", "erosion", "electroerosion", "erodier", "fil"),
    Trade.WASHING: ("wash", "lavage", "laveuse", "reinig"),
    Trade.INJECTION: ("inject", "spritz", "mould", "mold"),
    Trade.GRINDING: ("grind", "rectif", "schleif"),
    Trade.UTILITY: ("compress", "kompress", "chiller", "pump"),
}
"""How the levels of a topic begin that tell the trade, in the three languages of the pages."""

SURE: Final = 0.5
"""A trade of a lower score is not taken: the machine is of trade ``other`` until its owner says."""
_WORD, _FAR, _NONE_OF_THEM = 60.0, 0.3, 2.0
_SPREAD: Final = 0.7  # of power within one trade, as a standard deviation of its logarithm
_TELLING_W: Final = 50.0


class TradeGuess(NamedTuple):
    """The likeliest trade.

    Attributes:
        trade: ``other`` when none is sure.
        score: 0 to 1, of the likeliest, be it taken or not.
        word: the word of the topic that says it, "" when none does.
        power_w: highest power known of, watts.
        nearest: the likeliest by power when none is taken.
    """

    trade: Trade
    score: float
    word: str
    power_w: float | None
    nearest: Trade | None

    @property
    def reason(self) -> str:
        """Why, in one line."""
        drawn = "no power yet" if self.power_w is None else f"{self.power_w:g} W at most so far"
        word = f"the topic says {self.word!r}" if self.word else "no word in the topic"
        if self.score >= SURE:
            return f"{word}; {drawn}, {TRADES[self.trade].working_w:g} W are usual"
        hint = f"; nearest is {self.nearest.value}" if self.nearest else ""
        return f"{word}; {drawn}, which fits several trades{hint}"


def guess_trade(topic: str, power_w: float | None) -> TradeGuess:
    """The likeliest trade behind a topic that drew ``power_w`` at most."""
    words = [word for level in topic.split("/")[2:] for word in re.split(r"[^a-zà-ÿ]+", level.lower()) if word]
    said = {trade: word for trade, stems in WORDS.items() for word in words if word.startswith(stems)}
    telling = power_w if power_w is not None and power_w >= _TELLING_W else None
    weights = {trade: _closeness(trade, telling) * (_WORD if trade in said else 1.0) for trade in WORDS}
    best = max(weights, key=weights.__getitem__)
    score = round(weights[best] / (sum(weights.values()) + _NONE_OF_THEM), 2)
    if score >= SURE:
        return TradeGuess(best, score, said.get(best, ""), power_w, None)
    return TradeGuess(Trade.OTHER, score, said.get(best, ""), power_w, best if telling else None)


def _closeness(trade: Trade, power_w: float | None) -> float:
    """1 at the trade's usual power; a machine may stand by for as long as we have heard it, so never below ``_FAR``."""
    if power_w is None:
        return _FAR
    distance = math.log(power_w / TRADES[trade].working_w) / _SPREAD
    return max(_FAR if distance < 0 else 0.02, math.exp(-0.5 * distance**2))
