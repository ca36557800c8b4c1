"""The registry of the small network that the gateway's tests look at: what its members own and consented to."""

from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from fleet import edit, registry
from fleet.registry import Registry

ZONE = ZoneInfo("Europe/Paris")


def write_registry(folder: Path, now: datetime) -> Registry:
    """Three members: one that shares at several levels, one that shares nothing, one with a declared offer."""
    registry.init(folder, name="Réseau d'essai", commune="Reichshoffen", timezone="Europe/Paris", country="FR")
    day = now.astimezone(ZONE).date()
    for member in (_alsalac(day), _secret(), _declared(day)):
        edit.add_member(folder, member)
    return registry.load(folder)


def _alsalac(day: date) -> dict[str, object]:
    staffed = [{"days": ["mon", "tue", "wed", "thu", "fri"], "start": "05:00:00", "end": "21:00:00"}]
    offer = {"kind": "measured", "mode": "avec-operateur", "contact": "Mme Keller, 03 88 00 00 01"}
    machines = [
        {
            "id": "cabine-1",
            "name": "Cabine de peinture 1",
            "trade": "paint",
            "every": 60.0,
            "offer": offer,
            "attributes": {"length_m": 7.0, "width_m": 3.5, "height_m": 3.0, "oven_c": 80.0, "atex": True},
        },
        {
            "id": "cabine-2",
            "name": "Cabine de peinture 2",
            "trade": "paint",
            "every": 60.0,
            "offer": {"note": "le soir"},
        },
        {"id": "laser-1", "name": "Laser CANARI-ALSALAC", "trade": "laser", "every": 60.0},
        {"id": "muette", "name": "Presse muette", "trade": "press", "every": 60.0},
    ]
    return {
        "slug": "alsalac",
        "name": "Alsalac SAS",
        "place": {"commune": "Niederbronn-les-Bains", "latitude": 48.952, "longitude": 7.643},
        "signatory": "M. Roth",
        "calendar": {"staffed": staffed, "offered": staffed},
        "machines": machines,
        "consents": [
            _consent("cabine-1", "coordinator", "offers", day),
            _consent("cabine-1", "members", "offers", day),
            _consent("cabine-2", "coordinator", "hours", day - timedelta(weeks=20)),
        ],
    }


def _secret() -> dict[str, object]:
    machine = {
        "id": "tour-1",
        "name": "Tour CANARI-SECRET",
        "trade": "turning",
        "every": 60.0,
        "offer": {"mode": "facon"},
    }
    return {
        "slug": "secret",
        "name": "CANARI-SECRET SARL",
        "place": {"commune": "Canariville", "latitude": 48.7, "longitude": 7.7},
        "machines": [machine, {"id": "cabine-1", "name": "Cabine CANARI-SECRET", "trade": "paint"}],
    }


def _declared(day: date) -> dict[str, object]:
    offer = {"kind": "declared", "mode": "sans-operateur", "hours_per_week": 12.0}
    return {
        "slug": "declare",
        "name": "Déclare et Fils",
        "place": {"commune": "Haguenau", "latitude": 48.816, "longitude": 7.79},
        "machines": [{"id": "banc", "name": "Banc d'essai", "trade": "test", "offer": offer}],
        "consents": [_consent("banc", "coordinator", "offers", day)],
    }


def _consent(machine: str, recipient: str, level: str, since: date) -> dict[str, object]:
    return {"machine": machine, "recipient": recipient, "level": level, "purpose": "essai", "since": since}
