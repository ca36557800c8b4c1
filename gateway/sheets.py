"""What to type into a device, as the page says it: families by name, values in words, notes in the page's language."""

from dataclasses import replace
from typing import Any, Final

from bus import login_requests
from bus.client import BrokerAddress
from fleet.families import FAMILIES, Device, Note, sheet
from fleet.network import Network
from gateway.catalog import later
from gateway.config import LOOPBACK, Door, GatewayConfig
from gateway.words import Words

NAMES: Final = {
    "tasmota": later("Tasmota, prise ou compteur"),
    "shelly-gen2": later("Shelly Plus, Pro, Gen3 et suivants"),
    "shelly-gen1": later("Shelly de première génération (1PM, EM, 3EM)"),
    "zigbee2mqtt": later("Prise Zigbee par zigbee2mqtt"),
    "sparkplug": later("Automate, passerelle ou SCADA en Sparkplug B"),
    "mtconnect": later("Commande numérique par agent MTConnect"),
    "opcua-pubsub": later("Publication OPC UA PubSub en JSON"),
    "umh": later("United Manufacturing Hub"),
    "plain-value": later("Une valeur seule par sujet"),
    "generic": later("JSON d'usage courant (power, energy...)"),
    "canonical": later("Votre propre envoi, JSON de Résilian"),
}
"""The families of devices and, by the same names, the formats that carry them."""
FORMATS: Final = {
    "zigbee2mqtt-plug": later("Prise Zigbee par zigbee2mqtt"),
    "shdr": later("Adaptateur MTConnect, lignes SHDR"),
    "tags": later("Passerelle qui envoie des listes de variables (Kepware, Neuron...)"),
    "victron": later("Compteur derrière un GX de Victron"),
    "emoncms": later("emonPi ou emonTx d'OpenEnergyMonitor"),
}
_NOTES: Final = {
    Note.CA: later("Le certificat du courtier se vérifie avec ca.crt, à demander au bureau du réseau et à charger."),
    Note.ONE: later("Un identifiant par appareil : un second appareil sous le même identifiant coupe le premier."),
    Note.TASMOTA_TIME: later(
        "Son horloge donne l'heure locale : Timezone 99 passe à l'heure d'été comme en Europe centrale ; ailleurs, "
        "inscrivez le fuseau pour la machine (resilian machine feed ... --timezone)."
    ),
    Note.TASMOTA_TLS: later(
        "TLS demande une version qui le contient (tasmota32 ou tasmota-tls) ; sinon, passez par un relais dans l'usine."
    ),
    Note.YAML: later(
        "Ce sont des clés de configuration.yaml. Le nom de la prise dans Zigbee2MQTT est le dernier niveau du sujet."
    ),
    Note.GROUP: later("Le Group ID est le nom du membre : le courtier n'en accepte pas d'autre."),
    Note.SHELLIES: later(
        "Ses sujets commencent par shellies/, quel que soit le préfixe : il se connecte à un relais dans l'usine, "
        "qui les renomme (commande resilian member relay), avec un mot de passe du relais."
    ),
    Note.PHASES: later(
        "Un compteur à plusieurs lignes les envoie une par une : chaque machine prend sa voie, par exemple emeter:1."
    ),
    Note.AGENT: later(
        "Ce sont des clés du MqttService de l'agent. Le sujet de la machine finit par l'uuid de son appareil."
    ),
    Note.UMH: later("Relayez les sujets du poste de travail ; chaque variable y est un sujet, ou une clé d'un sujet."),
    Note.NAMES: later("Des champs nommés autrement demandent un profil du réseau : voyez docs/connecting.md."),
}
_LABELS: Final = {"or all of it in the console": later("ou tout d'un coup, dans la console")}
_VALUES: Final = {"on": later("activé"), "off": later("désactivé"), "": later("laisser vide")}
PASSWORD: Final = "\u2022" * 8
"""Stands for a password that is not shown."""


def name_of(wire_format: str, words: Words) -> str:
    """A format as a person names it; one of the fleet's own by its name."""
    said = NAMES.get(wire_format) or FORMATS.get(wire_format)
    return words.say(said) if said else wire_format


def families(words: Words) -> list[tuple[str, str]]:
    """The families of devices, the most usual first."""
    return [(family, words.say(NAMES[family])) for family in FAMILIES]


def door_of(config: GatewayConfig, network: Network) -> Door:
    """Where devices of the network connect."""
    door = config.door or Door(replace(config.broker, user=None, password=None), anonymous=config.broker.user is None)
    return replace(door, address=BrokerAddress.parse(network.broker)) if network.broker else door


def told(door: Door, words: Words) -> dict[str, Any]:
    """The door in words: its address, and whether devices elsewhere can reach it."""
    return {
        "address": str(door.address),
        "local": door.address.host in LOOPBACK,
        "anonymous": door.anonymous,
        "makes": door.logins is not None or (door.requests is not None and login_requests.served(door.requests)),
        "tls": words.say("activé") if door.address.tls else words.say("désactivé"),
    }


def rows(family: str, member: str, name: str, door: Door, words: Words, password: str = "") -> dict[str, Any]:
    """The sheet of one device, field by field.

    Raises:
        KeyError: no such family.
    """
    at = door.address
    login = "" if door.anonymous else f"{member}.{name}"
    secret = "" if door.anonymous else password or PASSWORD
    found = sheet(family, Device(member, name, login, secret, at.host, at.port, at.tls))
    fields = [
        {
            "field": words.say(_LABELS[field]) if field in _LABELS else field,
            "own": field not in _LABELS,
            "value": value,
            "word": words.say(_VALUES[value]) if value in _VALUES else "",
        }
        for field, value in found.fields
        if password or PASSWORD not in value or value == PASSWORD
    ]
    notes = [words.say(_NOTES[note]) for note in found.notes]
    return {"fields": fields, "notes": notes, "topic": found.topic, "format": found.format}
