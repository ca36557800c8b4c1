"""The wire formats that simulated machines speak: one file each, and one line here."""

from typing import Final

from simulators.formats.base import Format, Sample
from simulators.formats.canonical import CANONICAL
from simulators.formats.generic import GENERIC
from simulators.formats.shelly import SHELLY
from simulators.formats.tasmota import TASMOTA
from simulators.formats.zigbee2mqtt import ZIGBEE2MQTT

__all__ = ["CANONICAL", "FORMATS", "Format", "Sample"]

FORMATS: Final[dict[str, Format]] = {each.name: each for each in (CANONICAL, GENERIC, TASMOTA, SHELLY, ZIGBEE2MQTT)}
