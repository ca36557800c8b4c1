"""What passes between a connection and its session, in our own words: no MQTT library in sight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


class Delivery(Protocol):
    """A message as it came; ``packet_id`` is None with QoS 0, which needs no acknowledgement."""

    @property
    def topic(self) -> str: ...
    @property
    def payload(self) -> bytes: ...
    @property
    def packet_id(self) -> int | None: ...
    @property
    def retain(self) -> bool: ...
    @property
    def duplicate(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes in our name when the connection breaks, with QoS 1."""

    topic: str
    payload: bytes
    retain: bool = True


@dataclass(frozen=True, slots=True)
class Hello:
    """What a CONNECT says. ``session_expiry_s`` is how long the broker keeps our session without us."""

    client_id: str
    user: str | None
    password: str | None
    will: Will | None
    keep_alive_s: int
    session_expiry_s: int
    receive_max: int

    def __post_init__(self) -> None:
        for name, value in (("keep_alive_s", self.keep_alive_s), ("receive_max", self.receive_max)):
            if not 1 <= value <= 65_535:
                raise ValueError(f"{name} {value}: not from 1 to 65535")


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a CONNACK says; ``code`` 0 is success, others are the broker's refusal."""

    code: int
    said: str | None
    session_present: bool
    receive_max: int
    max_packet_bytes: int | None
    keep_alive_s: int | None


@dataclass(frozen=True, slots=True)
class Handlers:
    """Whom a connection tells what, always from the event loop.

    Attributes:
        welcome: the CONNACK came.
        answered: a SUBACK or UNSUBACK came: its packet id, and one reason code a topic filter.
        deliveries: every PUBLISH of one socket read.
        acknowledged: every PUBACK of one socket read, as (packet id, reason code).
        writable: the transport takes more again.
        lost: the last call: the epoch, the broker's reason code of DISCONNECT if it sent one, the error if any.
    """

    welcome: Callable[[Welcome], None]
    answered: Callable[[int, Sequence[int]], None]
    deliveries: Callable[[list[Delivery]], None]
    acknowledged: Callable[[list[tuple[int, int]]], None]
    writable: Callable[[], None]
    lost: Callable[[int, int | None, BaseException | None], None]
