"""A folder with a network of two members."""

from pathlib import Path

import pytest

NETWORK = """\
# Réseau d'essai
name = "Réseau du Nord"
timezone = "Europe/Paris"
languages = ["fr", "de", "en"]

[place]
commune = "Haguenau"

[holidays]
country = "FR"
subdivision = "6AE"
"""

DUPONT = """\
# Le fichier de Dupont, tenu à la main
slug = "dupont"
name = "Dupont Peinture"   # raison sociale

[place]
commune = "Niederbronn-les-Bains"

[calendar]
staffed = [{ days = ["mon", "tue", "wed", "thu", "fri"], start = 06:00:00, end = 14:00:00 }]

[[machines]]
id = "cabine-1"
name = "Cabine 1"
trade = "paint"

# la prise mesurée
[[machines.feeds]]
topic = "m/dupont/prise-1/tele/SENSOR"
format = "tasmota"

[[machines]]
id = "four"
name = "Four"
trade = "furnace"

[[consents]]
machine = "cabine-1"
recipient = "coordinator"
level = "offers"
purpose = "partage"
since = 2026-01-01
"""

ULM = """\
slug = "ulm"
name = "Ulm GmbH"
timezone = "Europe/Berlin"

[place]
commune = "Wissembourg"

[[machines]]
id = "tour"
name = "Tour"
trade = "turning"
every = 60
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """``network.toml`` and the members dupont and ulm."""
    (tmp_path / "members").mkdir()
    (tmp_path / "network.toml").write_text(NETWORK)
    (tmp_path / "members" / "dupont.toml").write_text(DUPONT)
    (tmp_path / "members" / "ulm.toml").write_text(ULM)
    return tmp_path
