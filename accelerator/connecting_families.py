"""What to type into a device, field by field, for each family of device. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bus.address import BrokerAddress


@dataclass(frozen=True)
class Device:
    """A device's login and where it connects to."""

    member: str
    name: str
    login: str
    password: str
    host: str
    port: int
    tls: bool

    @classmethod
    def at(cls, address: BrokerAddress, member: str, name: str, login: str, password: str) -> "Device":
        """A device of this login that connects to the broker at ``address``, whose own login plays no part."""
        return cls(member, name, login, password, address.host, address.port, address.tls)


@dataclass(frozen=True)
class Sheet:
    """What a person copies into the device.

    Attributes:
        fields: (name of the field as the device shows it, what to type), in the device's order.
        notes: what else to know, a sentence each.
        topic, format: of the machine's feed.
    """

    fields: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    topic: str
    format: str


_CA = "The broker's certificate is judged by ca.crt of the network office: load it into the device."
_ONE = "One device a login: a second one with the same login ends the first one's connection."


def _tasmota(device: Device) -> Sheet:
    full = f"m/{device.member}/%topic%/%prefix%/"
    console = (
        f"Backlog MqttHost {device.host}; MqttPort {device.port}; MqttUser {device.login}; MqttPassword "
        f"{device.password}; Topic {device.name}; FullTopic {full}; SetOption103 {int(device.tls)}; TelePeriod 60"
    )
    fields = (
        ("Host", device.host), ("Port", str(device.port)), ("MQTT TLS", "on" if device.tls else "off"),
        ("Client", device.login), ("User", device.login), ("Password", device.password), ("Topic", device.name),
        ("Full Topic", full), ("or all of it in the console", console),
    )  # fmt: skip
    tls = ("TLS needs a build with TLS (tasmota32, or tasmota-tls); without one, a relay in the plant.",)
    return Sheet(fields, tls if device.tls else (), f"m/{device.member}/{device.name}/tele/SENSOR", "tasmota")


def _shelly(device: Device) -> Sheet:
    prefix = f"m/{device.member}/{device.name}"
    fields = (
        ("Enable MQTT network", "on"), ("Connection type", "Use User TLS (ca.pem)" if device.tls else "No SSL"),
        ("MQTT Prefix", prefix), ("Enable RPC over MQTT", "off"), ("RPC status notifications over MQTT", "on"),
        ("Generic status update over MQTT", "on"), ("Server", f"{device.host}:{device.port}"),
        ("Client ID", device.login), ("Username", device.login), ("Password", device.password),
    )  # fmt: skip
    return Sheet(fields, (_CA,) if device.tls else (), f"{prefix}/#", "shelly-gen2")


def _zigbee(device: Device) -> Sheet:
    base = f"m/{device.member}/{device.name}"
    fields = (
        ("mqtt.base_topic", base), ("mqtt.server", _url(device)), ("mqtt.user", device.login),
        ("mqtt.password", device.password), ("mqtt.client_id", device.login),
        *((("mqtt.ca", "ca.crt"),) if device.tls else ()), ("advanced.last_seen", "ISO_8601"),
    )  # fmt: skip
    notes = ("These are keys of configuration.yaml. A plug's friendly name is the last level of its topic.",)
    return Sheet(fields, notes, f"{base}/<friendly name>", "zigbee2mqtt-plug")


def _plain(device: Device, topic: str, form: str, payload: str) -> Sheet:
    fields = (
        ("Host", device.host), ("Port", str(device.port)), ("TLS", "on" if device.tls else "off"),
        ("Client id", device.login), ("User", device.login), ("Password", device.password), ("Topic", topic),
        ("QoS", "1"), ("Retain", "off"), ("Payload", payload),
    )  # fmt: skip
    return Sheet(fields, (_CA,) if device.tls else (), topic, form)


def _canonical(device: Device) -> Sheet:
    return _plain(
        device, f"m/{device.member}/{device.name}/reading", "canonical", '{"at": <epoch ms>, "power_w": <watts>}'
    )


def _generic(device: Device) -> Sheet:
    return _plain(device, f"m/{device.member}/{device.name}", "generic", '{"power": <watts>, "timestamp": <time>}')


def _sparkplug(device: Device) -> Sheet:
    fields = (
        ("Server URL", _url(device)), ("Client ID", device.login), ("Username", device.login),
        ("Password", device.password), ("Group ID", device.member), ("Edge Node ID", device.name),
    )  # fmt: skip
    notes = ("The Group ID is the member's name: the broker takes no other.", *((_CA,) if device.tls else ()))
    return Sheet(fields, notes, f"spBv1.0/{device.member}/+/{device.name}/#", "sparkplug")


def _url(device: Device) -> str:
    return f"{'mqtts' if device.tls else 'mqtt'}://{device.host}:{device.port}"


FAMILIES: Final[dict[str, Callable[[Device], Sheet]]] = {
    "canonical": _canonical,
    "generic": _generic,
    "shelly-gen2": _shelly,
    "sparkplug": _sparkplug,
    "tasmota": _tasmota,
    "zigbee2mqtt": _zigbee,
}
"""One line a family of device."""


def sheet(family: str, device: Device) -> Sheet:
    """What to type into a device of this family.

    Raises:
        KeyError: no such family.
    """
    found = FAMILIES[family](device)
    return Sheet(found.fields, (*found.notes, _ONE), found.topic, found.format)
