"""The wire formats that simulated machines speak: one file each, and one line here."""

from typing import Final

from simulators.formats.base import Format, Message, Sample
from simulators.formats.canonical import CANONICAL
from simulators.formats.generic import GENERIC
from simulators.formats.mtconnect import MTCONNECT
from simulators.formats.opcua import OPCUA
from simulators.formats.plain import PLAIN
from simulators.formats.shdr import SHDR
from simulators.formats.shelly import SHELLY
from simulators.formats.shelly_gen1 import SHELLY_GEN1
from simulators.formats.tasmota import TASMOTA
from simulators.formats.umh import UMH
from simulators.formats.zigbee2mqtt import ZIGBEE2MQTT

__all__ = ["CANONICAL", "FORMATS", "Format", "Message", "Sample"]

FORMATS: Final[dict[str, Format]] = {
    each.name: each
    for each in (
        CANONICAL, GENERIC, TASMOTA, SHELLY, ZIGBEE2MQTT, SHELLY_GEN1, MTCONNECT, SHDR, OPCUA, UMH, PLAIN,
    )
}  # fmt: skip
