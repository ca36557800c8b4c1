"""Why there is no connection, in one plain sentence that says what to look at."""

import errno
import re
import socket
import ssl
from collections.abc import Sequence
from typing import Final

from bus.address import BrokerAddress

REFUSED: Final = 0x80
"""Reason codes from here on are refusals (MQTT 5.0, section 2.4)."""

REFUSALS: Final = {
    129: "the broker calls our packet malformed",
    130: "the broker calls our packet a protocol error",
    132: "the broker does not speak MQTT 5",
    133: "the broker does not accept the client id {client_id!r}",
    134: "the broker refuses the user name or password of {user}",
    135: "the broker does not authorise {user}: wrong user name or password, or no right to connect",
    136: "the broker is unavailable",
    137: "the broker is busy",
    138: "the broker has banned this client",
    139: "the broker is shutting down",
    141: "the broker heard nothing from us for too long",
    142: "another client connected under our client id {client_id!r}",
    143: "the broker calls the topic filter invalid",
    144: "the broker calls the topic invalid",
    145: "the broker says that the packet id is in use",
    147: "we sent more messages at once than the broker accepts",
    149: "the packet is larger than the broker accepts",
    150: "we send faster than the broker accepts",
    151: "a quota of the broker is exceeded",
    152: "the broker's operator ended the connection",
    153: "the broker calls the payload invalid",
    154: "the broker retains no messages",
    155: "the broker takes no messages that it has to acknowledge (QoS 1)",
    156: "the broker tells us to use another server",
    157: "the broker has moved to another server",
    158: "the broker has no shared subscriptions",
    159: "the broker limits the rate of new connections",
    162: "the broker has no wildcard subscriptions",
}
"""By MQTT 5 reason code (MQTT 5.0, section 2.4), for CONNACK, DISCONNECT, SUBACK and PUBACK."""

SESSION_LOST: Final = "the broker came back without our session: messages that it held for us may be lost"
OTHER_SESSION: Final = "the broker has another session for us than it had: messages that it held for us may be lost"
_AT_MOST_ONCE: Final = "the broker grants QoS 0 alone, and may lose what it sends, and all that comes while we are away"
_NO_WORD: Final = "the broker hung up without an answer: wrong user name or password, wrong port, or no MQTT 5"

_ERRNOS: Final = {
    errno.ECONNREFUSED: "nothing listens there (connection refused)",
    errno.EHOSTUNREACH: "the host cannot be reached",
    errno.ENETUNREACH: "the network cannot be reached",
    errno.ECONNRESET: "the connection was reset",
    errno.EPIPE: "the connection was reset",
    errno.ETIMEDOUT: "the connection timed out",
    errno.EMFILE: "this program has too many open files",
}


def refusal(code: int, address: BrokerAddress, client_id: str, said: str | None = None) -> str:
    """A reason code of the broker as a sentence; ``said`` is the broker's own text, if it sent one."""
    user = f"user {address.user!r}" if address.user else "a client without user name"
    text = REFUSALS.get(code, f"the broker gives reason code {code}").format(client_id=client_id, user=user)
    return f"{text}: {said}" if said else text


def loss(
    code: int | None,
    error: BaseException | None,
    address: BrokerAddress,
    client_id: str,
    *,
    welcomed: bool,
    often: bool = False,
) -> str:
    """Why a connection ended: by the broker's reason code, by an error, or without a word of the broker.

    ``often`` says that the connections before ended after seconds, too: what Mosquitto does, without a word, to two
    clients of one client id.
    """
    if code is not None:
        return located(refusal(code, address, client_id), address)
    if error is not None:
        return failure(error, address)
    if not welcomed:
        return located(_NO_WORD, address)
    hint = f", again after seconds: does another client connect as {client_id!r}?" if often else ""
    return located(f"the broker closed the connection{hint}", address)


def refused_subscriptions(patterns: Sequence[str], codes: Sequence[int], address: BrokerAddress, client_id: str) -> str:
    """Which topic filters a SUBACK refuses, or grants without the promise to deliver, and why; "" when none."""
    refused = [
        f"subscription {pattern!r}: {refusal(code, address, client_id) if code else _AT_MOST_ONCE}"
        for pattern, code in zip(patterns, codes, strict=False)
        if code >= REFUSED or code == 0
    ]
    return located("; ".join(refused), address) if refused else ""


def failure(error: BaseException, address: BrokerAddress) -> str:
    """An error of connecting or of the connection as a sentence."""
    return located(_cause(error, address), address)


def located(sentence: str, address: BrokerAddress) -> str:
    """A sentence with the broker's host and port."""
    return f"{sentence} ({address.host}:{address.port})"


def _cause(error: BaseException, address: BrokerAddress) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or error}): does the broker speak TLS at this port?"
    if isinstance(error, socket.gaierror):
        return f"the name {address.host!r} cannot be resolved"
    if isinstance(error, ConnectionRefusedError) and error.errno is None:  # the broker's own words, already a sentence
        return str(error)
    if isinstance(error, TimeoutError) and error.errno is None:
        return "the broker does not answer"
    if isinstance(error, FileNotFoundError | PermissionError):
        return f"the certificate file {str(error.filename or address.ca_file)!r} cannot be read"
    if isinstance(error, OSError):
        return _of_errno(error, address)
    return f"{type(error).__name__}: {error}"


def _of_errno(error: OSError, address: BrokerAddress) -> str:
    number = error.errno
    if number is None and (found := re.search(r"Errno (-?\d+)", str(error))):  # several addresses of one name failed
        number = int(found[1])
    if number is not None and number < 0:  # getaddrinfo's own numbers
        return f"the name {address.host!r} cannot be resolved"
    if number in _ERRNOS:
        return _ERRNOS[number]
    return str(error)
