"""What to type into a device, field by field, by family of device, under the labels of its own interface. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True)
class Device:
    """A device and where it connects to.

    Attributes:
        name: of the device, a slug.
        login, password: at the broker; "" where it asks for none.
    """

    member: str
    name: str
    login: str
    password: str
    host: str
    port: int
    tls: bool

    @property
    def client(self) -> str:
        """Its client id: the login, which is one connection."""
        return f"{self.member}.{self.name}"


class Note(StrEnum):
    """What else to know."""

    CA = "The broker's certificate is judged by ca.crt of the network office: load it into the device."
    ONE = "One device a login: a second one with the same login ends the first one's connection."
    TASMOTA_TIME = (
        "Its clock is local time: Timezone 99 changes to summer time by the rules of central Europe; elsewhere, or "
        "with a fixed Timezone, give the feed its time zone."
    )
    TASMOTA_TLS = "TLS needs a build with TLS (tasmota32, or tasmota-tls); without one, a relay in the plant."
    CERTIFICATE = "Certificates have a listener of their own (8884, docs/deploy.md); the name in it is the login."
    YAML = "These are keys of configuration.yaml. A plug's friendly name is the last level of its topic."
    GROUP = "The Group ID is the member's name: the broker takes no other."
    SHELLIES = (
        "Its topics begin with shellies/, whatever its prefix: it connects to a relay in the plant, which renames them "
        "(resilian member relay), with a login of the relay's own."
    )
    PHASES = "A meter of several lines sends them one by one: give each machine its channel, such as emeter:1."
    AGENT = "These are keys of the agent's MqttService. The machine's topic ends with its device's uuid."
    UMH = "Bridge the topics of the work cell; each tag is a topic of its own below it, or a key of one."
    NAMES = "Fields named otherwise need a profile of the fleet's own (docs/connecting.md)."


@dataclass(frozen=True)
class Sheet:
    """What a person copies into the device.

    Attributes:
        fields: (name of the field as the device shows it, what to type), in the device's order; "" is left empty.
        topic, format: of the machine's feed.
    """

    fields: tuple[tuple[str, str], ...]
    notes: tuple[Note, ...]
    topic: str
    format: str


def _tasmota(device: Device) -> Sheet:
    full = f"m/{device.member}/%topic%/%prefix%/"
    console = (
        f"Backlog MqttHost {device.host}; MqttPort {device.port}; MqttClient {device.client}; "
        f"MqttUser {device.login or 0}; MqttPassword {device.password or 0}; "
        f"Topic {device.name}; FullTopic {full}; SetOption103 {int(device.tls)}; Timezone 99; TelePeriod 60"
    )
    fields = (
        ("Host", device.host), ("Port", str(device.port)), ("MQTT TLS", "on" if device.tls else "off"),
        ("Client", device.client), ("User", device.login), ("Password", device.password), ("Topic", device.name),
        ("Full Topic", full), ("or all of it in the console", console),
    )  # fmt: skip
    notes = (Note.TASMOTA_TIME, *((Note.TASMOTA_TLS,) if device.tls else ()))
    return Sheet(fields, notes, f"m/{device.member}/{device.name}/tele/SENSOR", "tasmota")


def _shelly_gen1(device: Device) -> Sheet:
    fields = (
        ("Enable action execution via MQTT", "on"), ("Username", device.name), ("Password", ""),
        ("Server", "<relay>:1883"), ("Use custom MQTT prefix", device.name), ("Max QoS", "1"), ("Retain", "off"),
    )  # fmt: skip
    return Sheet(fields, (Note.SHELLIES, Note.PHASES), f"m/{device.member}/{device.name}/#", "shelly-gen1")


def _shelly(device: Device) -> Sheet:
    prefix = f"m/{device.member}/{device.name}"
    fields = (
        ("Enable MQTT network", "on"), ("Connection type", "Use User TLS (ca.pem)" if device.tls else "No SSL"),
        ("MQTT Prefix", prefix), ("Enable RPC over MQTT", "off"), ("RPC status notifications over MQTT", "on"),
        ("Generic status update over MQTT", "on"), ("Server", f"{device.host}:{device.port}"),
        ("Client ID", device.client), ("Username", device.login), ("Password", device.password),
    )  # fmt: skip
    return Sheet(fields, _ca(device), f"{prefix}/#", "shelly-gen2")


def _zigbee(device: Device) -> Sheet:
    base = f"m/{device.member}/{device.name}"
    fields = (
        ("mqtt.base_topic", base), ("mqtt.server", _url(device)), ("mqtt.user", device.login),
        ("mqtt.password", device.password), ("mqtt.client_id", device.client),
        *((("mqtt.ca", "ca.crt"),) if device.tls else ()), ("advanced.last_seen", "ISO_8601"),
    )  # fmt: skip
    return Sheet(fields, (Note.YAML,), f"{base}/<friendly name>", "zigbee2mqtt-plug")


def _mtconnect(device: Device) -> Sheet:
    base = f"m/{device.member}/{device.name}"
    fields = (
        ("MqttHost", device.host), ("MqttPort", str(device.port)), ("MqttTls", "true" if device.tls else "false"),
        ("MqttClientId", device.client), ("MqttUserName", device.login), ("MqttPassword", device.password),
        ("ProbeTopic", f"{base}/Probe/[device]"), ("CurrentTopic", f"{base}/Current/[device]"),
        ("SampleTopic", f"{base}/Sample/[device]"), ("AssetTopic", f"{base}/Asset/[device]"),
        ("MqttLastWillTopic", f"{base}/Probe/[device]/Availability"),
    )  # fmt: skip
    return Sheet(fields, (Note.AGENT, *_ca(device)), f"{base}/+/<device uuid>/#", "mtconnect")


def _opcua(device: Device) -> Sheet:
    base = f"m/{device.member}/opcua"
    topic = f"{base}/json/data/{device.name}/<group>"
    fields = (
        ("Address", _url(device)),
        ("TransportProfileUri", "http://opcfoundation.org/UA-Profile/Transport/pubsub-mqtt-json"),
        ("PublisherId", device.name), ("QueueName", topic),
        ("MetaDataQueueName", f"{base}/json/metadata/{device.name}/<group>"),
        ("RequestedDeliveryGuarantee", "AtLeastOnce"), ("Client ID", device.client), ("UserName", device.login),
        ("Password", device.password), ("DataSet fields", "MachineryItemState, Power, PartCount"),
    )  # fmt: skip
    return Sheet(fields, (Note.NAMES, *_ca(device)), topic, "opcua-pubsub")


def _umh(device: Device) -> Sheet:
    topic = f"m/{device.member}/umh/v1/<enterprise>/<site>/<area>/<line>/{device.name}"
    fields = (
        ("urls", _url(device)), ("client_id", device.client), ("user", device.login), ("password", device.password),
        ("topic", f'm/{device.member}/${{! meta("umh_topic").replace_all(".", "/") }}'), ("qos", "1"),
        ("retained", "false"),
    )  # fmt: skip
    return Sheet(fields, (Note.UMH, *_ca(device)), f"{topic}/#", "umh")


def _plain(device: Device, topic: str, feed: str, form: str, payload: str, *notes: Note) -> Sheet:
    fields = (
        ("Host", device.host), ("Port", str(device.port)), ("TLS", "on" if device.tls else "off"),
        ("Client id", device.client), ("User", device.login), ("Password", device.password), ("Topic", topic),
        ("QoS", "1"), ("Retain", "off"), ("Payload", payload),
    )  # fmt: skip
    return Sheet(fields, (*notes, *_ca(device)), feed, form)


def _value(device: Device) -> Sheet:
    base = f"m/{device.member}/{device.name}"
    return _plain(device, f"{base}/power", f"{base}/#", "plain-value", "3120", Note.NAMES)


def _canonical(device: Device) -> Sheet:
    topic = f"m/{device.member}/{device.name}/reading"
    return _plain(device, topic, topic, "canonical", '{"at": <epoch ms>, "power_w": <watts>}')


def _generic(device: Device) -> Sheet:
    topic = f"m/{device.member}/{device.name}"
    return _plain(device, topic, topic, "generic", '{"power": <watts>, "timestamp": <time>}', Note.NAMES)


def _sparkplug(device: Device) -> Sheet:
    fields = (
        ("Server URL", _url(device)), ("Client ID", device.client), ("Username", device.login),
        ("Password", device.password), ("Group ID", device.member), ("Edge Node ID", device.name),
        ("Primary Host ID", "resilian-ingest"),
    )  # fmt: skip
    return Sheet(fields, (Note.GROUP, *_ca(device)), f"spBv1.0/{device.member}/+/{device.name}/<device>", "sparkplug")


def _ca(device: Device) -> tuple[Note, ...]:
    return (Note.CA,) if device.tls else ()


def _url(device: Device) -> str:
    return f"{'mqtts' if device.tls else 'mqtt'}://{device.host}:{device.port}"


FAMILIES: Final[dict[str, Callable[[Device], Sheet]]] = {
    "tasmota": _tasmota,
    "shelly-gen2": _shelly,
    "shelly-gen1": _shelly_gen1,
    "zigbee2mqtt": _zigbee,
    "sparkplug": _sparkplug,
    "mtconnect": _mtconnect,
    "opcua-pubsub": _opcua,
    "umh": _umh,
    "plain-value": _value,
    "generic": _generic,
    "canonical": _canonical,
}
"""One line a family of device, the most usual first."""


_CERTIFICATES: Final = {
    "zigbee2mqtt": ("mqtt.cert", "mqtt.key"),
    "sparkplug": ("Client certificate", "Client key"),
    "mtconnect": ("MqttCert", "MqttPrivateKey"),
    "opcua-pubsub": ("Client certificate", "Client key"),
    "umh": ("tls.client_certs[0].cert_file", "tls.client_certs[0].key_file"),
    "plain-value": ("Client certificate", "Client key"),
    "generic": ("Client certificate", "Client key"),
    "canonical": ("Client certificate", "Client key"),
}
"""Fields of certificate and key, of the families that can show one."""
CERTIFIED: Final = tuple(_CERTIFICATES)


def sheet_with_certificate(family: str, device: Device, certificate: str, key: str) -> Sheet:
    """What to type into a device that shows a certificate: its login and password stay empty.

    Args:
        certificate, key: names of the two files.

    Raises:
        KeyError: no such family, or one that shows no certificate.
    """
    found = sheet(family, device)
    fields = zip(_CERTIFICATES[family], (certificate, key), strict=True)
    return Sheet((*found.fields, *fields), (*found.notes, Note.CERTIFICATE), found.topic, found.format)


def sheet(family: str, device: Device) -> Sheet:
    """What to type into a device of this family.

    Raises:
        KeyError: no such family.
    """
    found = FAMILIES[family](device)
    return Sheet(found.fields, (*found.notes, Note.ONE), found.topic, found.format)
