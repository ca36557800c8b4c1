"""The machines of a member: names, meters, calibration, dimensions and what the owner offers of them."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np

from fleet.network import Calibration, Machine, Mode, Offer, Reservation, Trade
from fleet.topics import slugify
from simulators.formats import FORMATS
from simulators.machines import kind_for
from simulators.network.calendars import utility_calendar
from simulators.noise import generator
from simulators.plant import load_of

EVERY_S: Final = 900.0
_WIRES: Final = {  # share of the machines
    "canonical": 0.38, "generic": 0.08, "tasmota": 0.13, "shelly-gen2": 0.13, "zigbee2mqtt-plug": 0.07,
    "shelly-gen1": 0.05, "mtconnect": 0.04, "shdr": 0.03, "opcua-pubsub": 0.03, "umh": 0.03, "plain-value": 0.03,
}  # fmt: skip
_LENT_TO: Final = "Prêtée à un membre du réseau"
_DECLARED: Final = 0.06  # share of machines that are offered without a meter
_NAMES: Final = {
    Trade.PAINT: "Cabine de peinture",
    Trade.MACHINING: "Centre d’usinage",
    Trade.TURNING: "Tour CN",
    Trade.LASER: "Laser",
    Trade.PRESS: "Presse",
    Trade.FURNACE: "Four",
    Trade.TEST: "Banc d’essai",
    Trade.WELDING: "Cellule de soudage",
    Trade.EDM: "Électroérosion à fil",
    Trade.WASHING: "Tunnel de lavage",
    Trade.INJECTION: "Presse à injecter",
    Trade.GRINDING: "Rectifieuse",
    Trade.UTILITY: "Compresseur",
}
_SIZES: Final = {  # metres: useful length, width, height
    Trade.PAINT: (7.0, 3.5, 3.2),
    Trade.MACHINING: (1.2, 0.7, 0.6),
    Trade.TURNING: (0.9, 0.35, 0.35),
    Trade.LASER: (3.0, 1.5, 0.1),
    Trade.PRESS: (2.5, 1.2, 0.6),
    Trade.FURNACE: (1.5, 1.0, 0.9),
    Trade.WELDING: (4.0, 2.0, 1.8),
    Trade.WASHING: (1.6, 0.8, 0.8),
    Trade.GRINDING: (1.0, 0.4, 0.4),
    Trade.TEST: (2.0, 1.5, 1.5),
}
_DETAILS: Final[dict[Trade, tuple[tuple[str, tuple[str | float | bool, ...]], ...]]] = {
    Trade.PAINT: (("paint", ("liquide", "poudre")), ("oven_c", (80.0, 120.0, 200.0)), ("atex", (True, False))),
    Trade.MACHINING: (("axes", (3.0, 4.0, 5.0)), ("taper", ("BT40", "HSK63", "BT50"))),
    Trade.TURNING: (("bar_mm", (42.0, 65.0, 80.0)), ("axes", (2.0, 3.0, 5.0))),
    Trade.LASER: (("power_kw", (3.0, 4.0, 6.0)), ("steel_mm", (15.0, 20.0, 25.0))),
    Trade.PRESS: (("tonnage_t", (110.0, 160.0, 250.0, 400.0)),),
    Trade.FURNACE: (("temperature_c", (650.0, 950.0, 1150.0)), ("atmosphere", ("air", "azote", "vide"))),
    Trade.TEST: (("power_kw", (45.0, 110.0, 250.0)), ("torque_nm", (400.0, 1200.0))),
    Trade.INJECTION: (("tonnage_t", (80.0, 150.0, 280.0)),),
}


def machines(seed: int, member: str, trades: list[str], now: date) -> list[Machine]:
    """The machines of a member's park; two of a trade are numbered."""
    made = []
    for index, name in enumerate(trades):
        trade = Trade(name)
        number = trades[: index + 1].count(name) if trades.count(name) > 1 else None
        made.append(_machine(seed, member, trade, number, now))
    return made


def _machine(seed: int, member: str, trade: Trade, number: int | None, now: date) -> Machine:
    title = _NAMES[trade] + (f" {number}" if number else "")
    slug = slugify(title.replace("’", "'"))
    rng = generator(seed, member, slug, "registry")
    kind = kind_for(trade)
    rated = round(float(rng.uniform(*kind.rated_w)), -2)
    wire = str(rng.choice(list(_WIRES), p=list(_WIRES.values())))
    utility = trade is Trade.UTILITY
    declared = not utility and rng.random() < _DECLARED
    load = load_of(seed, member, Machine(id=slug, name=title, trade=trade))
    calibration = _calibration(wire, rated, kind.standby, kind.producing, now, rng)
    confirmed = now - timedelta(days=int(rng.integers(2, 28))) if rng.random() < 0.15 else None
    offer = _declared(now, rng) if declared else _measured(load, now, rng) if not utility else None
    return Machine(
        id=slug,
        name=title,
        trade=trade,
        every=EVERY_S,
        feeds=() if wire == "canonical" or declared else (FORMATS[wire].feed(member, slug),),
        shareable=not utility,
        calendar=utility_calendar() if utility else None,
        rated_w=rated,
        counts=kind.counts,
        calibration=calibration,
        works_confirmed=confirmed,
        offer=offer,
        reservations=_lent(seed, member, slug, offer, now),
        attributes={} if utility else _attributes(trade, rng),
    )


def _calibration(
    wire: str, rated: float, standby: float, producing: float, now: date, rng: np.random.Generator
) -> Calibration:
    """What the owner marked while standing there; one meter in eight was never calibrated."""
    if FORMATS[wire].tells_state or rng.random() < 0.125:
        return Calibration()
    day = now - timedelta(days=int(rng.integers(40, 160)))
    return Calibration(
        off_w=0.0,
        standby_w=round(rated * standby, -1),
        working_w=round(rated * producing, -2),
        at=datetime.combine(day, time(9, 20), UTC),
    )


def _measured(load: float, now: date, rng: np.random.Generator) -> Offer | None:
    """Owners of under-used machines offer two in three of them, the others one in five."""
    if rng.random() >= (0.67 if load < 0.3 else 0.2):
        return None
    return Offer(
        kind="measured",
        mode=Mode(str(rng.choice([mode.value for mode in Mode], p=[0.6, 0.3, 0.1]))),
        since=now - timedelta(days=int(rng.integers(10, 90))),
        until=now + timedelta(days=int(rng.integers(60, 240))),
    )


def _lent(seed: int, member: str, machine: str, offer: Offer | None, now: date) -> tuple[Reservation, ...]:
    """Half-days lent to another member since the offer: one in four machines was, up to three times."""
    rng = generator(seed, member, machine, "lent")
    if offer is None or offer.since is None or rng.random() >= 0.25:
        return ()
    found = []
    for back in sorted({int(days) for days in rng.integers(4, 70, size=3)}, reverse=True):
        day = now - timedelta(days=back)
        if day > offer.since and day.weekday() < 5:
            start = datetime.combine(day, time(13))
            found.append(Reservation(start=start, end=start + timedelta(hours=6), lent=True, note=_LENT_TO))
    return tuple(found)


def _declared(now: date, rng: np.random.Generator) -> Offer:
    return Offer(
        kind="declared",
        mode=Mode.TOLL,
        since=now - timedelta(days=int(rng.integers(5, 60))),
        until=now + timedelta(days=int(rng.integers(40, 120))),
        hours_per_week=float(rng.integers(4, 21)),
        note="Sans capteur : disponibilité à confirmer par téléphone",
    )


def _attributes(trade: Trade, rng: np.random.Generator) -> dict[str, str | float | bool]:
    found: dict[str, str | float | bool] = {}
    if trade in _SIZES:
        names = ("length_m", "width_m", "height_m")
        found |= {
            name: round(size * float(rng.uniform(0.7, 1.5)), 1) for name, size in zip(names, _SIZES[trade], strict=True)
        }
        found["mass_kg"] = float(round(rng.uniform(50, 4_000), -1))
    for name, choices in _DETAILS.get(trade, ()):
        found[name] = choices[int(rng.integers(len(choices)))]
    return found
