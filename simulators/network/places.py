"""Communes of northern Alsace: postcode, latitude and longitude (degrees WGS 84). The places are real, no firm is."""

from typing import Final

from fleet.network import Place

_COMMUNES: Final = {
    "haguenau": ("Haguenau", "67500", 48.816, 7.790),
    "brumath": ("Brumath", "67170", 48.732, 7.709),
    "niederbronn": ("Niederbronn-les-Bains", "67110", 48.952, 7.643),
    "wissembourg": ("Wissembourg", "67160", 49.037, 7.946),
    "saverne": ("Saverne", "67700", 48.742, 7.362),
    "bischwiller": ("Bischwiller", "67240", 48.767, 7.857),
    "reichshoffen": ("Reichshoffen", "67110", 48.933, 7.667),
    "soultz": ("Soultz-sous-Forêts", "67250", 48.939, 7.880),
    "hochfelden": ("Hochfelden", "67270", 48.758, 7.567),
    "mertzwiller": ("Mertzwiller", "67580", 48.863, 7.678),
    "schweighouse": ("Schweighouse-sur-Moder", "67590", 48.820, 7.731),
    "lauterbourg": ("Lauterbourg", "67630", 48.974, 8.178),
    "seltz": ("Seltz", "67470", 48.895, 8.106),
    "ingwiller": ("Ingwiller", "67340", 48.872, 7.481),
    "bouxwiller": ("Bouxwiller", "67330", 48.826, 7.483),
    "drusenheim": ("Drusenheim", "67410", 48.762, 7.953),
    "woerth": ("Wœrth", "67360", 48.939, 7.745),
    "val-de-moder": ("Val-de-Moder", "67350", 48.845, 7.607),
    "dettwiller": ("Dettwiller", "67490", 48.754, 7.466),
    "gundershoffen": ("Gundershoffen", "67110", 48.908, 7.662),
}


def place(name: str) -> Place:
    """The commune of that short name."""
    commune, postcode, latitude, longitude = _COMMUNES[name]
    return Place(commune=commune, postcode=postcode, latitude=latitude, longitude=longitude)
