"""Where a broker is and how to log in, as one URL."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

DEFAULT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_QUERY_KEYS: Final = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Host, port and login of a broker; its text forms never show the password.

    Attributes:
        tls: whether the connection is encrypted and the broker's name verified.
        ca_file: PEM file of the authority to trust instead of the system's.
        cert_file: PEM file of the client certificate; ``key_file`` is its key, unless the same file holds both.
    """

    host: str
    port: int = 1883
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def parse(cls, text: str) -> "BrokerAddress":
        """Read ``mqtt://[user[:password]@]host[:port]`` or ``mqtts://...[?ca=FILE&cert=FILE&key=FILE]``.

        User and password are percent-decoded. The ports default to 1883 and 8883.

        Raises:
            ValueError: the text is no such URL; the message names the part, never the password.
        """
        parts = urlsplit(text)
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError(f"broker address: scheme {parts.scheme!r} is neither mqtt nor mqtts (mqtt://host:1883)")
        if not parts.hostname:
            raise ValueError(f"broker address: no host after {parts.scheme}://")
        if parts.path not in ("", "/") or parts.fragment:
            raise ValueError(f"broker address: {parts.path or '#'!r} after the port means nothing here")
        try:
            port = parts.port if parts.port is not None else DEFAULT_PORTS[parts.scheme]
        except ValueError:
            raise ValueError("broker address: the port is not a number from 1 to 65535") from None
        if port == 0:
            raise ValueError("broker address: the port is not a number from 1 to 65535")
        files = _files(parts.scheme, parts.query)
        return cls(
            host=parts.hostname,
            port=port,
            user=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password is not None else None,
            tls=parts.scheme == "mqtts",
            ca_file=files.get("ca"),
            cert_file=files.get("cert"),
            key_file=files.get("key"),
        )

    def __str__(self) -> str:
        """The URL with ``***`` for the password."""
        login = f"{quote(self.user, safe='')}{':***' if self.password is not None else ''}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{login}{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL with everything, the password too: :meth:`parse` gives the same address back. Never log it."""
        secret = f":{quote(self.password, safe='')}" if self.password is not None else ""
        login = f"{quote(self.user, safe='')}{secret}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        named = {"ca": self.ca_file, "cert": self.cert_file, "key": self.key_file}
        query = urlencode({name: str(path) for name, path in named.items() if path is not None})
        return f"{'mqtts' if self.tls else 'mqtt'}://{login}{host}:{self.port}" + (f"?{query}" if query else "")

    def ssl_context(self) -> ssl.SSLContext | None:
        """The TLS settings of a connection, or None without TLS.

        Raises:
            OSError: a certificate file cannot be read, or (``ssl.SSLError``) holds no certificate.
        """
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


def _files(scheme: str, query: str) -> dict[str, Path]:
    fields = parse_qs(query, keep_blank_values=True)
    for name, values in fields.items():
        if name not in _QUERY_KEYS:
            raise ValueError(f"broker address: option {name!r} is none of {', '.join(_QUERY_KEYS)}")
        if scheme != "mqtts":
            raise ValueError(f"broker address: option {name!r} needs mqtts://")
        if len(values) != 1 or not values[0]:
            raise ValueError(f"broker address: option {name!r} needs exactly one file name")
    if "key" in fields and "cert" not in fields:
        raise ValueError("broker address: option 'key' needs 'cert'")
    return {name: Path(values[0]) for name, values in fields.items()}
