"""The relay in a plant: a Mosquitto that keeps what devices send while the network's broker cannot be reached. Pure."""

from dataclasses import dataclass
from typing import Final

from bus.address import BrokerAddress

MEMBERS_TOPICS: Final = ("m/{member}/#", "spBv1.0/{member}/#")


@dataclass(frozen=True)
class Relay:
    """A relay of one member.

    Attributes:
        address: of the network's broker, with the relay's own login there, or its certificate.
        listen: port and address that the plant's devices connect to.
        folder: where the relay keeps what waits; its own, on a disk.
        passwords: password file of the plant's devices, or "" where anybody who reaches the listener may send.
        user: system user that a relay started by root becomes; "" for Mosquitto's own.
    """

    member: str
    address: BrokerAddress
    listen: str = "1883"
    folder: str = "/var/lib/mosquitto/"
    passwords: str = "/etc/mosquitto/resilian-devices"
    user: str = ""

    def __post_init__(self) -> None:
        """Refuse what would be another line of the file.

        Raises:
            ValueError: which value, and why.
        """
        secret = self.address.password or ""
        for name, value in (("password", secret), ("user", self.address.user or ""), ("--listen", self.listen),
                            ("--folder", self.folder), ("--passwords", self.passwords)):  # fmt: skip
            shown = "***" if name == "password" else repr(value)
            if value != value.strip() or not value.isprintable():
                raise ValueError(f"{name} = {shown}: no line breaks, and no spaces at its ends")
        if self.address.cert_file is not None:
            if not self.address.tls:
                raise ValueError("a certificate needs TLS: mqtts://HOST:8884")
        elif not (self.address.user and secret):
            raise ValueError("the broker's address needs the relay's login: mqtts://USER:PASSWORD@HOST:8883")


def configuration(relay: Relay) -> str:
    """The whole ``mosquitto.conf`` of a relay, for Mosquitto 2.0; it holds the relay's password, if it has one."""
    address = relay.address
    host = f"[{address.host}]" if ":" in address.host else address.host
    topics = "".join(f"topic {topic.format(member=relay.member)} out 1\n" for topic in MEMBERS_TOPICS)
    topics += "# Shelly of the first generation begin every topic with shellies/.\n"
    topics += f"topic # out 1 shellies/ m/{relay.member}/\n"
    tls = f"bridge_cafile {address.ca_file or '/etc/ssl/certs/ca-certificates.crt'}\n" if address.tls else ""
    if address.cert_file:
        tls += f"bridge_certfile {address.cert_file}\nbridge_keyfile {address.key_file or address.cert_file}\n"
    login = f"remote_username {address.user}\nremote_password {address.password}\n" if address.password else ""
    secret = "It holds a password: keep it" if login else "Keep it, and the key that it names,"
    doors = f"allow_anonymous false\npassword_file {relay.passwords}\n" if relay.passwords else "allow_anonymous true\n"
    user = f"user {relay.user}\n" if relay.user else ""
    return f"""\
# Relay of member {relay.member}: keeps what the plant's devices send while the network's broker is out of reach.
# {secret} readable by Mosquitto alone. Each device of the plant gets a login of the relay's own:
#   mosquitto_passwd -c {relay.passwords or "FILE"} DEVICE        (-c the first time only)
# Devices publish below m/{relay.member}/ as they would at the network's broker; but for Shelly of the first generation
# (shellies/), nothing else leaves the plant.
{user}listener {relay.listen}
{doors}
# What waits is on disk, and is written there at the latest ten seconds after it came.
persistence true
persistence_location {relay.folder}
autosave_interval 10

# A night and more: 2,000,000 messages or 1 GiB, whichever comes first. Without these lines it would be 1,000 messages.
max_queued_messages 2000000
max_queued_bytes 1073741824
queue_qos0_messages true
# Simple devices send at QoS 0; from the relay on nothing is lost.
upgrade_outgoing_qos true
max_inflight_messages 100

connection {relay.member}-relay
address {host}:{address.port}
bridge_protocol_version mqttv50
remote_clientid {address.user or f"{relay.member}.relay"}
{login}{tls}cleansession false
{topics}start_type automatic
restart_timeout 1 30
keepalive_interval 30
# The network's broker lets a relay write below its member's name alone.
notifications false
try_private true
"""
