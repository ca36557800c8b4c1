"""The thirty invented members: name, commune, shifts, and their machines by trade. Names were coined for this."""

from typing import Final, NamedTuple


class Role(NamedTuple):
    """One member. ``shifts`` is a pattern of ``calendars.py``; ``park`` lists trades, ``x3`` repeats one."""

    slug: str
    name: str
    commune: str
    shifts: str
    park: str


CAST: Final = (
    Role("vauzelin", "Mécanique Vauzelin", "haguenau", "2x8", "machining x3, turning x2, grinding, utility"),
    Role("sorvelle", "Peintures Sorvelle", "brumath", "1x8", "paint x3, washing, furnace"),
    Role("marquenoy", "Tôlerie Marquenoy", "saverne", "2x8", "laser x2, press x2, welding, paint"),
    Role("rivaldor", "Ateliers Rivaldor", "reichshoffen", "1x8", "paint x2, welding x2, machining, test"),
    Role("orsmatt", "Forges d’Orsmatt", "niederbronn", "3x8", "furnace x2, press x3, grinding"),
    Role("velmonde", "Transmissions Velmonde", "haguenau", "3x8", "machining x3, turning x2, grinding x2, utility"),
    Role("astrevin", "Roulements Astrevin", "haguenau", "3x8", "turning x3, grinding x3, furnace, washing"),
    Role("quintolier", "Découpe Quintolier", "hochfelden", "2x8", "laser x3, press"),
    Role("falborne", "Motoréducteurs Falborne", "brumath", "2x8", "machining x2, turning, test x2, paint, utility"),
    Role("dolmatt", "Ferrures Dolmatt", "ingwiller", "2x8", "press x3, washing, paint, injection"),
    Role("tessandre", "Matériel ferroviaire Tessandre", "reichshoffen", "2x8", "paint x2, welding x3, test, utility"),
    Role("ormelune", "Plastiques Ormelune", "bischwiller", "3x8", "injection x4, utility"),
    Role("grivenne", "Outillage Grivenne", "mertzwiller", "1x8", "edm x2, grinding, machining"),
    Role("calvorne", "Traitement thermique Calvorne", "soultz", "3x8", "furnace x4, washing"),
    Role("hestrelin", "Chaudronnerie Hestrelin", "wissembourg", "1x8", "welding x2, laser, press, paint"),
    Role("parnoval", "Usinage Parnoval", "schweighouse", "2x8", "machining x3, turning, washing"),
    Role("bressignol", "Décolletage Bressignol", "dettwiller", "3x8", "turning x4, washing, utility"),
    Role("navelise", "Robinetterie Navelise", "wissembourg", "2x8", "turning x2, machining, test, washing"),
    Role("torvenne", "Hydraulique Torvenne", "drusenheim", "2x8", "machining x2, test x2, paint"),
    Role("sigreval", "Emballages Sigréval", "lauterbourg", "3x8", "press x3, laser, utility"),
    Role("jorlande", "Menuiserie métallique Jorlande", "bouxwiller", "1x8", "paint, laser, welding"),
    Role("pevrelle", "Bobinage Pévrelle", "seltz", "1x8", "test, furnace, turning"),
    Role("drevalin", "Machinisme Drévalin", "saverne", "2x8", "paint x2, welding, laser, press, utility"),
    Role("mircastel", "Essais Mircastel", "haguenau", "1x8", "test x4"),
    Role("ostrevane", "Fonderie Ostrevane", "niederbronn", "3x8", "furnace x2, grinding, machining"),
    Role("lindreval", "Carrosserie Lindréval", "gundershoffen", "1x8", "paint x2, welding, press"),
    Role("xandrigue", "Moules Xandrigue", "val-de-moder", "2x8", "edm x2, machining, injection"),
    Role("ulmerose", "Rectification Ulmerose", "woerth", "1x8", "grinding x3, turning"),
    Role("wolfrange", "Soudage Wolfrange", "bischwiller", "1x8", "welding x3, laser, paint"),
    Role("eskandrel", "Mobilier Eskandrel", "hochfelden", "1x8", "paint x2, laser, press, washing"),
)


def trades_of(text: str) -> list[str]:
    """``paint x2, laser`` as ``["paint", "paint", "laser"]``."""
    trades: list[str] = []
    for item in text.split(","):
        name, _, times = item.strip().partition(" x")
        trades += [name] * int(times or 1)
    return trades
